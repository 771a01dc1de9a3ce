//! Configuration as written: what `CachePolicy` (`ferrule.dev/v1alpha1`) says of a route, member by member.
//!
//! Strict: an unknown field is an error.

use std::collections::BTreeMap;

use ferrule_kit::ConfigError;
use serde::Deserialize;

use crate::bypass::Matcher;
use crate::collapse::Patience;
use crate::orders::Orders;
use crate::policy::field::is_token;
use crate::policy::key::{KeyRules, QueryRules};
use crate::policy::rules::Rules;
use crate::policy::vary::Coarsening;
use crate::redis::{Redis, Secret};
use crate::storage::Bounds;
use crate::store::Limits;

/// How responses of a route are cached; `{}` is RFC 9111 and nothing else.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    /// Present, even if empty: nothing is cached here.
    #[serde(default)]
    pub disable: Option<Switch>,
    /// The name in Cache-Status (RFC 9211); `ferrule` if none is given.
    #[serde(default)]
    pub name: Option<String>,
    /// What a key consists of besides the target URI.
    #[serde(default)]
    pub key: Key,
    /// Lifetimes where the origin says none.
    #[serde(default)]
    pub ttl: Ttl,
    /// How long stale responses are served where the origin does not say.
    #[serde(default)]
    pub stale: Stale,
    /// What of RFC 9111 §5.2.1 counts: `Honour` (if none is given) or `Ignore`.
    #[serde(default)]
    pub client_directives: ClientDirectives,
    /// Targeted cache-control fields in order of precedence (RFC 9213); `CDN-Cache-Control` alone if none is given.
    #[serde(default)]
    pub targeted_fields: Option<Vec<String>>,
    /// Whether responses with Set-Cookie are stored: `Store` (if none is given) or `Skip`.
    #[serde(default)]
    pub set_cookie: SetCookie,
    /// Present, even if empty: responses to POST are stored, too, and answer requests with equal content. Only where POST asks, and
    /// changes nothing.
    #[serde(default)]
    pub post: Option<Post>,
    /// Requests that pass by, the first matcher that holds.
    #[serde(default)]
    pub bypass: Vec<Matcher>,
    /// Fields that name the tags of a response, by which it is purged; they are taken out of answers. `Surrogate-Key` and
    /// `Cache-Tag` if none are given.
    #[serde(default)]
    pub tag_fields: Option<Vec<String>>,
    /// Words of fields that select variants, by field; others are as if they were not there.
    #[serde(default)]
    pub normalize: BTreeMap<String, Vec<String>>,
    /// Who may send `PURGE`; no one if not given.
    #[serde(default)]
    pub purge: Option<Purge>,
    /// What access logs can show.
    #[serde(default)]
    pub observe: Observe,
    /// Whether the cache may make requests of its own; true if not given. Not where the route edits or decompresses responses: those to
    /// the cache's own requests come without.
    #[serde(default)]
    pub background: Option<bool>,
    /// How requests for one key wait for each other.
    #[serde(default)]
    pub collapse: Collapse,
    /// Where responses are kept.
    #[serde(default)]
    pub storage: Storage,
    /// Secrets to follow besides that of `storage.redis`: those of the listener's routes, which cannot follow their own.
    #[serde(default)]
    pub secrets: Vec<Secret>,
    /// What the controller wants every process to do once; never part of a policy.
    #[serde(default)]
    pub orders: Option<Orders>,
}

/// Something that is on by being there.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {}

/// What a key consists of.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Key {
    /// All hosts of the route share what is stored.
    #[serde(default)]
    pub ignore_host: bool,
    /// Which parameters of the query count.
    #[serde(default)]
    pub query: Query,
    /// Names of request fields that count.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Names of cookies that count.
    #[serde(default)]
    pub cookies: Vec<String>,
    /// What is stored is for requests of configurations with the same one alone. The controller gives one to routes that not the URL
    /// alone chooses.
    #[serde(default)]
    pub partition: Option<String>,
}

/// Which parameters of the query count; a final `*` in a name stands for any end.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// These alone.
    #[serde(default)]
    pub allow: Option<Vec<String>>,
    /// All but these.
    #[serde(default)]
    pub deny: Vec<String>,
    /// In any order.
    #[serde(default)]
    pub sort: bool,
}

/// Lifetimes where the origin says none, seconds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Ttl {
    /// Of responses whose status is heuristically cacheable.
    #[serde(default)]
    pub default_seconds: Option<u32>,
    /// By status.
    #[serde(default)]
    pub by_status: BTreeMap<u16, u32>,
    /// The longest that is guessed from Last-Modified; a day if not given.
    #[serde(default)]
    pub heuristic_limit_seconds: Option<u32>,
}

/// How long stale responses are served where the origin does not say, seconds.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Stale {
    /// While they are validated.
    #[serde(default)]
    pub while_revalidate_seconds: u32,
    /// When the origin fails.
    #[serde(default)]
    pub if_error_seconds: u32,
}

/// Whether Cache-Control and Pragma of requests count.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum ClientDirectives {
    /// As RFC 9111 says.
    #[default]
    Honour,
    /// As if they were not there.
    Ignore,
}

/// Whether responses with Set-Cookie are stored.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum SetCookie {
    /// As RFC 9111 §7.3 has it: the origin says what is private.
    #[default]
    Store,
    /// Never.
    Skip,
}

/// Who may send `PURGE`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purge {
    /// A request that may; all conditions of one of these hold.
    pub allow: Vec<Matcher>,
}

/// What access logs can show.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observe {
    /// Sets dynamic metadata `ferrule.cache` of each request, which costs each of them some.
    #[serde(default)]
    pub metadata: bool,
}

/// Which POSTs are answered from the store.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Post {
    /// Bytes of content that are held until all of it has come; a request with more passes by. 64 KiB if not given, and never more
    /// than Envoy buffers.
    #[serde(default)]
    pub content_bytes: Option<usize>,
}

/// How requests for one key wait for each other.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Collapse {
    /// The longest that a request waits for another's header section, milliseconds; 5,000 if not given, 0 for never.
    #[serde(default)]
    pub wait_milliseconds: Option<u64>,
    /// The most that wait for one.
    #[serde(default)]
    pub waiters: Option<usize>,
}

/// Where responses are kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Storage {
    /// Configurations that name the same storage share it, and it outlives them in a change of configuration. Without a name, it is
    /// this configuration's own.
    #[serde(default)]
    pub name: Option<String>,
    /// Bytes of memory, all told; 64 MiB if not given, and 16 MiB for each worker as wasm.
    #[serde(default)]
    pub bytes: Option<usize>,
    /// Bytes of one body; an eighth of all if not given.
    #[serde(default)]
    pub object_bytes: Option<usize>,
    /// Responses of one key, told apart by Vary; 32 if not given.
    #[serde(default)]
    pub variants: Option<usize>,
    /// A second level, which proxies share; none if not given.
    #[serde(default)]
    pub redis: Option<Redis>,
}

/// Bytes of content of a POST that are held if nothing else is said, and at most.
const CONTENT_BYTES: usize = 64 * 1024;
const MOST_CONTENT_BYTES: usize = 16 << 20;
/// Bytes of a storage that is worth it.
const LEAST_BYTES: usize = 64 * 1024;
/// Bytes for which a part of the storage of its own is worth it.
const SHARD_BYTES: usize = 1 << 20;

impl Config {
    pub(crate) fn rules(&self) -> Result<Rules, ConfigError> {
        let default = Rules::default();
        let targets =
            self.targeted_fields.as_ref().map(|names| names_of("targetedFields", names)).transpose()?;
        for status in self.ttl.by_status.keys() {
            if !(200..=599).contains(status) || *status == 206 || *status == 304 {
                return Err(ConfigError::new(
                    format!("ttl.byStatus.{status}"),
                    "no response of that status is stored",
                ));
            }
        }
        Ok(Rules {
            targets: targets.unwrap_or(default.targets),
            heuristic_limit: self.ttl.heuristic_limit_seconds.unwrap_or(default.heuristic_limit),
            ttl_by_status: self.ttl.by_status.clone(),
            default_ttl: self.ttl.default_seconds,
            stale_while_revalidate: self.stale.while_revalidate_seconds,
            stale_if_error: self.stale.if_error_seconds,
            honour_request_directives: self.client_directives == ClientDirectives::Honour,
            store_set_cookie: self.set_cookie == SetCookie::Store,
            ..default
        })
    }

    pub(crate) fn key_rules(&self) -> Result<KeyRules, ConfigError> {
        let key = &self.key;
        let query =
            QueryRules { allow: key.query.allow.clone(), deny: key.query.deny.clone(), sort: key.query.sort };
        let headers = names_of("key.headers", &key.headers)?;
        names_of("key.cookies", &key.cookies)?;
        if let Some(partition) = &key.partition {
            name_of("key.partition", partition)?;
        }
        let (cookies, partition) = (key.cookies.clone(), key.partition.clone());
        Ok(KeyRules { ignore_host: key.ignore_host, query, headers, cookies, partition })
    }

    /// Bytes of content of a POST that are held, where POSTs are answered from the store.
    pub(crate) fn content_bytes(&self) -> Result<Option<usize>, ConfigError> {
        let Some(post) = self.post else { return Ok(None) };
        let bytes = post.content_bytes.unwrap_or(CONTENT_BYTES);
        if bytes > MOST_CONTENT_BYTES {
            return Err(ConfigError::new("post.contentBytes", format!("is more than {MOST_CONTENT_BYTES}")));
        }
        Ok(Some(bytes))
    }

    pub(crate) fn tag_names(&self) -> Result<Vec<String>, ConfigError> {
        let default = || ["surrogate-key", "cache-tag"].map(str::to_owned).to_vec();
        self.tag_fields.as_ref().map_or_else(|| Ok(default()), |names| names_of("tagFields", names))
    }

    pub(crate) fn coarsening(&self) -> Result<BTreeMap<String, Coarsening>, ConfigError> {
        let coarsen = |(name, known): (&String, &Vec<String>)| {
            let field = format!("normalize.{name}");
            let name = name_of(&field, name)?;
            names_of(&field, known)?;
            Ok((name, Coarsening { known: known.clone() }))
        };
        self.normalize.iter().map(coarsen).collect()
    }

    pub(crate) fn bounds(&self) -> Result<Bounds, ConfigError> {
        let (storage, limits) = (&self.storage, self.limits()?);
        let redis =
            storage.redis.as_ref().map(|redis| redis.settings(storage.name.as_deref())).transpose()?;
        Ok(Bounds { limits, patience: self.patience(), redis })
    }

    pub(crate) fn patience(&self) -> Patience {
        let default = Patience::default();
        Patience {
            waiters: self.collapse.waiters.unwrap_or(default.waiters),
            wait_ms: self.collapse.wait_milliseconds.unwrap_or(default.wait_ms),
            ..default
        }
    }

    fn limits(&self) -> Result<Limits, ConfigError> {
        let (storage, default) = (&self.storage, Limits::default());
        let bytes = storage.bytes.unwrap_or(default.bytes);
        if bytes < LEAST_BYTES {
            return Err(ConfigError::new("storage.bytes", format!("is less than {LEAST_BYTES}")));
        }
        let object_bytes = storage.object_bytes.unwrap_or(bytes / 8);
        if object_bytes > bytes / 2 {
            return Err(ConfigError::new("storage.objectBytes", "is more than half of storage.bytes"));
        }
        let variants = storage.variants.unwrap_or(default.variants);
        if variants == 0 {
            return Err(ConfigError::new("storage.variants", "is none"));
        }
        let shards = (bytes / SHARD_BYTES).clamp(1, default.shards);
        Ok(Limits { bytes, object_bytes, variants, shards })
    }
}

/// Field names in lower case.
pub(crate) fn names_of(field: &str, names: &[String]) -> Result<Vec<String>, ConfigError> {
    names.iter().enumerate().map(|(at, name)| name_of(&format!("{field}[{at}]"), name)).collect()
}

pub(crate) fn name_of(field: &str, name: &str) -> Result<String, ConfigError> {
    if is_token(name.as_bytes()) {
        return Ok(name.to_ascii_lowercase());
    }
    Err(ConfigError::new(field, format!("`{name}` is empty or holds a character that no name has")))
}
