//! What a configuration gives its templates besides messages: secrets and texts by name.

use std::collections::BTreeMap;

use ferrule_kit::{ConfigError, SecretSource};

use crate::config::{DataSource, Secret};
use crate::template::Source;

/// A name that a template gives to `secret()` or `data_source()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) field: String,
    pub(crate) source: Source,
    pub(crate) name: String,
}

/// Names and what they stand for.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    /// Names in Envoy's secret discovery service (SDS).
    pub(crate) secrets: BTreeMap<String, String>,
    /// Texts.
    pub(crate) data_sources: BTreeMap<String, String>,
    sources: Vec<SecretSource>,
}

impl Surroundings {
    /// Takes what was written.
    pub(crate) fn new(secrets: BTreeMap<String, Secret>, data_sources: BTreeMap<String, DataSource>) -> Self {
        let named = |(name, secret): (String, Secret)| {
            let sds_name = secret.sds_name.filter(|known| !known.is_empty()).unwrap_or_else(|| name.clone());
            let config_source = secret.sds_config.map(|config| config.to_string());
            (name, SecretSource { name: sds_name, config_source })
        };
        let secrets: Vec<_> = secrets.into_iter().map(named).collect();
        Self {
            secrets: secrets.iter().map(|(name, source)| (name.clone(), source.name.clone())).collect(),
            data_sources: data_sources.into_iter().map(|(name, source)| (name, source.inline)).collect(),
            sources: secrets.into_iter().map(|(_, source)| source).collect(),
        }
    }

    /// The secrets that hosts must have at hand.
    pub(crate) fn sources(&self) -> &[SecretSource] {
        &self.sources
    }

    /// Checks that what a template names is there.
    ///
    /// # Errors
    /// Names the template and what it names.
    pub(crate) fn check(&self, used: &Use) -> Result<(), ConfigError> {
        let (known, kind, field) = match used.source {
            Source::Secret => (self.secrets.contains_key(&used.name), "secret", "secrets"),
            Source::Data => (self.data_sources.contains_key(&used.name), "data source", "dataSources"),
            Source::Extractor => return Ok(()),
        };
        if known {
            return Ok(());
        }
        let reason = format!("no {kind} is called `{}`; `{field}` names them", used.name);
        Err(ConfigError::new(&used.field, reason))
    }
}
