//! Targeted cache-control fields (RFC 9213), of which `CDN-Cache-Control` is the one for every cache of this kind.

use super::cache_control::ResponseDirectives;
use super::field::Section;
use super::structured::{Value, dictionary};

/// The directives of the first field of the target list that is present, valid and not empty (RFC 9213 §2.2). Such a field
/// takes the place of Cache-Control and Expires.
pub fn targeted(response: &(impl Section + ?Sized), targets: &[String]) -> Option<ResponseDirectives> {
    targets.iter().find_map(|name| parse(&response.combined(name)?))
}

/// Reads one targeted field; none where it is empty or malformed, for then it MUST be ignored (RFC 9213 §2.1).
pub fn parse(field: &[u8]) -> Option<ResponseDirectives> {
    let members = dictionary(field).filter(|members| !members.is_empty())?;
    let mut read = ResponseDirectives::default();
    for (name, value) in members {
        match value {
            Value::Boolean(true) => read.take(name, None),
            // A directive that is said not to be there.
            Value::Boolean(false) => {}
            Value::Integer(number) => read.take(name, Some(number.to_string().as_bytes())),
            // Names of fields; those of a lifetime are no integer, so it cannot be read.
            Value::String(text) if name == b"private" || name == b"no-cache" => read.take(name, Some(text)),
            Value::String(_) | Value::Other => read.take(name, Some(b"?")),
        }
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::policy::cache_control::Qualified;

    #[test]
    fn directives_are_members_of_a_dictionary() {
        let read = parse(b"max-age=60, no-store=?0, private=\"x-a\", stale-if-error=5;x").unwrap();
        assert_eq!((read.max_age, read.no_store, read.stale_if_error), (Some(60), false, Some(5)));
        assert_eq!(read.private, Qualified::Fields(vec!["x-a".to_owned()]));
    }

    #[test]
    fn a_value_of_another_type_is_a_lifetime_that_cannot_be_read() {
        for field in
            ["max-age=\"60\"", "max-age=60.0", "max-age=sixty", "max-age", "max-age=-60", "max-age=(60)"]
        {
            assert_eq!(parse(field.as_bytes()).unwrap().max_age, Some(0), "{field}");
        }
    }

    #[test]
    fn an_empty_or_malformed_field_is_as_if_it_were_not_there() {
        for field in ["", " ", "max-age=60, &", "MAX-AGE=60", "max-age = 60"] {
            assert_eq!(parse(field.as_bytes()), None, "{field}");
        }
    }

    #[test]
    fn the_first_valid_field_of_the_list_counts() {
        let lines = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let response = [lines("b", "max-age=2"), lines("a", "&"), lines("b", "no-cache")];
        let targets = ["a", "b"].map(str::to_owned);
        let read = targeted(&response[..], &targets).unwrap();
        assert_eq!((read.max_age, read.no_cache), (Some(2), Qualified::All));
        assert_eq!(targeted(&response[..], &targets[..1]), None);
    }
}
