//! `spec.transformation`: the transformation filter.

use serde_json::Value;

use super::{Fault, Policy};
use crate::api::traffic_policy::TrafficPolicySpec;

pub(super) struct Transformation;

impl Policy for Transformation {
    fn filter(&self) -> &'static str {
        <ferrule_transformation::Transformation as ferrule_kit::Filter>::NAME
    }

    fn compile(&self, spec: &TrafficPolicySpec) -> Option<Result<Value, Fault>> {
        let json = spec.transformation.as_ref()?;
        let compiled =
            ferrule_kit::compile::<ferrule_transformation::Transformation>(json.to_string().as_bytes());
        Some(match compiled {
            Ok(_) => Ok(json.clone()),
            Err(error) if error.field.is_empty() => Err(("spec.transformation".to_owned(), error.reason)),
            Err(error) => Err((format!("spec.transformation.{}", error.field), error.reason)),
        })
    }
}
