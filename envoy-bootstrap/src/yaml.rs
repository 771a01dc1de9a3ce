//! Writes JSON values as YAML in block style for people to read.
//!
//! Strings and keys keep their JSON quotes: YAML reads a bare `n`, `on` or `1.40` as something else.

use serde_json::Value;

/// The value as a YAML document.
pub(crate) fn write(value: &Value) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

fn block(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (at, (name, value)) in fields.iter().enumerate() {
                indent(if at == 0 { 0 } else { depth }, out);
                out.push_str(&key(name));
                out.push(':');
                below(value, depth, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                indent(if at == 0 { 0 } else { depth }, out);
                out.push_str("- ");
                block(item, depth + 1, out);
            }
        }
        scalar => {
            out.push_str(&scalar.to_string());
            out.push('\n');
        }
    }
}

/// A field's value: beside its name where it is a scalar or empty, else on the lines below.
fn below(value: &Value, depth: usize, out: &mut String) {
    let nested = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if nested {
        out.push('\n');
        indent(depth + 1, out);
    } else {
        out.push(' ');
    }
    block(value, depth + 1, out);
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Field names of Envoy's API need no quotes; anything else gets them.
fn key(name: &str) -> String {
    let plain = name.len() > 1 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if plain && !matches!(name, "on" | "off" | "yes" | "no" | "true" | "false" | "null") {
        name.to_owned()
    } else {
        Value::from(name).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn nesting_shows_as_blocks_and_strings_keep_their_quotes() {
        let value = json!({"node": {"id": "n"}, "list": [{"a_b": 1, "on": []}, "x\ny"], "@type": null});
        let yaml = "node:\n  id: \"n\"\nlist:\n  - a_b: 1\n    \"on\": []\n  - \"x\\ny\"\n\"@type\": null\n";
        assert_eq!(super::write(&value), yaml);
    }
}
