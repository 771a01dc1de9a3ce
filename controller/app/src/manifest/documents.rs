//! Cuts a file into YAML documents before they are parsed, so that a syntax error in one leaves the others alone.

/// One document of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk<'t> {
    /// Its text, from its `---` line on if it has one.
    pub(super) text: &'t str,
    /// How many lines of the file precede it.
    pub(super) lines_before: u32,
}

/// The documents of `text` that hold more than comments and directives.
///
/// YAML 1.2.2 section 9.1.4: `---` and `...` at the start of a line end a document, whatever is open.
pub(super) fn split(text: &str) -> Vec<Chunk<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut chunks = Vec::new();
    let mut open = Chunk { text: "", lines_before: 0 };
    let mut start = 0;
    let mut offset = 0;
    for (number, line) in (0..).zip(text.split_inclusive('\n')) {
        let after = offset + line.len();
        if is_marker(line, "---") {
            chunks.push(Chunk { text: &text[start..offset], ..open });
            (start, open.lines_before) = (offset, number);
        } else if is_marker(line, "...") {
            chunks.push(Chunk { text: &text[start..offset], ..open });
            (start, open.lines_before) = (after, number + 1);
        }
        offset = after;
    }
    chunks.push(Chunk { text: &text[start..], ..open });
    chunks.retain(|chunk| !is_blank(chunk.text));
    chunks
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

fn is_blank(text: &str) -> bool {
    text.lines().all(|line| {
        let line = line.strip_prefix("---").unwrap_or(line).trim();
        line.is_empty() || line.starts_with(['#', '%'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(u32, &str)> {
        split(text).iter().map(|chunk| (chunk.lines_before, chunk.text.trim_end())).collect()
    }

    #[test]
    fn documents_keep_the_lines_they_start_on() {
        let text = "# a\n%YAML 1.2\n---\na: 1\n---\n\n--- # c\nb: 2\n...\nc: |\n  ---\n";
        assert_eq!(cut(text), [(2, "---\na: 1"), (6, "--- # c\nb: 2"), (9, "c: |\n  ---")]);
    }

    #[test]
    fn windows_line_ends_and_a_byte_order_mark_do_not_matter() {
        assert_eq!(cut("\u{feff}a: 1\r\n---\r\nb: 2\r\n"), [(0, "a: 1"), (1, "---\r\nb: 2")]);
    }

    #[test]
    fn a_longer_rule_is_not_a_marker() {
        assert_eq!(cut("a: 1\n----\n").len(), 1);
        assert!(cut("---\n# nothing\n---\n").is_empty());
    }
}
