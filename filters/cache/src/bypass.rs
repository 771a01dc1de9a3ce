//! Matchers of requests: which of them pass the cache by, and which may purge.

use ferrule_kit::ConfigError;
use serde::Deserialize;

use crate::config::name_of;
use crate::policy::field::Section;

/// Conditions that all hold for a request; at least one is given.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Matcher {
    /// The method, as it is.
    #[serde(default)]
    pub method: Option<String>,
    /// What the path begins with.
    #[serde(default)]
    pub path_prefix: Option<String>,
    /// A field.
    #[serde(default)]
    pub header: Option<HeaderMatcher>,
    /// The name of a cookie that is there.
    #[serde(default)]
    pub cookie: Option<String>,
}

/// A condition on a field.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct HeaderMatcher {
    /// Its name.
    pub name: String,
    /// Its whole value; any if not given.
    #[serde(default)]
    pub value: Option<String>,
}

impl Matcher {
    /// # Errors
    /// Says what is wrong, at `field`.
    pub(crate) fn compile(mut self, field: &str) -> Result<Self, ConfigError> {
        let is_empty = self.method.is_none() && self.path_prefix.is_none();
        if is_empty && self.header.is_none() && self.cookie.is_none() {
            return Err(ConfigError::new(field, "says nothing, so that it would hold for all requests"));
        }
        if let Some(header) = &mut self.header {
            header.name = name_of(&format!("{field}.header.name"), &header.name)?;
        }
        Ok(self)
    }

    /// Whether all conditions hold.
    pub(crate) fn holds(&self, method: &[u8], path: &[u8], request: &(impl Section + ?Sized)) -> bool {
        let is_method = self.method.as_ref().is_none_or(|wanted| wanted.as_bytes() == method);
        let is_path = self.path_prefix.as_ref().is_none_or(|prefix| path.starts_with(prefix.as_bytes()));
        let has_header = self.header.as_ref().is_none_or(|header| header.holds(request));
        is_method
            && is_path
            && has_header
            && self.cookie.as_ref().is_none_or(|name| has_cookie(request, name))
    }
}

impl HeaderMatcher {
    fn holds(&self, request: &(impl Section + ?Sized)) -> bool {
        request.combined(&self.name).is_some_and(|value| {
            self.value.as_ref().is_none_or(|wanted| crate::policy::field::trim(&value) == wanted.as_bytes())
        })
    }
}

fn has_cookie(request: &(impl Section + ?Sized), name: &str) -> bool {
    let is = |pair: &[u8]| {
        let pair = crate::policy::field::trim(pair);
        pair.strip_prefix(name.as_bytes()).is_some_and(|rest| matches!(rest.first(), None | Some(b'=')))
    };
    request.values("cookie").iter().any(|line| line.split(|byte| *byte == b';').any(is))
}
