//! Stock Envoy accepts every xDS golden, with the filters in it.
//!
//! A golden's parts are put together into one static bootstrap: routes and discovered filters stand where Envoy would
//! find them, because `--mode validate` asks no one for anything.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use envoy_bootstrap::Launch;
use serde_json::{Value, json};

fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()).unwrap().to_owned()
}

/// The folder of this profile, where `libferrule.so` is.
fn profile() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

fn goldens() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../controller/translate/tests/golden");
    let areas = fs::read_dir(root).unwrap().map(|area| area.unwrap().path());
    let files = areas.flat_map(|area| fs::read_dir(area).unwrap().map(|file| file.unwrap().path()));
    files.filter(|file| file.to_string_lossy().ends_with(".xds.yaml")).collect()
}

/// The bootstraps of a golden, one for each Gateway.
fn bootstraps(golden: &Path) -> Vec<Value> {
    let text = fs::read_to_string(golden).unwrap();
    let text = text.replace("/wasm/", &format!("{}/wasm/", target().display()));
    let gateways: BTreeMap<String, Value> = serde_saphyr::from_str(&text).unwrap();
    gateways.into_values().map(|resources| bootstrap(&resources)).collect()
}

fn list<'a>(resources: &'a Value, kind: &str) -> &'a [Value] {
    resources[kind].as_array().map_or(&[], Vec::as_slice)
}

fn bootstrap(resources: &Value) -> Value {
    let mut listeners = list(resources, "Listener").to_vec();
    for listener in &mut listeners {
        for manager in managers(listener) {
            inline_routes(manager, resources);
            inline_filters(manager, list(resources, "ExtensionConfig"));
        }
    }
    json!({
        "node": {"id": "golden", "cluster": "golden"},
        "dynamic_resources": {"ads_config": {"api_type": "DELTA_GRPC", "transport_api_version": "V3",
            "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}]}},
        "static_resources": {"listeners": listeners, "clusters": clusters(resources), "secrets": list(resources, "Secret")},
    })
}

/// The HTTP connection managers of a listener; those of other protocols have none.
fn managers(listener: &mut Value) -> Vec<&mut Value> {
    let chains = listener.get_mut("filter_chains").and_then(Value::as_array_mut);
    let filters = chains.into_iter().flatten().flat_map(|chain| chain["filters"].as_array_mut().unwrap());
    let configs = filters.map(|filter| &mut filter["typed_config"]);
    configs.filter(|config| config.get("http_filters").is_some()).collect()
}

fn inline_routes(manager: &mut Value, resources: &Value) {
    let table = |name: &Value| {
        let found = list(resources, "Routes").iter().find(|routes| routes["name"] == *name);
        found.unwrap_or_else(|| panic!("no routes {name}")).clone()
    };
    let Some(manager) = manager.as_object_mut() else { return };
    if let Some(rds) = manager.remove("rds") {
        manager.insert("route_config".to_owned(), table(&rds["route_config_name"]));
    }
    if let Some(scoped) = manager.get_mut("scoped_routes").and_then(Value::as_object_mut) {
        let mut scopes = list(resources, "ScopedRoutes").to_vec();
        for scope in &mut scopes {
            let scope = scope.as_object_mut().unwrap();
            let name = scope.remove("route_configuration_name").unwrap();
            scope.insert("route_configuration".to_owned(), table(&name));
        }
        scoped.remove("scoped_rds");
        scoped.insert(
            "scoped_route_configurations_list".to_owned(),
            json!({"scoped_route_configurations": scopes}),
        );
    }
}

fn inline_filters(manager: &mut Value, discovered: &[Value]) {
    for filter in manager["http_filters"].as_array_mut().unwrap() {
        let Some(found) = discovered.iter().find(|found| found["name"] == filter["name"]) else { continue };
        let disabled = filter["disabled"] == true;
        *filter = found.clone();
        if disabled {
            filter["disabled"] = true.into();
        }
    }
}

fn clusters(resources: &Value) -> Vec<Value> {
    let xds = json!({"name": "xds", "type": "STATIC", "load_assignment": {"cluster_name": "xds"}, 
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}}}}});
    list(resources, "Cluster").iter().cloned().chain([xds]).collect()
}

fn refusals(program: &Path, golden: &Path) -> Vec<String> {
    let mut refusals = Vec::new();
    for bootstrap in bootstraps(golden) {
        let mut launch = Launch::new(program, bootstrap.to_string());
        launch.modules = Some(profile());
        if let Err(error) = launch.validate() {
            refusals.push(format!("{}: {error}", golden.display()));
        }
    }
    refusals
}

#[test]
fn every_golden_is_accepted_by_envoy() {
    let program = envoy_bootstrap::fetch().unwrap();
    assert!(profile().join("libferrule.so").is_file(), "libferrule.so is missing; `just native` builds it");
    assert!(
        target().join("wasm/transformation.wasm").is_file(),
        "transformation.wasm is missing; `just wasm` builds it"
    );
    let goldens = goldens();
    assert!(goldens.len() >= 30, "only {} goldens found", goldens.len());
    let halves: Vec<&[PathBuf]> = goldens.chunks(goldens.len().div_ceil(2)).collect();
    let refused: Vec<String> = std::thread::scope(|scope| {
        let program = &program;
        let work =
            |half: &[PathBuf]| half.iter().flat_map(|golden| refusals(program, golden)).collect::<Vec<_>>();
        let workers: Vec<_> = halves.iter().map(|half| scope.spawn(move || work(half))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(refused.is_empty(), "{} refused:\n{}", refused.len(), refused.join("\n"));
}

#[test]
fn a_golden_that_envoy_should_refuse_is_refused() {
    let bad = json!({"static_resources": {"clusters": [{"name": "c", "connect_timeout": "never"}]}});
    let launch = Launch::new(envoy_bootstrap::fetch().unwrap(), bad.to_string());
    assert!(launch.validate().is_err());
}
