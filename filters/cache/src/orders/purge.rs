//! Purges by order.

use std::sync::Arc;

use ferrule_kit::ConfigError;
use serde::Deserialize;

use crate::Compiled;
use crate::policy::key::url_key;
use crate::policy::uri::Uri;
use crate::storage::Shared;
use crate::store::Purge;

/// What is to go: all that one of its parts is about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeOrder {
    /// URLs, with scheme and host.
    #[serde(default)]
    pub urls: Vec<String>,
    /// Beginnings of URLs.
    #[serde(default)]
    pub prefixes: Vec<String>,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// It is marked stale instead.
    #[serde(default)]
    pub soft: bool,
}

impl PurgeOrder {
    pub(super) fn check(&self, field: &str) -> Result<(), ConfigError> {
        let is_empty = self.urls.is_empty() && self.prefixes.is_empty() && self.tags.is_empty();
        if is_empty || self.tags.iter().any(String::is_empty) {
            return Err(ConfigError::new(field, "names nothing, or an empty tag"));
        }
        let urls = self.urls.iter().enumerate().map(|(at, url)| (format!("urls[{at}]"), url));
        let prefixes = self.prefixes.iter().enumerate().map(|(at, url)| (format!("prefixes[{at}]"), url));
        urls.chain(prefixes).try_for_each(|(at, url)| uri(&format!("{field}.{at}"), url).map(drop))
    }

    /// Says how many responses were purged.
    pub(super) fn carry_out(&self, live: &[Arc<Compiled>]) -> usize {
        let mut purges: Vec<(&Arc<Shared>, Purge)> = Vec::new();
        for compiled in live {
            for purge in self.purges(compiled) {
                let is_it = |(storage, known): &&(&Arc<Shared>, Purge)| {
                    Arc::ptr_eq(storage, &compiled.storage) && *known == purge
                };
                if purges.iter().find(is_it).is_none() {
                    purges.push((&compiled.storage, purge));
                }
            }
        }
        purges.iter().map(|(storage, purge)| storage.purge(purge, self.soft)).sum()
    }

    /// In terms of a configuration's keys.
    fn purges(&self, compiled: &Compiled) -> impl Iterator<Item = Purge> {
        let key = |url: &String| Uri::parse(url).map(|uri| url_key(&uri, &compiled.key_rules));
        let urls = self.urls.iter().filter_map(key).map(Purge::Url);
        let prefixes = self.prefixes.iter().filter_map(key).map(Purge::Prefix);
        let tags = self.tags.iter().map(|tag| Purge::Tag(tag.clone().into_bytes()));
        urls.chain(prefixes).chain(tags)
    }
}

/// # Errors
/// It is no absolute URL of http or https.
pub(super) fn uri(field: &str, url: &str) -> Result<Uri, ConfigError> {
    Uri::parse(url).ok_or_else(|| {
        ConfigError::new(field, format!("`{url}` is no URL with scheme (http or https) and host"))
    })
}
