//! A Markdown table.

use std::fmt;

/// A table in GitHub's Markdown. Cells are Markdown; text from outside goes through [`escape`] first.
pub struct Grid {
    header: Vec<String>,
    lines: Vec<Vec<String>>,
}

impl Grid {
    /// Without lines.
    pub fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), lines: Vec::new() }
    }

    /// Adds a line, of as many cells as the header.
    pub fn push(&mut self, line: Vec<String>) {
        debug_assert_eq!(line.len(), self.header.len());
        self.lines.push(line);
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let all = || std::iter::once(&self.header).chain(&self.lines);
        // The last column is left ragged: it often holds long text, and a terminal shows the table too.
        let padded = self.header.len().saturating_sub(1);
        let width = |i: usize| all().map(|line| line[i].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..padded).map(width).chain([0]).collect();
        for (index, line) in all().enumerate() {
            for (cell, width) in line.iter().zip(&widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")?;
            if index == 0 {
                widths.iter().try_for_each(|width| write!(f, "|{}", "-".repeat(width.max(&1) + 2)))?;
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

/// `text` so that Markdown shows it as it is, in a table's cell too.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => escaped.push(' '),
            '|' | '*' | '`' | '<' | '[' | '\\' | '~' => escaped.extend(['\\', c]),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// `1 276 810`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_is_a_markdown_table() {
        let mut grid = Grid::new(["rule", "run"]);
        assert!(grid.is_empty());
        grid.push(vec!["BP".into(), escape("a|b")]);
        assert_eq!(grid.to_string(), "| rule | run |\n|------|---|\n| BP   | a\\|b |\n");
    }

    #[test]
    fn what_markdown_would_read_is_escaped() {
        assert_eq!(escape("a|b\nc*d`<e>[f]\\~"), r"a\|b c\*d\`\<e>\[f]\\\~");
        assert_eq!(escape("top_k 3x1000 ± 0.1 (n=3)"), "top_k 3x1000 ± 0.1 (n=3)");
    }

    #[test]
    fn numbers_are_grouped_in_threes() {
        assert_eq!([1, 1234, 1_276_810].map(grouped), ["1", "1 234", "1 276 810"]);
    }
}
