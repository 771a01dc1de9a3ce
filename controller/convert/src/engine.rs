//! The filter's own word on what was written.

use ferrule_kit::ConfigError;
use ferrule_transformation::Transformation;
use serde_json::{Value, json};

/// Compiles a template as the filter will.
///
/// # Errors
/// Says what is wrong with it.
pub(crate) fn check(template: &str) -> Result<(), ConfigError> {
    if template.is_empty() {
        return Ok(());
    }
    compile(&json!({"request": {"set": [{"name": "x", "value": template}]}}))
}

/// Compiles a configuration of the filter.
///
/// # Errors
/// Names the field and says what is wrong with it.
pub(crate) fn compile(config: &Value) -> Result<(), ConfigError> {
    ferrule_kit::compile::<Transformation>(config.to_string().as_bytes()).map(drop)
}
