//! Names of fields as CEL writes them (`k8s.io/apiserver/pkg/cel.Escape`).

use std::borrow::Cow;

/// CEL's reserved words that are legal names of fields.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// The name by which rules know a field.
pub(super) fn escape(name: &str) -> Cow<'_, str> {
    if RESERVED.contains(&name) {
        return format!("__{name}__").into();
    }
    if !name.contains("__") && !name.contains(['.', '-', '/']) {
        return name.into();
    }
    let escaped = name.replace("__", "__underscores__");
    escaped.replace('.', "__dot__").replace('-', "__dash__").replace('/', "__slash__").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_api_server() {
        for (name, escaped) in [
            ("namespace", "__namespace__"),
            ("while", "__while__"),
            ("a-b", "a__dash__b"),
            ("a.b/c", "a__dot__b__slash__c"),
            ("my_field", "my_field"),
            ("my__field", "my__underscores__field"),
            ("int", "int"),
        ] {
            assert_eq!(escape(name), escaped);
        }
    }
}
