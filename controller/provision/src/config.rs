//! The ConfigMap with Envoy's bootstrap and the files that lead to its credentials.

use std::path::PathBuf;

use envoy_bootstrap::{Address, Bootstrap, Readiness, StatsServer, XdsTls};
use ferrule_translate::api::gateway_parameters::{LogFormat, StatsConfig, StatsMatcher, StringMatcher};
use serde_json::{Map, Value, json};

use crate::defaults::{READINESS_PORT, STATS_PORT};
use crate::metadata::Identity;
use crate::parameters::Effective;
use crate::{Input, names, quantity};

/// Where pods mount the ConfigMap.
pub(crate) const CONFIG_FOLDER: &str = "/etc/ferrule/config";
/// Where pods mount the Secret with credentials.
pub(crate) const CREDENTIALS_FOLDER: &str = "/etc/ferrule/credentials";
/// The bootstrap's key in the ConfigMap.
pub(crate) const BOOTSTRAP: &str = "bootstrap.yaml";
/// Envoy's admin interface, inside the pod.
pub(crate) const ADMIN_PORT: u16 = 19000;

/// The ConfigMap.
pub(crate) struct ConfigMap {
    pub(crate) object: Value,
    /// Changes with its content, which Envoy reads only when it starts.
    pub(crate) hash: String,
}

impl ConfigMap {
    pub(crate) fn of(input: &Input<'_>, effective: &Effective, identity: &Identity) -> Self {
        let bootstrap = bootstrap(input, effective, identity);
        let mut data = Map::new();
        for (name, content) in bootstrap.tls.iter().flat_map(XdsTls::files) {
            data.insert(name, content.into());
        }
        data.insert(BOOTSTRAP.to_owned(), bootstrap.to_yaml().into());
        let hash = names::hash(&json!(data).to_string());
        let metadata = identity.metadata(&identity.name, None, None);
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data});
        Self { object, hash }
    }
}

fn bootstrap(input: &Input<'_>, effective: &Effective, identity: &Identity) -> Bootstrap {
    let kube = &effective.kube;
    let container = kube.envoy_container.clone().unwrap_or_default();
    let given = container.bootstrap.unwrap_or_default();
    let xds = &input.settings.xds;
    let ads = Address::Tcp { host: xds.host.clone(), port: xds.port };
    let cluster = format!("{}/{}", identity.namespace, identity.gateway);
    let stats = kube.stats.as_ref();
    Bootstrap {
        tls: Some(XdsTls {
            credentials: PathBuf::from(CREDENTIALS_FOLDER),
            sds: PathBuf::from(CONFIG_FOLDER),
            server_name: xds.server_name.clone(),
        }),
        max_heap_bytes: memory_limit(container.resources.as_ref()),
        readiness: Some(Readiness {
            port: READINESS_PORT,
            proxy_protocol: given.enable_readiness_probe_proxy_protocol == Some(true),
        }),
        stats: stats.and_then(stats_server),
        stats_matcher: stats.and_then(|stats| stats.matcher.as_ref()).map(stats_matcher),
        log_format: given.log_format.as_ref().map(log_format),
        udp_max_queries: given.dns_resolver.and_then(|resolver| resolver.udp_max_queries),
        ..Bootstrap::new("", cluster, ads, Address::loopback(ADMIN_PORT))
    }
}

/// Envoy sheds load a little before the kernel would end it.
fn memory_limit(resources: Option<&Value>) -> Option<u64> {
    let limit = quantity::bytes(&resources?["limits"]["memory"])?;
    Some(limit / 100 * 95)
}

fn stats_server(stats: &StatsConfig) -> Option<StatsServer> {
    (stats.enabled == Some(true)).then(|| StatsServer {
        port: STATS_PORT,
        metrics: stats.route_prefix_rewrite.clone().unwrap_or_default(),
        stats: stats.stats_route_prefix_rewrite.clone().filter(|_| stats.enable_stats_route == Some(true)),
    })
}

fn stats_matcher(matcher: &StatsMatcher) -> Value {
    let patterns =
        |patterns: &Vec<StringMatcher>| -> Vec<Value> { patterns.iter().map(string_matcher).collect() };
    match (&matcher.inclusion_list, &matcher.exclusion_list) {
        (Some(list), _) => json!({"inclusion_list": {"patterns": patterns(list)}}),
        (_, list) => json!({"exclusion_list": {"patterns": list.as_ref().map(patterns).unwrap_or_default()}}),
    }
}

fn string_matcher(matcher: &StringMatcher) -> Value {
    let StringMatcher { exact, prefix, suffix, contains, safe_regex, ignore_case } = matcher;
    let mut json = Map::new();
    for (field, text) in [("exact", exact), ("prefix", prefix), ("suffix", suffix), ("contains", contains)] {
        if let Some(text) = text {
            json.insert(field.to_owned(), text.as_str().into());
        }
    }
    if let Some(regex) = safe_regex {
        json.insert("safe_regex".to_owned(), json!({"regex": regex}));
    }
    if *ignore_case == Some(true) {
        json.insert("ignore_case".to_owned(), true.into());
    }
    Value::Object(json)
}

fn log_format(format: &LogFormat) -> Value {
    match &format.json {
        Some(json) => json!({"json_format": json}),
        None => json!({"text_format": format.text}),
    }
}
