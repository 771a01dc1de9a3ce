//! `ferrule cache` on the command line.

use std::time::Duration;

use clap::{Args, Subcommand};
use envoy_bootstrap::Address;

use super::{DEFAULT_ADMIN, Notation, seconds};

/// What `ferrule cache` can do.
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Remove what is stored for URLs, beginnings of URLs or tags. Exit code 0 all proxies have answered, 1 some are missing,
    /// 2 the controller could not be asked
    Purge(PurgeArgs),
    /// Explain what is stored for a URL, and what a request would get of it and why. Exit code 0 all proxies have answered,
    /// 1 some are missing, 2 the controller could not be asked
    Inspect(InspectArgs),
}

/// Whom orders to caches go to.
#[derive(Debug, Args)]
pub struct CacheArgs {
    /// Only what this CachePolicy stores: NAMESPACE/NAME
    #[arg(long, value_name = "NAME", conflicts_with = "storage")]
    pub(crate) policy: Option<String>,
    /// Only what is in the storage that CachePolicies of a namespace share: NAMESPACE/NAME
    #[arg(long, value_name = "NAME")]
    pub(crate) storage: Option<String>,
    /// How long proxies may take to answer
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Print what proxies answer as data [default: for people]
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Notation>,
    /// Where the controller's admin interface listens
    #[arg(long, value_name = "ADDRESS", default_value = DEFAULT_ADMIN, env = "FERRULE_ADMIN")]
    pub(crate) admin: Address,
}

/// Arguments of `ferrule cache purge`.
#[derive(Debug, Args)]
pub struct PurgeArgs {
    /// URLs, with scheme and host as clients have them
    #[arg(value_name = "URL")]
    pub(crate) urls: Vec<String>,
    /// Also all URLs that begin so
    #[arg(long = "prefix", value_name = "URL")]
    pub(crate) prefixes: Vec<String>,
    /// Also all responses with this tag
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Mark stale instead: validated before the next use, and still there for an origin that fails
    #[arg(long)]
    pub(crate) soft: bool,
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
}

/// Arguments of `ferrule cache inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The URL, with scheme and host as clients have it
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// A header field of the request, as 'name: value'
    #[arg(long = "header", short = 'H', value_name = "FIELD")]
    pub(crate) headers: Vec<String>,
    /// The request's method
    #[arg(long, default_value = "GET")]
    pub(crate) method: String,
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
}
