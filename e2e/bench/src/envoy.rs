//! One Envoy with one worker, for as long as a measurement lasts.

use std::time::Duration;

use anyhow::Result;
use envoy_bootstrap::{Envoy, Launch};
use serde_json::{Value, json};

/// Starts the pinned Envoy with `bootstrap` plus an admin interface, and waits until it serves.
///
/// # Errors
/// Envoy cannot be fetched or refuses the bootstrap.
pub(crate) fn start(bootstrap: &Value) -> Result<Envoy> {
    let mut bootstrap = bootstrap.clone();
    bootstrap["admin"] = json!({"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}});
    let mut launch = Launch::new(envoy_bootstrap::fetch()?, bootstrap.to_string());
    launch.concurrency = Some(1);
    launch.log_level = "error".to_owned();
    let envoy = launch.spawn()?;
    envoy.wait_until_ready(Duration::from_secs(30))?;
    Ok(envoy)
}
