//! Whether a filter's README says what its configuration is.
//!
//! For tests: what is wrong is told by a panic.

use ferrule_kit::{Filter, compile};
use serde_json::Value;

/// Every field of the filter's configuration has a row in a table of its README.
///
/// # Panics
/// Names the field that has none.
pub fn describes_every_field<F: Filter>(readme: &str) {
    let error = compiled::<F>(&serde_json::json!({"no such field": 1})).unwrap_or_else(|error| error);
    let fields = error.split_once("expected one of ").map(|(_, fields)| fields).unwrap_or_default();
    let fields: Vec<&str> = fields.split('`').skip(1).step_by(2).collect();
    assert!(!fields.is_empty(), "the configuration has no fields: {error}");
    for field in fields {
        assert!(readme.contains(&format!("\n| `{field}` |")), "{field} is not described");
    }
}

/// Every YAML block of the README compiles as the filter's configuration, Envoy's bootstraps aside; there is one at least.
///
/// # Panics
/// Shows the block that does not, and why.
pub fn has_examples_that_compile<F: Filter>(readme: &str) {
    let blocks = readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let examples: Vec<&str> = blocks.filter(|block| !block.starts_with("node:")).collect();
    assert!(!examples.is_empty(), "the README has no examples");
    for example in examples {
        let config = serde_saphyr::from_str(example).map_err(|error| error.to_string());
        let refused = config.and_then(|config| compiled::<F>(&config)).err();
        assert_eq!(refused, None, "{example}");
    }
}

fn compiled<F: Filter>(config: &Value) -> Result<String, String> {
    let filter = compile::<F>(config.to_string().as_bytes());
    filter.map(|_| "it compiles".to_owned()).map_err(|error| error.to_string())
}
