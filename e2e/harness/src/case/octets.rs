//! Bytes and field lines as cases write them.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::clock;
use super::written::Written;

/// Bytes: a string, `{base64: …}` for what is not UTF-8, or `{date: …}` for an HTTP-date that many seconds after the first exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written<OctetsForm>")]
pub struct Octets(pub Vec<u8>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OctetsForm {
    base64: Option<String>,
    date: Option<i64>,
}

impl OctetsForm {
    fn octets(self) -> Result<Vec<u8>, String> {
        match (self.base64, self.date) {
            (Some(text), None) => from_base64(&text),
            (None, Some(seconds)) => Ok(date(seconds).into_bytes()),
            _ => Err("write a string, {base64: …} or {date: seconds}".to_owned()),
        }
    }
}

/// An HTTP-date (RFC 9110 §5.6.7), seconds from when cases begin.
fn date(seconds: i64) -> String {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let start = clock::start();
    httpdate::fmt_http_date(if seconds < 0 { start - distance } else { start + distance })
}

impl TryFrom<Written<OctetsForm>> for Octets {
    type Error = String;

    fn try_from(written: Written<OctetsForm>) -> Result<Self, String> {
        match written {
            Written::Text(text) => Ok(Self(text.into_bytes())),
            Written::Form(form) => form.octets().map(Self),
            Written::Nothing | Written::List(_) => {
                Err("write a string, {base64: …} or {date: seconds}".to_owned())
            }
        }
    }
}

/// Decodes standard base64.
pub(crate) fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|error| format!("{text:?} is not base64: {error}"))
}

/// Shows bytes as text where they are UTF-8, and escapes the others.
pub(crate) fn shown(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => octets.escape_ascii().to_string(),
    }
}

/// Field lines in order, names in lower case (RFC 9110 §5): a map of names to values or lists of values, or a list of
/// `[name, value]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines(pub Vec<(String, Vec<u8>)>);

impl Lines {
    /// The values of all lines of that name, in order.
    pub fn values<'a>(&'a self, name: &str) -> Vec<&'a [u8]> {
        let lines = self.0.iter().filter(|(known, _)| known == name);
        lines.map(|(_, value)| value.as_slice()).collect()
    }

    /// The first value of that name, as text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.values(name).first().map(|value| shown(value))
    }

    pub(crate) fn push(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.push((name.to_owned(), value.into()));
    }

    fn add<E: Error>(&mut self, name: &str, value: Octets) -> Result<(), E> {
        self.0.push((field_name(name)?, value.0));
        Ok(())
    }
}

/// Checks and lower-cases a name: what a case sends is well-formed but for what it says explicitly.
pub(crate) fn field_name<E: Error>(name: &str) -> Result<String, E> {
    match name {
        "" => Err(E::custom("a field name is empty")),
        name if name.starts_with(':') => {
            Err(E::custom(format!("{name} has a key of its own: method, path, host or status")))
        }
        "host" | "Host" => Err(E::custom("write `host:` beside `path:`, not among the headers")),
        name => Ok(name.to_ascii_lowercase()),
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, value)| writeln!(f, "{name}: {}", shown(value)))
    }
}

/// The value or values of one name.
#[derive(Deserialize)]
#[serde(try_from = "Written<OctetsForm>")]
struct Values(Vec<Octets>);

impl TryFrom<Written<OctetsForm>> for Values {
    type Error = String;

    fn try_from(written: Written<OctetsForm>) -> Result<Self, String> {
        match written {
            Written::List(items) => {
                items.into_iter().map(Octets::try_from).collect::<Result<_, _>>().map(Self)
            }
            one => Octets::try_from(one).map(|value| Self(vec![value])),
        }
    }
}

struct LinesReader;

impl<'de> Visitor<'de> for LinesReader {
    type Value = Lines;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of names to values, or a list of [name, value]")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Lines, A::Error> {
        let mut lines = Lines::default();
        while let Some((name, Values(values))) = map.next_entry::<String, Values>()? {
            values.into_iter().try_for_each(|value| lines.add(&name, value))?;
        }
        Ok(lines)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Lines, A::Error> {
        let mut lines = Lines::default();
        while let Some((name, value)) = list.next_element::<(String, Octets)>()? {
            lines.add(&name, value)?;
        }
        Ok(lines)
    }
}

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LinesReader)
    }
}
