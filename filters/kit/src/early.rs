//! Edits of a request's header section before the proxy looks for its route; on native hosts only.

use serde::de::DeserializeOwned;

use crate::filter::parse;
use crate::{ConfigError, Octets};

/// The header section of a request that has no route yet.
pub trait RequestHead {
    /// The first field line of that name.
    fn field(&self, name: &str) -> Option<Octets<'_>>;

    /// Replaces all field lines of that name by one.
    fn set_field(&mut self, name: &str, value: &[u8]);
}

/// Edits the header section of every request of a listener, before routing and before any filter. Shared by all workers.
pub trait Early: Send + Sync + Sized + 'static {
    /// `early_header_mutation_name` in Envoy's configuration.
    const NAME: &'static str;

    /// Configuration as written; strict, so an unknown field is an error.
    type Config: DeserializeOwned;

    /// Compiles a configuration once.
    ///
    /// # Errors
    /// Names the field and says what is wrong with it.
    fn compile(config: Self::Config) -> Result<Self, ConfigError>;

    /// A request has come.
    fn edit(&self, request: &mut dyn RequestHead);

    /// A filter has changed the header section and is about to have the route selected anew.
    fn edit_again(request: &mut dyn RequestHead) {
        let _ = request;
    }
}

/// Parses and compiles JSON configuration; no bytes at all mean `{}`.
///
/// # Errors
/// Names the field and says what is wrong with it.
pub fn compile_early<E: Early>(json: &[u8]) -> Result<E, ConfigError> {
    E::compile(parse(json)?)
}
