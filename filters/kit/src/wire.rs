//! What hosts do to an edit before Envoy gets it, which checks nothing: bytes that would end a field line, and answers that no
//! client could read, must not leave a filter by mistake.

use std::borrow::Cow;

use crate::{Octets, Opening, Response};

/// The value with each CR, LF and NUL replaced by a blank (RFC 9110 §5.5).
pub fn field_value(value: &[u8]) -> Octets<'_> {
    let breaks = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
    // No early end: so the compiler looks at many bytes at a time.
    if !value.iter().fold(false, |found, byte| found | breaks(byte)) {
        return Cow::Borrowed(value);
    }
    value.iter().map(|byte| if breaks(byte) { b' ' } else { *byte }).collect::<Vec<_>>().into()
}

/// Whether a text is the name of a field: a token (RFC 9110 §5.1, §5.6.2).
pub fn is_field_name(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(token)
}

/// The answer with a status that ends an exchange, 500 where it is none (RFC 9110 §15), values as of [`field_value`], and no
/// body where there may be none (RFC 9110 §6.4.1).
pub(crate) fn answer(mut response: Response) -> Response {
    if !(200..=599).contains(&response.status) {
        response.status = 500;
    }
    if matches!(response.status, 204 | 304) {
        response.body.clear();
    }
    for (_, value) in &mut response.fields {
        if let Cow::Owned(replaced) = field_value(value) {
            *value = replaced;
        }
    }
    response
}

/// The same for an answer whose body follows.
pub(crate) fn opening(mut opening: Opening) -> Opening {
    if !(200..=599).contains(&opening.status) {
        opening.status = 500;
    }
    opening.end |= matches!(opening.status, 204 | 304);
    for (_, value) in &mut opening.fields {
        if let Cow::Owned(replaced) = field_value(value) {
            *value = replaced;
        }
    }
    opening
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_end_its_line() {
        assert_eq!(field_value(b"a\r\nx-b: 1\0"), &b"a  x-b: 1 "[..]);
        assert!(matches!(field_value(b"\tplain \xff"), Cow::Borrowed(_)));
    }

    #[test]
    fn names_of_fields_are_tokens() {
        assert!(["a", "X-A_1", "!#$%&'*+-.^_`|~"].into_iter().all(is_field_name));
        assert!(!["", "a b", ":path", "a\r", "é"].into_iter().any(is_field_name));
    }

    #[test]
    fn an_answer_is_one_that_clients_can_read() {
        let answered = |status: u16| {
            let fields = vec![("x-a".to_owned(), b"1\n2".to_vec())];
            let response = answer(Response { status, fields, body: b"body".to_vec(), ..Response::default() });
            assert_eq!(response.fields[0].1, b"1 2");
            (response.status, response.body.len())
        };
        assert_eq!([0, 101, 600].map(answered), [(500, 4); 3]);
        assert_eq!([200, 599].map(answered), [(200, 4), (599, 4)]);
        assert_eq!([204, 304].map(answered), [(204, 0), (304, 0)]);
    }
}
