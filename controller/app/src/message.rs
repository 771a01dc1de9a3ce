//! Messages as the command line gives them, and as they are printed for people.

use std::io::{Read, Write};
use std::path::Path;

use anyhow::Context;
use ferrule_kit::FieldLines;

/// A message as it arrives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    pub(crate) lines: FieldLines,
    pub(crate) body: Vec<u8>,
}

impl Given {
    /// With these pseudo-fields at its head, unless they are given, and a content-length if it has a body.
    pub(crate) fn under(mut self, pseudo: &[(&str, &str)]) -> Self {
        let has = |lines: &FieldLines, name: &str| lines.iter().any(|(known, _)| known == name);
        let missing = pseudo.iter().filter(|(name, _)| !has(&self.lines, name));
        let mut lines: FieldLines =
            missing.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        lines.append(&mut self.lines);
        if !self.body.is_empty() && !has(&lines, "content-length") {
            lines.push(("content-length".to_owned(), self.body.len().to_string().into_bytes()));
        }
        Self { lines, body: self.body }
    }

    /// The method of a request, where the command line names none.
    pub(crate) fn usual_method(&self) -> &'static str {
        if self.body.is_empty() { "GET" } else { "POST" }
    }
}

/// Field lines, each written as `name: value`.
pub(crate) fn fields(written: &[String], option: &str) -> anyhow::Result<FieldLines> {
    let parse = |line: &String| {
        let (name, value) =
            line.split_once(':').with_context(|| format!("{option} {line:?}: wanted is 'name: value'"))?;
        Ok((name.trim().to_ascii_lowercase(), value.trim().as_bytes().to_vec()))
    };
    written.iter().map(parse).collect()
}

/// The bytes of a file; `-` is standard input.
pub(crate) fn contents(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("stdin")?;
        return Ok(bytes);
    }
    std::fs::read(file).with_context(|| file.display().to_string())
}

/// Prints a field line after a mark.
pub(crate) fn print_field(mark: char, name: &str, value: &[u8], out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "{mark} {name}: {}", String::from_utf8_lossy(value).escape_debug())
}

/// Prints a body between empty lines, unless it is empty.
pub(crate) fn print_body(body: &[u8], out: &mut impl Write) -> std::io::Result<()> {
    if body.is_empty() {
        return Ok(());
    }
    match std::str::from_utf8(body) {
        Ok(text) => writeln!(out, "\n{}\n", text.strip_suffix('\n').unwrap_or(text)),
        Err(_) => writeln!(out, "\n({} bytes that are no UTF-8)\n", body.len()),
    }
}
