//! Filters of texts.

use std::fmt::Write;

use super::super::access;
use super::super::arguments::Args;
use super::super::error::{Failure, Outcome};
use super::super::meter::Meter;
use super::super::print::{Layout, Sink};
use super::super::value::Value;

/// The most spaces that a level may be indented by.
const MAX_INDENT: usize = 64;

fn changed<'a>(meter: &Meter, value: &Value<'a>, change: impl Fn(&str) -> String) -> Outcome<Value<'a>> {
    let text = value.to_text(meter)?;
    meter.charge_bytes(text.len() * 2)?;
    Value::text(meter, change(&text))
}

pub(super) fn upper<'a>(meter: &Meter, value: Value<'a>, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    changed(meter, &value, str::to_uppercase)
}

pub(super) fn lower<'a>(meter: &Meter, value: Value<'a>, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    changed(meter, &value, str::to_lowercase)
}

pub(super) fn capitalize<'a>(meter: &Meter, value: Value<'a>, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    changed(meter, &value, |text| {
        let mut rest = text.chars();
        let first = rest.next().into_iter().flat_map(char::to_uppercase);
        first.collect::<String>() + &rest.as_str().to_lowercase()
    })
}

pub(super) fn title<'a>(meter: &Meter, value: Value<'a>, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    changed(meter, &value, |text| {
        let (mut out, mut starts) = (String::with_capacity(text.len()), true);
        for character in text.chars() {
            let between = character.is_whitespace() || matches!(character, '-' | '(' | '{' | '[' | '<');
            match (between, starts) {
                (false, true) => out.extend(character.to_uppercase()),
                (false, false) => out.extend(character.to_lowercase()),
                (true, _) => out.push(character),
            }
            starts = between;
        }
        out
    })
}

pub(super) fn trim<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let strip = args.optional_text(meter, "chars")?;
    let strip: Option<Vec<char>> = strip.map(|text| text.chars().collect());
    changed(meter, &value, |text| match &strip {
        Some(characters) => text.trim_matches(&characters[..]).to_owned(),
        None => text.trim().to_owned(),
    })
}

/// Replaces all that is found; also what `replace_with_string` does.
pub(crate) fn replaced<'a>(meter: &Meter, text: &str, from: &str, to: &str) -> Outcome<Value<'a>> {
    meter.charge_bytes(text.len())?;
    let found = if from.is_empty() { text.chars().count() + 1 } else { text.matches(from).count() };
    meter.charge_bytes(text.len().saturating_add(found.saturating_mul(to.len())))?;
    Value::text(meter, text.replace(from, to))
}

pub(super) fn replace<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let (from, to) = (args.text(meter, "from")?, args.text(meter, "to")?);
    replaced(meter, &value.to_text(meter)?, &from, &to)
}

pub(super) fn escape<'a>(meter: &Meter, value: Value<'a>, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    changed(meter, &value, |text| {
        let mut out = String::with_capacity(text.len());
        for character in text.chars() {
            match character {
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#x27;"),
                '/' => out.push_str("&#x2f;"),
                other => out.push(other),
            }
        }
        out
    })
}

pub(super) fn string<'a>(meter: &Meter, value: Value<'a>, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    value.to_text(meter).map(Value::Text)
}

pub(super) fn indent<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let width = args.optional_count("width", MAX_INDENT)?.unwrap_or(4);
    let (first, blank) = (args.flag("first"), args.flag("blank"));
    let text = value.to_text(meter)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    meter.charge_bytes(text.len() + width * text.matches('\n').count())?;
    let margin = " ".repeat(width);
    let lines = text.split('\n').enumerate().map(|(number, line)| {
        let empty = line.is_empty() || line == "\r";
        let wanted = if number == 0 { first } else { blank || !empty };
        if wanted && (blank || !empty) { format!("{margin}{line}") } else { line.to_owned() }
    });
    Value::text(meter, lines.collect::<Vec<_>>().join("\n"))
}

pub(super) fn join<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let between = args.optional_text(meter, "d")?;
    let attribute = args.optional_text(meter, "attribute")?;
    let mut out = Sink::new(meter, usize::MAX);
    for (number, item) in access::items(meter, &value)?.into_iter().enumerate() {
        if let (Some(between), true) = (&between, number > 0) {
            out.write(between.as_bytes())?;
        }
        match &attribute {
            Some(attribute) => out.print(&super::path(meter, &item, attribute)?)?,
            None => out.print(&item)?,
        }
    }
    Value::octets(meter, out.into_bytes())
}

pub(super) fn lines<'a>(meter: &Meter, value: Value<'a>, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    let text = value.to_text(meter)?;
    list_of(meter, &text, text.lines())
}

pub(super) fn split<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let separator = args.optional_text(meter, "split")?;
    let most = args.optional_int("maxsplits")?.and_then(|most| usize::try_from(most).ok());
    let text = value.to_text(meter)?;
    meter.charge_bytes(text.len())?;
    match (separator.as_deref(), most) {
        (Some(separator), None) => list_of(meter, &text, text.split(separator)),
        (Some(separator), Some(most)) => {
            list_of(meter, &text, text.splitn(most.saturating_add(1), separator))
        }
        (None, None) => list_of(meter, &text, text.split_whitespace()),
        (None, Some(most)) => list_of(meter, &text, split_words(&text, most)),
    }
}

/// Words, after `most` of them the rest as it is.
fn split_words(text: &str, most: usize) -> impl Iterator<Item = &str> {
    let (mut rest, mut words) = (text.trim_start(), 0);
    std::iter::from_fn(move || {
        let end = if words < most { rest.find(char::is_whitespace) } else { None };
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        words += 1;
        rest = after.trim_start();
        (!word.is_empty()).then_some(word)
    })
}

fn list_of<'a, 't>(meter: &Meter, text: &str, parts: impl Iterator<Item = &'t str>) -> Outcome<Value<'a>> {
    meter.charge_bytes(text.len())?;
    let parts: Outcome<Vec<_>> = parts.map(|part| Value::text(meter, part)).collect();
    Value::list(meter, parts?)
}

pub(super) fn tojson<'a>(meter: &Meter, value: Value<'a>, args: &mut Args<'a>) -> Outcome<Value<'a>> {
    let indent = match args.next("indent") {
        None | Some(Value::Null | Value::Undefined | Value::Bool(false)) => None,
        Some(Value::Bool(true)) => Some(2),
        Some(value) => Some(small(&value)?),
    };
    json(meter, &value, indent)
}

pub(super) fn pprint<'a>(meter: &Meter, value: Value<'a>, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    json(meter, &value, Some(4))
}

fn small(value: &Value<'_>) -> Outcome<u8> {
    let count = value.as_int().and_then(|count| u8::try_from(count).ok());
    count
        .filter(|count| usize::from(*count) <= MAX_INDENT)
        .ok_or_else(|| Failure::new("`indent` is not a small integer"))
}

fn json<'a>(meter: &Meter, value: &Value<'a>, indent: Option<u8>) -> Outcome<Value<'a>> {
    let mut out = Sink::new(meter, usize::MAX);
    out.print_json(value, &mut Layout::new(indent))?;
    Value::octets(meter, out.into_bytes())
}

/// Percent-encoding (RFC 3986 §2.1) of all but unreserved characters and `/`; a map becomes a query.
pub(super) fn urlencode<'a>(meter: &Meter, value: Value<'a>, _: &mut Args<'a>) -> Outcome<Value<'a>> {
    if !value.is_map() {
        return match &value {
            Value::Bytes(bytes) => Value::text(meter, percent_encoded(bytes)),
            value => changed(meter, value, |text| percent_encoded(text.as_bytes())),
        };
    }
    let mut query = Sink::new(meter, usize::MAX);
    let mut between: &[u8] = b"";
    for (key, value) in access::pairs(meter, &value)? {
        if matches!(value, Value::Null | Value::Undefined) {
            continue;
        }
        query.write(between)?;
        query.write(percent_encoded(key.to_text(meter)?.as_bytes()).as_bytes())?;
        query.write(b"=")?;
        query.write(percent_encoded(value.to_text(meter)?.as_bytes()).as_bytes())?;
        between = b"&";
    }
    Value::octets(meter, query.into_bytes())
}

fn percent_encoded(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                out.push(char::from(*byte))
            }
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}
