//! A figure's SVG as a part of the page.

use super::escape::escape;

/// The drawing in `svg`, made smaller without a change of what it shows, the names in it prefixed by `own`, which no
/// other figure of the page has, and called `label`. Nothing where it is no drawing.
pub fn inlined(svg: &str, own: &str, label: &str) -> Option<String> {
    let start = svg.find("<svg")?;
    let open = start + svg[start..].find('>')?;
    let attribute = |name: &str| {
        let rest = &svg[start..open];
        let from = rest.find(&format!(" {name}=\""))? + name.len() + 3;
        Some(&rest[from..from + rest[from..].find('"')?])
    };
    let view = attribute("viewBox")?;
    let width = attribute("width").and_then(|width| width.parse::<f64>().ok())?;
    let body: String = svg[open + 1..].split('\n').map(str::trim_end).collect();
    let body = body
        .replace(" opacity=\"1\"", "")
        .replace(" font-family=\"DejaVu Sans, Verdana, sans-serif\"", "")
        .replace(" \"/>", "\"/>")
        .replace(" id=\"", &format!(" id=\"{own}-"))
        .replace("url(#", &format!("url(#{own}-"))
        // Scripts have no place in a drawing.
        .replace("<script", "<g hidden=\"\" data-no");
    let label = escape(label);
    Some(format!(
        "<svg class=\"figure\" role=\"img\" aria-label=\"{label}\" viewBox=\"{view}\" style=\"max-width:{width}px\">\
         {body}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{example, figure};

    #[test]
    fn a_figure_keeps_its_letters_and_lines_and_has_names_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let figures = figure::write(&example::table(), folder.path()).unwrap();
        let svg = std::fs::read_to_string(&figures[0]).unwrap();
        let small = inlined(&svg, "f3", "accuracy \"of\" <all>").unwrap();
        assert!(
            small.starts_with("<svg class=\"figure\" role=\"img\" aria-label=\"accuracy &quot;of&quot; &lt;all&gt;\"")
        );
        for tag in ["<polyline", "<text", "<rect", "</text>"] {
            assert_eq!(small.matches(tag).count(), svg.matches(tag).count(), "{tag}");
        }
        assert!(small.len() < svg.len() * 9 / 10, "{} of {}", small.len(), svg.len());
        let named = svg.replace("<rect", "<clipPath id=\"a\"/><rect clip-path=\"url(#a)\"");
        let named = inlined(&named, "f3", "").unwrap();
        assert!(named.contains("id=\"f3-a\"") && named.contains("url(#f3-a)") && !named.contains("url(#a)"));
        assert_eq!(inlined("no drawing", "f", ""), None);
    }
}
