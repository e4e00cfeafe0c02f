//! Text and data as HTML takes them.

/// Data for a script, without anything that would end the element they stand in.
pub fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain data").replace('<', "\\u003c")
}

/// `text` as HTML shows it, in attributes too.
pub fn escape(text: &str) -> String {
    minijinja::HtmlEscape(text).to_string()
}
