//! Parts of headers and bodies, found by regular expressions.
//!
//! Invariant: an expression takes time in proportion to the text (RE2's promise), whatever both are; there is no backtracking.

use regex::bytes::{Captures, Regex, RegexBuilder};

use crate::config::{Extractor as Written, ExtractorMode};
use crate::template::{Meter, Outcome, Sink};

/// The largest compiled expression, in bytes.
const MAX_PROGRAM: usize = 1024 * 1024;
/// Bytes of a text that are searched for one unit of a render's work.
const SEARCHED_PER_UNIT: usize = 4;

/// A compiled extractor.
#[derive(Debug)]
pub(crate) struct Extractor {
    pub(crate) source: Source,
    regex: Regex,
    action: Action,
}

/// Which text is searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The first value of the header of this name.
    Header(String),
    Body,
}

#[derive(Debug)]
enum Action {
    Extract { group: usize },
    ReplaceGroup { group: usize, by: Box<[u8]> },
    ReplaceAll { by: Vec<Part> },
}

/// A part of a replacement.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(Box<[u8]>),
    Group(usize),
}

impl Extractor {
    /// Compiles what was written.
    ///
    /// # Errors
    /// The field concerned, and what is wrong with it.
    pub(crate) fn compile(written: Written) -> Result<Self, (&'static str, String)> {
        let source = match (written.header, written.body) {
            (Some(name), None) if !name.is_empty() => Source::Header(name.to_ascii_lowercase()),
            (None, Some(_)) => Source::Body,
            (Some(_), None) => return Err(("header", "is empty".to_owned())),
            _ => return Err(("", "exactly one of header and body is needed".to_owned())),
        };
        let whole = written.mode != ExtractorMode::ReplaceAll;
        let regex = compile(&written.regex, whole).map_err(|reason| ("regex", reason))?;
        let action = action(written.mode, written.subgroup, written.replacement_text, &regex)?;
        Ok(Self { source, regex, action })
    }

    /// What the extractor makes of `text`.
    ///
    /// # Errors
    /// The render has done too much work.
    pub(crate) fn apply(&self, meter: &Meter, text: &[u8]) -> Outcome<Vec<u8>> {
        meter.charge(text.len() / SEARCHED_PER_UNIT + 1)?;
        match &self.action {
            Action::Extract { group } => {
                let found = self.regex.captures(text).and_then(|captures| captures.get(*group));
                Ok(found.map_or_else(Vec::new, |found| found.as_bytes().to_vec()))
            }
            Action::ReplaceGroup { group, by } => Ok(self.replace_group(text, *group, by)),
            Action::ReplaceAll { by } => self.replace_all(meter, text, by),
        }
    }

    fn replace_group(&self, text: &[u8], group: usize, by: &[u8]) -> Vec<u8> {
        let Some(found) = self.regex.captures(text).and_then(|captures| captures.get(group)) else {
            return text.to_vec();
        };
        let (before, after) = (text.get(..found.start()), text.get(found.end()..));
        [before.unwrap_or_default(), by, after.unwrap_or_default()].concat()
    }

    fn replace_all(&self, meter: &Meter, text: &[u8], by: &[Part]) -> Outcome<Vec<u8>> {
        let mut out = Sink::new(meter, usize::MAX);
        let mut at = 0;
        for captures in self.regex.captures_iter(text) {
            let Some(found) = captures.get(0) else { continue };
            out.write(text.get(at..found.start()).unwrap_or_default())?;
            by.iter().try_for_each(|part| out.write(part.of(&captures)))?;
            at = found.end();
        }
        out.write(text.get(at..).unwrap_or_default())?;
        Ok(out.into_bytes())
    }
}

impl Part {
    fn of<'t>(&'t self, captures: &Captures<'t>) -> &'t [u8] {
        match self {
            Self::Text(text) => text,
            Self::Group(group) => captures.get(*group).map_or(b"", |found| found.as_bytes()),
        }
    }
}

/// Compiles an expression; `whole` has it match a whole text or not at all.
///
/// # Errors
/// In words for who wrote it.
pub(crate) fn compile(written: &str, whole: bool) -> Result<Regex, String> {
    let pattern = if whole { format!(r"\A(?:{written})\z") } else { written.to_owned() };
    let built = RegexBuilder::new(&pattern).size_limit(MAX_PROGRAM).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "the regular expression is too large".to_owned(),
        // The last line is the reason; those before show the pattern.
        error => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("`{written}` is no regular expression: {reason}")
        }
    })
}

fn action(
    mode: ExtractorMode,
    subgroup: Option<usize>,
    replacement: Option<String>,
    regex: &Regex,
) -> Result<Action, (&'static str, String)> {
    let group = subgroup.unwrap_or(0);
    if group >= regex.captures_len() {
        return Err(("subgroup", format!("the regular expression has {} groups", regex.captures_len() - 1)));
    }
    match (mode, replacement) {
        (ExtractorMode::Extract, None) => Ok(Action::Extract { group }),
        (ExtractorMode::Extract, Some(_)) => {
            Err(("replacementText", "mode Extract replaces nothing".to_owned()))
        }
        (_, None) => Err(("replacementText", "is needed to replace".to_owned())),
        (ExtractorMode::SingleReplace, Some(by)) => {
            Ok(Action::ReplaceGroup { group, by: by.into_bytes().into() })
        }
        (ExtractorMode::ReplaceAll, Some(_)) if subgroup.is_some_and(|group| group > 0) => {
            Err(("subgroup", "mode ReplaceAll replaces whole matches".to_owned()))
        }
        (ExtractorMode::ReplaceAll, Some(by)) => {
            let by = parts(&by, regex.captures_len()).map_err(|reason| ("replacementText", reason))?;
            Ok(Action::ReplaceAll { by })
        }
    }
}

/// Reads `$1`, `$&` and `$$` (ECMA-262 §22.1.3.19.1, of which it has no more).
fn parts(written: &str, groups: usize) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = written;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        let (group, length) = reference(after, groups)?;
        rest = after.get(length..).unwrap_or_default();
        match group {
            Some(group) => {
                parts.push(Part::Text(std::mem::take(&mut text).into_bytes().into()));
                parts.push(Part::Group(group));
            }
            None => text.push('$'),
        }
    }
    text.push_str(rest);
    parts.push(Part::Text(text.into_bytes().into()));
    parts.retain(|part| *part != Part::Text(Box::default()));
    Ok(parts)
}

/// What follows a dollar sign, and its length; no group for a dollar sign of its own.
fn reference(after: &str, groups: usize) -> Result<(Option<usize>, usize), String> {
    match after.as_bytes() {
        [b'$', ..] => return Ok((None, 1)),
        [b'&', ..] => return Ok((Some(0), 1)),
        [b'0'..=b'9', ..] => {}
        // Nothing that is meant: a dollar sign.
        _ => return Ok((None, 0)),
    }
    let digits = after.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let groups_named =
        (1..=digits).rev().filter_map(|length| Some((after.get(..length)?.parse().ok()?, length)));
    let known = groups_named.into_iter().find(|(group, _): &(usize, usize)| (1..groups).contains(group));
    let (group, length) = known.ok_or_else(|| {
        format!("the regular expression has no group ${}", after.get(..digits).unwrap_or_default())
    })?;
    Ok((Some(group), length))
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::config::Switch;

    fn written(mode: ExtractorMode, regex: &str, subgroup: usize, by: Option<&str>) -> Written {
        Written {
            header: None,
            body: Some(Switch {}),
            regex: regex.to_owned(),
            subgroup: (subgroup > 0).then_some(subgroup),
            mode,
            replacement_text: by.map(str::to_owned),
        }
    }

    fn made(mode: ExtractorMode, regex: &str, subgroup: usize, by: Option<&str>, text: &str) -> String {
        let extractor = Extractor::compile(written(mode, regex, subgroup, by)).unwrap();
        let made = extractor.apply(&Meter::for_body(text.len()), text.as_bytes()).unwrap();
        String::from_utf8(made).unwrap()
    }

    #[test]
    fn extract_gives_the_group_of_a_whole_match_only() {
        let made = |regex, group, text| made(ExtractorMode::Extract, regex, group, None, text);
        assert_eq!(made(r"/users/(\w+)/(\d+)", 2, "/users/ada/42"), "42");
        assert_eq!(made(r"/users/(\w+)", 0, "/users/ada"), "/users/ada");
        assert_eq!(made(r"users", 0, "/users/ada"), "");
        assert_eq!(made("a|ab", 0, "ab"), "ab");
        assert_eq!(made("(a)|(b)", 2, "a"), "");
        assert_eq!(made("(?s).*", 0, "two\nlines"), "two\nlines");
    }

    #[test]
    fn single_replace_replaces_the_group_literally() {
        let made = |regex, group, text| made(ExtractorMode::SingleReplace, regex, group, Some("$1"), text);
        assert_eq!(made(r"Bearer (.*)", 1, "Bearer abc"), "Bearer $1");
        assert_eq!(made(r"Bearer (.*)", 0, "Bearer abc"), "$1");
        assert_eq!(made(r"Bearer", 0, "Bearer abc"), "Bearer abc");
    }

    #[test]
    fn replace_all_expands_groups() {
        let made = |regex, by, text| made(ExtractorMode::ReplaceAll, regex, 0, Some(by), text);
        assert_eq!(made(r"(\w)(\d)", "[$2$1|$&|$$1|$]", "a1 b2"), "[1a|a1|$1|$] [2b|b2|$1|$]");
        assert_eq!(made("x*", "-", "axb"), "-a-b-");
        assert_eq!(made("é", "e", "né"), "ne");
        assert_eq!(made("(a)", "$10", "a"), "a0");
    }

    #[test]
    fn what_cannot_work_is_refused_by_field() {
        let refused = |written: Written| Extractor::compile(written).unwrap_err();
        let (field, reason) = refused(written(ExtractorMode::Extract, "(a", 0, None));
        assert_eq!((field, &*reason), ("regex", "`(a` is no regular expression: unclosed group"));
        assert_eq!(refused(written(ExtractorMode::Extract, "a", 1, None)).0, "subgroup");
        assert_eq!(refused(written(ExtractorMode::SingleReplace, "a", 0, None)).0, "replacementText");
        assert_eq!(refused(written(ExtractorMode::Extract, "a", 0, Some("b"))).0, "replacementText");
        assert_eq!(refused(written(ExtractorMode::ReplaceAll, "(a)", 1, Some("b"))).0, "subgroup");
        assert_eq!(refused(written(ExtractorMode::ReplaceAll, "(a)", 0, Some("$2"))).0, "replacementText");
        let large = refused(written(ExtractorMode::Extract, r"((\w{100}){100}){100}", 0, None));
        assert_eq!(large, ("regex", "the regular expression is too large".to_owned()));
        assert_eq!(refused(Written { body: None, ..Written::default() }).0, "");
        assert_eq!(refused(written(ExtractorMode::Extract, "(?x)a # b", 0, None)).0, "regex");
    }

    #[test]
    fn a_replacement_cannot_explode() {
        let by = "x".repeat(10_000);
        let extractor = Extractor::compile(written(ExtractorMode::ReplaceAll, "", 0, Some(&by))).unwrap();
        let text = "a".repeat(100_000);
        assert!(extractor.apply(&Meter::for_body(text.len()), text.as_bytes()).is_err());
    }
}
