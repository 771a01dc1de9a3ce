//! Writes a `google.protobuf.Struct` of one key (protobuf.dev, "Encoding"), as Envoy takes metadata that is no scalar.

use ferrule_kit::Value;

/// Wire types.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;

/// `fields` of `Struct`, `values` of `ListValue`, the key of a map's entry.
const FIRST: u8 = 1;
/// The value of a map's entry.
const VALUE: u8 = 2;

/// The kinds of `google.protobuf.Value`.
mod kind {
    pub(super) const NULL: u8 = 1;
    pub(super) const NUMBER: u8 = 2;
    pub(super) const TEXT: u8 = 3;
    pub(super) const TRUTH: u8 = 4;
    pub(super) const STRUCT: u8 = 5;
    pub(super) const LIST: u8 = 6;
}

/// `{key: value}`. Text that is not UTF-8 gets replacement characters: Envoy takes no message with any other.
pub(crate) fn with(key: &str, value: &Value<'_>) -> Vec<u8> {
    let entry = [bytes(FIRST, key.as_bytes()), bytes(VALUE, &message(value))].concat();
    bytes(FIRST, &entry)
}

/// A `google.protobuf.Value`.
fn message(value: &Value<'_>) -> Vec<u8> {
    match value {
        Value::Text(text) => bytes(kind::TEXT, String::from_utf8_lossy(text).as_bytes()),
        #[allow(clippy::cast_precision_loss, reason = "metadata has no other numbers")]
        Value::Int(integer) => number(*integer as f64),
        Value::Number(double) => number(*double),
        Value::Bool(truth) => vec![tag(kind::TRUTH, VARINT), u8::from(*truth)],
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(|item| bytes(FIRST, &message(item))).collect();
            bytes(kind::LIST, &items.concat())
        }
        Value::Map(members) => {
            let members: Vec<_> = members.iter().map(|(key, value)| with(key, value)).collect();
            bytes(kind::STRUCT, &members.concat())
        }
        Value::Null => vec![tag(kind::NULL, VARINT), 0],
    }
}

fn number(number: f64) -> Vec<u8> {
    [&[tag(kind::NUMBER, FIXED64)][..], &number.to_le_bytes()].concat()
}

fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    let mut message = vec![tag(field, BYTES)];
    let mut length = content.len();
    while length >= 0x80 {
        message.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    message.push(length as u8);
    message.extend_from_slice(content);
    message
}

fn tag(field: u8, wire: u8) -> u8 {
    field << 3 | wire
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_written_as_protobuf_says() {
        let list = Value::List(vec!["a".into(), Value::Int(1), Value::Bool(true), Value::List(vec![])]);
        let items = [
            &[0x0a, 3, 0x1a, 1, b'a'][..],
            &[0x0a, 9, 0x11, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
            &[0x0a, 2, 0x20, 1],
            &[0x0a, 2, 0x32, 0],
        ]
        .concat();
        let value = [&[0x32, u8::try_from(items.len()).unwrap()][..], &items].concat();
        let entry = [&[0x0a, 1, b'k', 0x12, u8::try_from(value.len()).unwrap()][..], &value].concat();
        let whole = [&[0x0a, u8::try_from(entry.len()).unwrap()][..], &entry].concat();
        assert_eq!(with("k", &list), whole);
    }

    #[test]
    fn a_struct_is_written_as_protobuf_says() {
        let map = Value::Map(vec![("a".to_owned(), Value::Null), ("b".to_owned(), Value::Bool(true))]);
        let members = [0x0a, 7, 0x0a, 1, b'a', 0x12, 2, 0x08, 0, 0x0a, 7, 0x0a, 1, b'b', 0x12, 2, 0x20, 1];
        assert_eq!(message(&map), [&[0x2a, 18][..], &members].concat());
    }

    #[test]
    fn lengths_of_more_than_a_byte_and_text_that_is_not_utf8_are_written() {
        let text = Value::Text(vec![b'x'; 300].into());
        assert_eq!(message(&text)[..3], [0x1a, 0xac, 0x02]);
        assert_eq!(message(&Value::Text(b"\xff".to_vec().into())), [0x1a, 3, 0xef, 0xbf, 0xbd]);
    }
}
