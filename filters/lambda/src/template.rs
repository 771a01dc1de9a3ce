//! A function's name with holes that the request fills.
//!
//! Not the transformation's engine: that one brings an interpreter, scopes of a whole exchange and a megabyte of wasm, where
//! a name needs three lookups. What a template may give is bounded by the list of functions, not by a language.

use ferrule_kit::{Fields, Host};

/// A compiled template.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A segment of the path, from 0.
    Segment(usize),
    /// The first line of a header.
    Header(String),
    /// The first value of a parameter of the query, as it is written.
    Query(String),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("has {{{{ without }}}}")]
    Open,
    #[error("has `{0}`, which is none of segment(NUMBER), header('NAME') and query('NAME')")]
    Unknown(String),
}

impl Template {
    /// None where the text has no holes.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, TemplateError> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let (hole, after) = after.split_once("}}").ok_or(TemplateError::Open)?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let hole = hole.trim();
            parts.push(Part::parse(hole).ok_or_else(|| TemplateError::Unknown(hole.to_owned()))?);
            rest = after;
        }
        if parts.is_empty() {
            return Ok(None);
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Some(Self(parts)))
    }

    /// The name for a request; none where a hole stays empty or what fills it is no UTF-8.
    pub(crate) fn render(&self, host: &dyn Host) -> Option<String> {
        let target = host.field(Fields::RequestHeaders, ":path")?;
        let mut name = String::new();
        for part in &self.0 {
            part.render(&target, host, &mut name)?;
        }
        Some(name)
    }
}

impl Part {
    fn parse(hole: &str) -> Option<Self> {
        let (function, argument) = hole.strip_suffix(')')?.split_once('(')?;
        let (function, argument) = (function.trim(), argument.trim());
        let quoted = || {
            let inner = |quote| argument.strip_prefix(quote)?.strip_suffix(quote);
            let name = inner('\'').or_else(|| inner('"'))?;
            let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\'' | b'"' | b'&' | b'=');
            (!name.is_empty() && name.bytes().all(plain)).then(|| name.to_owned())
        };
        match function {
            "segment" => argument.parse().ok().map(Self::Segment),
            "header" => quoted().map(|name| Self::Header(name.to_ascii_lowercase())),
            "query" => quoted().map(Self::Query),
            _ => None,
        }
    }

    fn render(&self, target: &[u8], host: &dyn Host, out: &mut String) -> Option<()> {
        let (path, query) = split_target(target);
        let found = match self {
            Self::Text(text) => text.as_bytes().into(),
            Self::Segment(number) => path.split(|byte| *byte == b'/').nth(number + 1)?.into(),
            Self::Header(name) => host.field(Fields::RequestHeaders, name)?,
            Self::Query(name) => parameter(query, name)?.into(),
        };
        let text = std::str::from_utf8(&found).ok()?;
        out.push_str(text);
        (!text.is_empty()).then_some(())
    }
}

/// Path and query of a request's target.
pub(crate) fn split_target(target: &[u8]) -> (&[u8], &[u8]) {
    match target.iter().position(|byte| *byte == b'?') {
        Some(at) => (&target[..at], &target[at + 1..]),
        None => (target, b""),
    }
}

fn parameter<'q>(query: &'q [u8], name: &str) -> Option<&'q [u8]> {
    let mut pairs = query.split(|byte| *byte == b'&');
    pairs.find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use ferrule_kit::MemoryHost;

    use super::*;

    fn rendered(template: &str, path: &str) -> Option<String> {
        let host = MemoryHost::with_request([(":path", path), ("x-fn", "h")]);
        Template::parse(template).unwrap().unwrap().render(&host)
    }

    #[test]
    fn holes_are_filled_by_the_request() {
        assert_eq!(rendered("{{ segment(1) }}", "/fn/hello?x"), Some("hello".to_owned()));
        assert_eq!(
            rendered("a-{{header(\"X-Fn\")}}-{{ query('q') }}z", "/?p=1&q=2"),
            Some("a-h-2z".to_owned())
        );
        for empty in ["{{ segment(2) }}", "{{ header('x-none') }}", "{{ query('q') }}", "{{ segment(1) }}"] {
            assert_eq!(rendered(empty, "/fn/?q="), None, "{empty}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        assert_eq!(Template::parse("plain-name"), Ok(None));
        assert_eq!(Template::parse("a{{ segment(1)"), Err(TemplateError::Open));
        for hole in
            ["", "segment", "segment(x)", "segment(-1)", "header(x)", "header('')", "env('X')", "query('a=')"]
        {
            let text = format!("{{{{ {hole} }}}}");
            assert_eq!(Template::parse(&text), Err(TemplateError::Unknown(hole.to_owned())));
        }
    }
}
