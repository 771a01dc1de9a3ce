//! Rewrites headers, bodies and metadata of requests and responses by templates.

mod config;

pub use config::{
    BodyTransformation, Config, HeaderTransformation, MetadataTransformation, MetadataValue, ParseAs, Transform,
};
use ferrule_kit::{ConfigError, Filter};

/// The filter: a compiled [`Config`].
#[derive(Debug)]
pub struct Transformation;

impl Filter for Transformation {
    const NAME: &'static str = "transformation";

    type Config = Config;
    type Stream = ();

    fn compile(_: Config) -> Result<Self, ConfigError> {
        Ok(Self)
    }
}
