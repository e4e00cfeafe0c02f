//! Markdown as HTML: headings with anchors, figures drawn in place, links within the page, tables that scroll.

use super::escape::escape;
use super::links::{Links, Target};
use super::svg;
use crate::error::{Error, Result};
use pulldown_cmark::{Alignment, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};
use std::collections::BTreeMap;
use std::path::Path;

/// A text as HTML.
pub struct Rendered {
    /// Its first heading of the first level, which is not in `html`.
    pub title: String,
    /// All of it below the title.
    pub html: String,
}

/// HTML of `text`, which lies in `folder` and has the anchor `id`. Its headings are moved down by `levels`.
pub fn render(text: &str, folder: &Path, id: &str, levels: usize, links: &Links) -> Result<Rendered> {
    let mut writer = Writer { folder, id, levels, links, slugs: BTreeMap::new(), heading: String::new(), figures: 0 };
    let events: Vec<Event> = Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH).collect();
    let (title, rest) = title(&events);
    let mut out = Vec::new();
    let mut index = 0;
    while index < rest.len() {
        index += writer.event(&rest[index..], &mut out)?;
    }
    let mut page = String::new();
    html::push_html(&mut page, out.into_iter());
    Ok(Rendered { title, html: page })
}

/// The heading that a text begins with, and what follows it.
fn title<'a, 'b>(events: &'b [Event<'a>]) -> (String, &'b [Event<'a>]) {
    let is_title = |event: &Event| matches!(event, Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }));
    match events.first().is_some_and(is_title) {
        true => {
            let length = length(events);
            (words(&events[..length]), &events[length..])
        }
        false => (String::new(), events),
    }
}

/// How many events the element has that `events` begin with.
fn length(events: &[Event]) -> usize {
    let mut open = 0;
    for (index, event) in events.iter().enumerate() {
        match event {
            Event::Start(_) => open += 1,
            Event::End(_) => open -= 1,
            _ => {}
        }
        if open == 0 {
            return index + 1;
        }
    }
    events.len()
}

/// What an element says, without its form.
fn words(events: &[Event]) -> String {
    let word = |event: &Event| match event {
        Event::Text(text) | Event::Code(text) => text.to_string(),
        Event::SoftBreak | Event::HardBreak => " ".into(),
        _ => String::new(),
    };
    events.iter().map(word).collect()
}

struct Writer<'w> {
    folder: &'w Path,
    id: &'w str,
    levels: usize,
    links: &'w Links,
    /// How often each heading's anchor was given.
    slugs: BTreeMap<String, usize>,
    /// The last heading.
    heading: String,
    /// Figures so far.
    figures: usize,
}

impl Writer<'_> {
    /// Adds what becomes of the first of `events`, and says how many that took.
    fn event<'a>(&mut self, events: &[Event<'a>], out: &mut Vec<Event<'a>>) -> Result<usize> {
        match &events[0] {
            Event::Start(Tag::Heading { level, .. }) => {
                self.heading = words(&events[..length(events)]);
                let slug = self.slug();
                let id = Some(CowStr::from(format!("{}-{slug}", self.id)));
                let (classes, attrs) = (Vec::new(), Vec::new());
                out.push(Event::Start(Tag::Heading { level: self.moved(*level), id, classes, attrs }));
            }
            Event::End(TagEnd::Heading(level)) => out.push(Event::End(TagEnd::Heading(self.moved(*level)))),
            Event::Start(Tag::Image { dest_url, .. }) => {
                let length = length(events);
                out.push(raw(self.figure(dest_url, &words(&events[..length]))?));
                return Ok(length);
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                let length = length(events);
                let inside = &events[1..length - 1];
                let (open, close) = match self.links.target(dest_url, self.folder, self.id) {
                    Target::Address(address) => (format!("<a href=\"{}\">", escape(&address)), "</a>"),
                    Target::File => (format!("<span class=\"file\" title=\"{}\">", escape(dest_url)), "</span>"),
                };
                out.push(raw(open));
                let mut index = 0;
                while index < inside.len() {
                    index += self.event(&inside[index..], out)?;
                }
                out.push(raw(close.into()));
                return Ok(length);
            }
            Event::Start(Tag::Table(_)) => {
                let length = length(events);
                self.table(&events[..length], out)?;
                return Ok(length);
            }
            // What looks like HTML in a text is text.
            Event::Html(text) | Event::InlineHtml(text) => out.push(Event::Text(text.clone())),
            other => out.push(other.clone()),
        }
        Ok(1)
    }

    fn moved(&self, level: HeadingLevel) -> HeadingLevel {
        HeadingLevel::try_from((level as usize + self.levels).min(6)).expect("from 1 to 6")
    }

    /// The heading's anchor as GitHub has it.
    fn slug(&mut self) -> String {
        let lower = self.heading.to_lowercase();
        let kept = lower.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let slug: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let times = self.slugs.entry(slug.clone()).or_default();
        *times += 1;
        if *times > 1 { format!("{slug}-{}", *times - 1) } else { slug }
    }

    /// A drawing in place; of any other picture its name.
    fn figure(&mut self, file: &str, alt: &str) -> Result<String> {
        let name = escape(alt);
        if !file.ends_with(".svg") || file.contains("://") {
            return Ok(format!("<span class=\"file\" title=\"{}\">{name}</span>", escape(file)));
        }
        let path = self.folder.join(file);
        let text = std::fs::read_to_string(&path).map_err(|e| Error::file("read", &path, e))?;
        self.figures += 1;
        let drawn =
            svg::inlined(&text, &format!("{}-{}", self.id, self.figures), &format!("{alt}, a figure of {}", self.id));
        let wrong = || Error::Failed(format!("{}: this is no SVG; make the page again", path.display()));
        Ok(format!("<span class=\"drawing\">{}</span>", drawn.ok_or_else(wrong)?))
    }

    /// A table in a box of its own that scrolls, numbers to the right.
    fn table<'a>(&mut self, events: &[Event<'a>], out: &mut Vec<Event<'a>>) -> Result<()> {
        let columns = alignments(events);
        let label = if self.heading.is_empty() { "Table".into() } else { format!("Table: {}", self.heading) };
        out.push(raw(format!(
            "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">",
            escape(&label)
        )));
        out.push(Event::Start(Tag::Table(columns)));
        let mut index = 1;
        while index < events.len() {
            index += self.event(&events[index..], out)?;
        }
        out.push(raw("</div>".into()));
        Ok(())
    }
}

fn raw<'a>(html: String) -> Event<'a> {
    Event::Html(html.into())
}

/// To the right where every cell that says something begins with a digit, or none says anything.
fn alignments(table: &[Event]) -> Vec<Alignment> {
    let mut columns: Vec<(usize, usize)> = Vec::new();
    let (mut column, mut in_head) = (0, false);
    let mut index = 0;
    while index < table.len() {
        match &table[index] {
            Event::Start(Tag::TableHead) => in_head = true,
            Event::End(TagEnd::TableHead) => in_head = false,
            Event::Start(Tag::TableRow) => column = 0,
            Event::Start(Tag::TableCell) => {
                let cell = words(&table[index..index + length(&table[index..])]);
                if columns.len() <= column {
                    columns.push((0, 0));
                }
                let text = cell.trim().trim_start_matches(['-', '−', '+', '*']);
                if !in_head && !text.is_empty() && !text.starts_with(['—', '–']) {
                    columns[column].0 += 1;
                    columns[column].1 += usize::from(text.starts_with(|c: char| c.is_ascii_digit()));
                }
                column += 1;
            }
            _ => {}
        }
        index += 1;
    }
    // The first column names its line.
    let numbers = |(index, (cells, numbers)): (usize, &(usize, usize))| index > 0 && cells == numbers;
    let align = |column| if numbers(column) { Alignment::Right } else { Alignment::Left };
    columns.iter().enumerate().map(align).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> Rendered {
        let links = Links::to(Path::new("/r"), &[]);
        render(text, Path::new("/r/a/b"), "a-b", 2, &links).unwrap()
    }

    #[test]
    fn headings_go_down_and_have_anchors_and_the_title_is_taken_out() {
        let rendered = html("# Title, `x`\n\n## What was run\n\n## What was run\n");
        assert_eq!(rendered.title, "Title, x");
        assert!(rendered.html.contains("<h4 id=\"a-b-what-was-run\">What was run</h4>"), "{}", rendered.html);
        assert!(rendered.html.contains("<h4 id=\"a-b-what-was-run-1\">") && !rendered.html.contains("Title"));
    }

    #[test]
    fn tables_scroll_and_columns_of_numbers_stand_to_the_right() {
        let table = "## Peaks\n\n| rule | MiB | note |\n|---|---|---|\n| BP | 8.05 | 1 |\n| 2 | — | x |\n";
        let html = html(table).html;
        assert!(html.contains("role=\"region\" tabindex=\"0\" aria-label=\"Table: Peaks\""), "{html}");
        assert!(html.contains("<td style=\"text-align: right\">8.05</td>"), "{html}");
        assert!(html.contains("<td style=\"text-align: left\">x</td>") && !html.contains("right\">2<"), "{html}");
    }

    #[test]
    fn what_looks_like_html_is_text_and_files_that_are_not_shown_keep_their_words() {
        let html = html("<script>alert(1)</script>\n\na <b>c</b> [d](../../x.md) ![e](e.png) [f](javascript:g)\n").html;
        assert!(!html.contains("<script") && !html.contains("<b>") && html.contains("&lt;script&gt;"), "{html}");
        for word in ["title=\"..&#x2f;..&#x2f;x.md\">d<", "title=\"e.png\">e<", "\">f</span>"] {
            assert!(html.contains(word), "no {word} in {html}");
        }
    }

    #[test]
    fn a_figure_that_is_missing_or_none_names_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let links = Links::to(folder.path(), &[]);
        let wrong = |text: &str| render(text, folder.path(), "a", 1, &links).err().expect("refused").to_string();
        assert!(wrong("![x](x.svg)").contains("x.svg"));
        std::fs::write(folder.path().join("y.svg"), "no drawing").unwrap();
        assert!(wrong("![y](y.svg)").contains("y.svg: this is no SVG"));
    }
}
