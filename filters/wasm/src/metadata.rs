//! Reads one key out of a serialized `envoy.config.core.v3.Metadata`.
//!
//! Envoy shows a single value of metadata as bare bytes, eight of which may be a number or a text. So the whole message
//! is asked for, whose wire format (protobuf.dev, "Encoding") tells types apart.
//!
//! Invariant: bytes that are no such message read as nothing; none make this panic.

use ferrule_kit::Value;

/// `filter_metadata` of `Metadata`, `fields` of `Struct`, `values` of `ListValue`.
const ENTRIES: u64 = 1;
/// Of an entry of a map.
const KEY: u64 = 1;
/// Of an entry of a map.
const VALUE: u64 = 2;

/// The kinds of `google.protobuf.Value`.
mod kind {
    pub(super) const NUMBER: u64 = 2;
    pub(super) const TEXT: u64 = 3;
    pub(super) const TRUTH: u64 = 4;
    pub(super) const LIST: u64 = 6;
}

/// The value under `key`; `None` where there is none, or one that is neither text, number, truth value nor list.
pub fn find(metadata: &[u8], namespace: &str, key: &str) -> Option<Value<'static>> {
    entry(entry(metadata, namespace)?, key).and_then(value)
}

/// What a map holds under `key`; of repeated entries the last one counts.
fn entry<'a>(map: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let entries = bytes_of(map, ENTRIES);
    let ours = entries.filter(|entry| bytes_of(entry, KEY).last().unwrap_or_default() == key.as_bytes());
    ours.last().map(|entry| bytes_of(entry, VALUE).last().unwrap_or_default())
}

fn value(message: &[u8]) -> Option<Value<'static>> {
    match fields(message).last()? {
        (kind::NUMBER, Wire::Fixed64(bits)) => Some(Value::Number(f64::from_bits(bits))),
        (kind::TEXT, Wire::Bytes(text)) => Some(Value::Text(text.to_vec().into())),
        (kind::TRUTH, Wire::Varint(truth)) => Some(Value::Bool(truth != 0)),
        (kind::LIST, Wire::Bytes(list)) => {
            Some(Value::List(bytes_of(list, ENTRIES).filter_map(scalar).collect()))
        }
        _ => None,
    }
}

/// An item of a list; lists of lists are not shown, as in a dynamic module.
fn scalar(message: &[u8]) -> Option<Value<'static>> {
    value(message).filter(|value| !matches!(value, Value::List(_)))
}

fn bytes_of(message: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    fields(message).filter_map(move |(found, wire)| match wire {
        Wire::Bytes(bytes) if found == number => Some(bytes),
        _ => None,
    })
}

enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// The fields of a message in order, up to the first that is malformed.
fn fields(mut rest: &[u8]) -> impl Iterator<Item = (u64, Wire<'_>)> {
    std::iter::from_fn(move || {
        let tag = varint(&mut rest)?;
        let wire = match tag & 7 {
            0 => Wire::Varint(varint(&mut rest)?),
            1 => Wire::Fixed64(u64::from_le_bytes(*take(&mut rest, 8)?.first_chunk()?)),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                Wire::Bytes(take(&mut rest, length)?)
            }
            5 => take(&mut rest, 4).map(|_| Wire::Fixed32)?,
            _ => return None,
        };
        Some((tag >> 3, wire))
    })
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len() % 128).unwrap();
        let length = [length | 0x80, u8::try_from(content.len() / 128).unwrap()];
        [&[number << 3 | 2], &length[..], content].concat()
    }

    fn pair(key: &str, value: &[u8]) -> Vec<u8> {
        bytes(1, &[bytes(1, key.as_bytes()), bytes(2, value)].concat())
    }

    fn number(number: f64) -> Vec<u8> {
        [&[0x11][..], &number.to_le_bytes()].concat()
    }

    fn text(text: &str) -> Value<'static> {
        Value::Text(text.as_bytes().to_vec().into())
    }

    fn metadata() -> Vec<u8> {
        let list = [bytes(1, &bytes(3, b"x")), bytes(1, &number(2.0)), bytes(1, &bytes(6, b""))].concat();
        let values = [
            pair("text", &bytes(3, b"12345678")),
            pair("number", &number(1.5)),
            pair("yes", &[0x20, 1]),
            pair("no", &[0x20, 0]),
            pair("null", &[0x08, 0]),
            pair("map", &bytes(5, b"")),
            pair("list", &bytes(6, &list)),
            pair("", &bytes(3, b"unnamed")),
        ];
        [pair("other", b""), pair("ours", &values.concat())].concat()
    }

    #[test]
    fn each_kind_of_value_is_told_from_the_others() {
        let metadata = metadata();
        let read = |key| find(&metadata, "ours", key);
        assert_eq!(read("text"), Some(text("12345678")));
        assert_eq!(read("number"), Some(Value::Number(1.5)));
        assert_eq!((read("yes"), read("no")), (Some(Value::Bool(true)), Some(Value::Bool(false))));
        assert_eq!(read("list"), Some(Value::List(vec![text("x"), Value::Number(2.0)])));
        assert_eq!(read(""), Some(text("unnamed")));
        assert_eq!((read("null"), read("map"), read("none")), (None, None, None));
        assert_eq!(find(&metadata, "theirs", "text"), None);
        assert_eq!(find(&metadata, "other", "text"), None);
    }

    #[test]
    fn malformed_bytes_read_as_nothing() {
        let whole = metadata();
        for length in 0..whole.len() {
            let _ = find(&whole[..length], "ours", "list");
        }
        let longer_than_it_is = [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let endless = [0x80; 12];
        let group = [0x0b];
        for malformed in [&longer_than_it_is[..], &endless, &group] {
            assert_eq!(find(malformed, "ours", "text"), None);
        }
    }
}
