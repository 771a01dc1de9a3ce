//! Secrets that a listener's configuration follows: Envoy subscribes to them once and keeps them up to date.

use ferrule_abi::{ConfigPtr, EnvoyBuffer, FilterPtr};
use ferrule_kit::{ConfigError, SecretSource};

use crate::envoy;

/// Envoy's ids of secrets by their names; a handful, so they are searched in order.
#[derive(Debug)]
pub(crate) struct Secrets(Box<[(String, usize)]>);

impl Secrets {
    /// Follows each of them.
    ///
    /// # Errors
    /// Names the secret that Envoy refuses to follow.
    ///
    /// # Safety
    /// `config` is alive: `config_new` runs.
    pub(crate) unsafe fn follow(config: ConfigPtr, sources: Vec<SecretSource>) -> Result<Self, ConfigError> {
        // SAFETY: the caller vouches for the configuration.
        let followed = sources.into_iter().map(|source| unsafe { follow(config, source) });
        Ok(Self(followed.collect::<Result<_, _>>()?))
    }

    /// What the secret `name` is now; `None` where it is not followed or has not come.
    ///
    /// # Safety
    /// `filter` is alive for `'a`, which ends before the hook does.
    pub(crate) unsafe fn read<'a>(&self, filter: FilterPtr, name: &str) -> Option<&'a [u8]> {
        let (_, id) = self.0.iter().find(|(known, _)| known == name)?;
        let (envoy, mut value) = (envoy::callbacks()?, EnvoyBuffer::EMPTY);
        // SAFETY: the caller vouches for the filter, the out-parameter is ours, and Envoy changes secrets between hooks only.
        let value = unsafe {
            (envoy.http_filter_get_generic_secret)(filter, *id, &raw mut value).then(|| value.bytes())
        };
        value.filter(|value| !value.is_empty())
    }
}

/// # Safety
/// `config` is alive.
unsafe fn follow(config: ConfigPtr, source: SecretSource) -> Result<(String, usize), ConfigError> {
    let Some(envoy) = envoy::callbacks() else { return Err(ConfigError::new("", "no Envoy")) };
    let SecretSource { name, config_source } = source;
    let json = config_source.as_deref().unwrap_or_default();
    // SAFETY: the caller vouches for the configuration; name and source outlive the call.
    match unsafe {
        (envoy.http_filter_config_generic_secret_subscribe)(config, name.as_str().into(), json.into())
    } {
        0 => Err(refused(&name, json)),
        id => Ok((name, id)),
    }
}

fn refused(name: &str, source: &str) -> ConfigError {
    let why = if source.is_empty() {
        "the bootstrap has no static generic secret of that name".to_owned()
    } else {
        format!("its source is no ConfigSource that Envoy takes: {source}")
    };
    ConfigError::new("", format!("secret {name:?}: {why}"))
}
