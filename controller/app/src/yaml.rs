//! YAML for people to read.

use serde::Serialize;

/// Each value as a document of its own.
///
/// # Errors
/// A value that has no form in YAML.
pub(crate) fn documents(values: &[impl Serialize]) -> anyhow::Result<String> {
    let mut text = String::new();
    for (number, value) in values.iter().enumerate() {
        if number > 0 {
            text.push_str("---\n");
        }
        text.push_str(&serde_saphyr::to_string(value)?);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn what_is_written_reads_as_what_it_was() {
        let value = json!({
            "apiVersion": "v1", "kind": "Thing", "metadata": {"name": "on"},
            "texts": ["n", "yes", "1.40", "0x1f", "null", "", " lead", "a: b", "# c", "line\nline\n", "tab\t", "- x", "é\u{1F600}"],
            "nested": [{"a": [1, -2, 1.5, true, null], "b": {}, "c": []}], "long": "word ".repeat(60).trim_end(),
        });
        let text = super::documents(&[&value, &value]).unwrap();
        for part in crate::manifest::read(&text) {
            let crate::manifest::Part::Object(manifest) = part else { panic!("{part:?}\n{text}") };
            assert_eq!(manifest.value, value, "{text}");
        }
    }
}
