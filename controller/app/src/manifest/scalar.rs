//! What a YAML scalar means to Kubernetes, which reads manifests as YAML 1.1 (go-yaml 2) and turns them into JSON.
//!
//! So a bare `on` is a boolean, `010` is eight and `1.0` is the integer 1. Base 60 numbers and dates stay strings.

use serde_json::{Number, Value};

/// The tags of YAML's core schema that a manifest may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Str,
    Int,
    Float,
    Bool,
    Null,
}

impl Tag {
    /// The tag with this suffix after `tag:yaml.org,2002:`.
    pub(super) fn named(suffix: &str) -> Option<Self> {
        match suffix {
            "str" => Some(Self::Str),
            "int" => Some(Self::Int),
            "float" => Some(Self::Float),
            "bool" => Some(Self::Bool),
            "null" => Some(Self::Null),
            _ => None,
        }
    }
}

/// The value of a scalar; `plain` says that it is written without quotes.
pub(super) fn resolve(text: &str, plain: bool, tag: Option<Tag>) -> Result<Value, String> {
    let value = match tag {
        Some(Tag::Str) => return Ok(text.into()),
        None if !plain => return Ok(text.into()),
        _ => bare(text)?,
    };
    let fits = match tag {
        Some(Tag::Int) => value.is_i64() || value.is_u64(),
        Some(Tag::Float) => value.is_number(),
        Some(Tag::Bool) => value.is_boolean(),
        Some(Tag::Null) => value.is_null(),
        Some(Tag::Str) | None => true,
    };
    // The text is not quoted: it may be a secret.
    if fits { Ok(value) } else { Err("does not have the type that its tag says".to_owned()) }
}

/// Whether YAML 1.1 alone takes this bare word for a boolean, which its author may not have meant.
pub(super) fn is_surprising(text: &str) -> bool {
    boolean(text).is_some() && !text.eq_ignore_ascii_case("true") && !text.eq_ignore_ascii_case("false")
}

fn bare(text: &str) -> Result<Value, String> {
    if let Some(truth) = boolean(text) {
        return Ok(truth.into());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Ok(Value::Null),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf"
        | "-.Inf" | "-.INF" => Err(format!("{text} is no JSON number; quote it if it is meant as text")),
        _ => Ok(number(text).map_or_else(|| text.into(), Value::Number)),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" | "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "false" | "False" | "FALSE" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '+' | '.')) {
        return None;
    }
    let digits = text.replace('_', "");
    integer(&digits).or_else(|| float(&digits))
}

fn integer(text: &str) -> Option<Number> {
    let (negative, magnitude) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = parse_based(magnitude)?;
    match negative {
        false => Some(magnitude.into()),
        true => 0i64.checked_sub_unsigned(magnitude).map(Number::from),
    }
}

fn parse_based(text: &str) -> Option<u64> {
    let (radix, digits) = match text.get(..2) {
        Some("0x" | "0X") => (16, &text[2..]),
        Some("0b" | "0B") => (2, &text[2..]),
        Some("0o" | "0O") => (8, &text[2..]),
        Some(two) if two.starts_with('0') => (8, &text[1..]),
        _ => (10, text),
    };
    // from_str_radix takes a sign, which has been read already.
    digits
        .starts_with(|first: char| first.is_digit(radix))
        .then(|| u64::from_str_radix(digits, radix).ok())?
}

fn float(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mantissa = unsigned.split(['e', 'E']).next()?;
    let shaped = mantissa.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && mantissa != ".";
    let value: f64 = text.parse().ok().filter(|_| shaped)?;
    // JSON written by Go has no fraction for an integral number; integers beyond 2^53 are not exact anyway.
    if value.fract() == 0.0 && value.abs() < 9e15 {
        #[expect(clippy::cast_possible_truncation, reason = "integral and below 2^53")]
        return Some((value as i64).into());
    }
    Number::from_f64(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bare_words_mean_what_kubernetes_takes_them_for() {
        let table = [
            ("on", json!(true)),
            ("n", json!(false)),
            ("False", json!(false)),
            ("~", Value::Null),
            ("", Value::Null),
            ("010", json!(8)),
            ("0x1F", json!(31)),
            ("-0b11", json!(-3)),
            ("1_000", json!(1000)),
            ("08", json!(8)),
            ("1.0", json!(1)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("1e3", json!(1000)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.40.0", json!("1.40.0")),
            ("2026-01-01", json!("2026-01-01")),
            ("12:30", json!("12:30")),
            ("-", json!("-")),
            ("--5", json!("--5")),
            ("0x", json!("0x")),
            ("0o9", json!("0o9")),
            (".", json!(".")),
            ("inf", json!("inf")),
            ("1infinity", json!("1infinity")),
            ("oN", json!("oN")),
        ];
        for (text, value) in table {
            assert_eq!(resolve(text, true, None).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn quotes_and_the_string_tag_keep_text() {
        assert_eq!(resolve("on", false, None).unwrap(), json!("on"));
        assert_eq!(resolve("010", true, Some(Tag::Str)).unwrap(), json!("010"));
    }

    #[test]
    fn what_json_cannot_say_is_refused() {
        assert!(resolve(".inf", true, None).is_err());
        assert!(resolve("text", true, Some(Tag::Int)).is_err());
        assert_eq!(resolve("8", false, Some(Tag::Int)).unwrap(), json!(8));
    }

    #[test]
    fn only_words_that_yaml_1_2_reads_as_text_surprise() {
        assert!(is_surprising("off") && is_surprising("y"));
        assert!(!is_surprising("true") && !is_surprising("of"));
    }
}
