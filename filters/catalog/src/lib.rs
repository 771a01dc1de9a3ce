//! The one list of Ferrule's filters.
//!
//! Invariant: a filter that is not in [`filters!`] is in no module, native or wasm, and one that is, is in both.

pub use ferrule_aws_signing::AwsSigning;
pub use ferrule_cache::Cache;
pub use ferrule_lambda::Lambda;
pub use ferrule_transformation::Transformation;

/// Hands the types of all filters to the macro named, such as the `export!` of an adapter.
///
/// To add a filter, re-export its type above and add a line here.
#[macro_export]
macro_rules! filters {
    ($($then:ident)::+) => {
        $($then)::+! {
            $crate::Transformation,
            $crate::Lambda,
            $crate::AwsSigning,
            $crate::Cache,
        }
    };
}
