//! For which messages a transform is meant, in the Gateway API's terms.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use ferrule_kit::{ConfigError, Fields, Host, Message, Value};
use regex::bytes::Regex;

use crate::config::{Match as Written, MatchKind, NamedMatch, PathMatch, PathMatchKind};
use crate::extractor;
use crate::field::{self, Change};

/// Conditions that must all hold.
#[derive(Debug)]
pub(crate) struct Match {
    path: Option<Path>,
    method: Option<String>,
    headers: Vec<(String, Text)>,
    query: Vec<(String, Text)>,
    statuses: Vec<RangeInclusive<u16>>,
    details: Option<Text>,
}

#[derive(Debug)]
enum Path {
    Prefix(String),
    Whole(Text),
}

#[derive(Debug)]
enum Text {
    Exact(String),
    Expression(Regex),
}

impl Match {
    /// Compiles what was written at `path` for messages of that kind.
    ///
    /// # Errors
    /// Names the field and says what is wrong with it.
    pub(crate) fn compile(path: &str, written: Written, message: Message) -> Result<Self, ConfigError> {
        let for_responses = !written.status.is_empty() || written.response_code_details.is_some();
        if message == Message::Request && for_responses {
            let reason = "a request has neither status nor responseCodeDetails";
            return Err(ConfigError::new(path, reason));
        }
        let details = written.response_code_details;
        Ok(Self {
            path: written.path.map(|it| compile_path(&format!("{path}.path"), it)).transpose()?,
            method: written.method,
            headers: headers(&format!("{path}.headers"), written.headers, message)?,
            query: named(&format!("{path}.queryParams"), written.query_params)?,
            statuses: statuses(&format!("{path}.status"), &written.status)?,
            details: details
                .map(|it| text(&format!("{path}.responseCodeDetails.value"), it.kind, it.value))
                .transpose()?,
        })
    }

    /// Whether it asks for the request's header section.
    pub(crate) fn reads_request(&self) -> bool {
        self.path.is_some() || self.method.is_some() || !self.query.is_empty()
    }

    /// Whether all conditions hold for the message whose headers are at hand.
    pub(crate) fn holds(&self, host: &dyn Host, message: Message) -> bool {
        self.target_holds(host) && self.headers_hold(host, message) && self.answer_holds(host)
    }

    fn target_holds(&self, host: &dyn Host) -> bool {
        let section = Fields::RequestHeaders;
        if let Some(method) = &self.method
            && host.field(section, ":method").is_none_or(|known| *known != *method.as_bytes())
        {
            return false;
        }
        if self.path.is_none() && self.query.is_empty() {
            return true;
        }
        let target = host.field(section, ":path").unwrap_or_default();
        let end = target.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(target.len());
        let (path, query) = target.split_at(end);
        let query = query.strip_prefix(b"?").unwrap_or_default();
        self.path.as_ref().is_none_or(|condition| condition.holds(path))
            && self
                .query
                .iter()
                .all(|(name, condition)| parameter(query, name).is_some_and(|value| condition.holds(&value)))
    }

    fn headers_hold(&self, host: &dyn Host, message: Message) -> bool {
        self.headers.iter().all(|(name, condition)| {
            let values = host.field_values(message.headers(), name);
            match &values[..] {
                [] => false,
                [value] => condition.holds(value),
                // RFC 9110 §5.2: lines of one name are one list.
                values => condition.holds(&values.join(&b","[..])),
            }
        })
    }

    fn answer_holds(&self, host: &dyn Host) -> bool {
        let in_range = |status| self.statuses.iter().any(|range| range.contains(&status));
        let status = || field::status(&host.field(Fields::ResponseHeaders, ":status")?);
        if !self.statuses.is_empty() && !status().is_some_and(in_range) {
            return false;
        }
        self.details.as_ref().is_none_or(|condition| match host.attribute("response.code_details") {
            Some(Value::Text(details)) => condition.holds(&details),
            _ => false,
        })
    }
}

impl Path {
    fn holds(&self, path: &[u8]) -> bool {
        match self {
            Self::Whole(condition) => condition.holds(path),
            // Element by element: /a is a prefix of /a/b, not of /ab.
            Self::Prefix(prefix) => {
                let prefix = prefix.trim_end_matches('/').as_bytes();
                path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
            }
        }
    }
}

impl Text {
    fn holds(&self, text: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => exact.as_bytes() == text,
            Self::Expression(regex) => regex.is_match(text),
        }
    }
}

/// The first parameter of that name, decoded (WHATWG URL §5.1).
fn parameter<'q>(query: &'q [u8], name: &str) -> Option<Cow<'q, [u8]>> {
    query.split(|byte| *byte == b'&').find_map(|pair| {
        let split = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (key, value) = pair.split_at(split);
        (*decoded(key) == *name.as_bytes()).then(|| decoded(value.strip_prefix(b"=").unwrap_or_default()))
    })
}

/// Without percent-encoding; a plus sign stands for a blank.
pub(crate) fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            _ => out.push(*byte),
        }
    }
    Cow::Owned(out)
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

fn compile_path(at: &str, written: PathMatch) -> Result<Path, ConfigError> {
    let at = format!("{at}.value");
    let kind = match written.kind {
        PathMatchKind::RegularExpression => {
            return text(&at, MatchKind::RegularExpression, written.value).map(Path::Whole);
        }
        kind => kind,
    };
    if !written.value.starts_with('/') {
        return Err(ConfigError::new(at, "a path starts with /"));
    }
    match kind {
        PathMatchKind::PathPrefix => Ok(Path::Prefix(written.value)),
        _ => Ok(Path::Whole(Text::Exact(written.value))),
    }
}

fn text(at: &str, kind: MatchKind, value: String) -> Result<Text, ConfigError> {
    match kind {
        MatchKind::Exact => Ok(Text::Exact(value)),
        MatchKind::RegularExpression => extractor::compile(&value, true)
            .map(Text::Expression)
            .map_err(|reason| ConfigError::new(at, reason)),
    }
}

fn named(at: &str, written: Vec<NamedMatch>) -> Result<Vec<(String, Text)>, ConfigError> {
    let numbered = written.into_iter().enumerate();
    numbered
        .map(|(number, it)| Ok((it.name, text(&format!("{at}[{number}].value"), it.kind, it.value)?)))
        .collect()
}

fn headers(at: &str, written: Vec<NamedMatch>, message: Message) -> Result<Vec<(String, Text)>, ConfigError> {
    let mut headers = named(at, written)?;
    for (number, (name, _)) in headers.iter_mut().enumerate() {
        let known = field::name(name, message, Change::Set).or_else(|error| match error {
            field::NameError::Framing => Ok(name.to_ascii_lowercase()),
            error => Err(error),
        });
        *name = known
            .map_err(|error| ConfigError::new(format!("{at}[{number}].name"), format!("`{name}` {error}")))?;
    }
    Ok(headers)
}

fn statuses(at: &str, written: &[String]) -> Result<Vec<RangeInclusive<u16>>, ConfigError> {
    let numbered = written.iter().enumerate();
    numbered
        .map(|(number, it)| {
            let reason = || format!("`{it}` is neither a status (404), a class (5xx) nor a range (400-499)");
            statuses_of(it).ok_or_else(|| ConfigError::new(format!("{at}[{number}]"), reason()))
        })
        .collect()
}

fn statuses_of(written: &str) -> Option<RangeInclusive<u16>> {
    let status = |text: &str| field::status(text.as_bytes());
    if let Some(class) = written.strip_suffix("xx") {
        let first = class.parse::<u16>().ok().filter(|class| (2..=5).contains(class))? * 100;
        return Some(first..=first + 99);
    }
    match written.split_once('-') {
        Some((first, last)) => Some(status(first)?..=status(last)?).filter(|range| !range.is_empty()),
        None => status(written).map(|status| status..=status),
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn statuses_are_numbers_classes_and_ranges() {
        assert_eq!(statuses_of("404"), Some(404..=404));
        assert_eq!(statuses_of("5xx"), Some(500..=599));
        assert_eq!(statuses_of("400-499"), Some(400..=499));
        for wrong in ["", "6xx", "xx", "1xx", "40", "4044", "499-400", "a-b", "200-"] {
            assert_eq!(statuses_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn prefixes_match_whole_elements() {
        let holds = |prefix: &str, path: &str| Path::Prefix(prefix.to_owned()).holds(path.as_bytes());
        assert!(holds("/a", "/a") && holds("/a", "/a/b") && holds("/a/", "/a") && holds("/", "/any"));
        assert!(!holds("/a", "/ab") && !holds("/a/b", "/a"));
    }

    #[test]
    fn parameters_are_decoded() {
        let value = |query: &'static str, name: &str| parameter(query.as_bytes(), name);
        assert_eq!(value("a=1&b=2&b=3", "b").as_deref(), Some(&b"2"[..]));
        assert_eq!(value("n%61me=a%20b+c%zz%4", "name").as_deref(), Some(&b"a b c%zz%4"[..]));
        assert_eq!(value("flag", "flag").as_deref(), Some(&b""[..]));
        assert_eq!(value("a=1", "b"), None);
    }
}
