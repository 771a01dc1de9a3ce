//! Values as filter state, which is bytes: Envoy lets wasm set that, and no dynamic metadata.

use std::borrow::Cow;

use ferrule_kit::{Octets, Value};

/// Integers up to here are exact as a number of metadata (IEEE 754 binary64).
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A text as it is, a number or truth value as its text, a list or struct as JSON text.
pub fn of<'a>(value: &'a Value<'_>) -> Octets<'a> {
    match value {
        Value::Text(text) => Cow::Borrowed(text),
        value => json(value).to_string().into_bytes().into(),
    }
}

/// What JSON has no words for is null; text that is not UTF-8 gets replacement characters.
fn json(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::Text(text) => String::from_utf8_lossy(text).into(),
        Value::Int(number) => (*number).into(),
        #[allow(clippy::cast_possible_truncation, reason = "exact, as the guard says")]
        Value::Number(number) if number.fract() == 0.0 && number.abs() <= EXACT => (*number as i64).into(),
        Value::Number(number) => (*number).into(),
        Value::Bool(truth) => (*truth).into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(members) => members.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
        Value::Null => serde_json::Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_value_has_its_text() {
        let text = |value: Value<'_>| String::from_utf8(of(&value).into_owned()).unwrap();
        assert_eq!(*of(&Value::Text(b"\xff".into())), *b"\xff");
        assert_eq!([text(Value::Int(-7)), text(Value::Bool(true))], ["-7", "true"]);
        let numbers = [3.0, -0.5, 0.1, f64::NAN].map(|number| text(Value::Number(number)));
        assert_eq!(numbers, ["3", "-0.5", "0.1", "null"]);
        let map = Value::Map(vec![("k".to_owned(), Value::Null)]);
        let list = Value::List(vec!["a\"b".into(), Value::Number(2.0), Value::List(vec![]), map]);
        assert_eq!(text(list), r#"["a\"b",2,[],{"k":null}]"#);
    }
}
