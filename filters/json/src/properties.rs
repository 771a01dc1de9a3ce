//! Our reading of JSON beside `serde_json`'s.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn value(node: Node<'_>) -> Value {
    match node.kind() {
        Kind::Array => node.elements().map(value).collect(),
        Kind::Object => Value::Object(
            node.members().map(|(key, node)| (key.text().unwrap().into_owned(), value(node))).collect(),
        ),
        Kind::String(raw) => unescape(raw).unwrap().into(),
        // Floats as Rust reads them: serde_json's reading may be off by a hair.
        Kind::Number(text) if text.contains(['.', 'e', 'E']) => text.parse::<f64>().unwrap().into(),
        _ => serde_json::from_str(node.text()).unwrap(),
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn documents_read_as_serde_json_reads_them(json in json(), pretty: bool) {
        let text = if pretty { format!("{json:#}") } else { json.to_string() };
        let document = Document::parse(text.as_bytes(), &[]).unwrap();
        prop_assert_eq!(value(document.root()), json);
    }

    #[test]
    fn texts_are_refused_as_serde_json_refuses_them(text in r#"[\[\]{}:,"0-9eE.+\\nulltrefasu \n-]{0,16}"#) {
        let ours = Document::parse(text.as_bytes(), &[]).is_ok();
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert_eq!(ours, theirs, "{}", text);
    }

    #[test]
    fn members_that_are_asked_for_read_the_same_as_in_the_whole(json in json(), name: String) {
        let json = Value::Object([("first".to_owned(), json.clone()), (name.clone(), json)].into_iter().collect());
        let text = json.to_string();
        let document = Document::parse(text.as_bytes(), std::slice::from_ref(&name)).unwrap();
        prop_assert_eq!(value(document.member(0).unwrap()), json[&name].clone());
    }

    #[test]
    fn texts_survive_escaping(text: String) {
        let mut escaped = Vec::new();
        write_string(&text, &mut escaped);
        let escaped = String::from_utf8(escaped).unwrap();
        let unescaped = unescape(&escaped).unwrap();
        prop_assert_eq!(&*unescaped, &*text);
        prop_assert_eq!(serde_json::from_str::<String>(&format!("\"{escaped}\"")).unwrap(), text);
    }
}
