//! `golden/<area>/<case>.in.yaml` -> `.xds.yaml` and `.status.yaml`. `BLESS=1` rewrites them.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use ferrule_translate::{
    FilterHost, Object, Parsed, ResourceKind, Settings, Status, Translation, Translator, World, features,
};
use serde_json::{Map, Value, json};
use similar::TextDiff;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn files() -> Vec<PathBuf> {
    let areas = fs::read_dir(root()).unwrap().map(|area| area.unwrap().path());
    let mut files: Vec<PathBuf> =
        areas.flat_map(|area| fs::read_dir(area).unwrap().map(|file| file.unwrap().path())).collect();
    files.sort();
    files
}

fn inputs() -> Vec<PathBuf> {
    files().into_iter().filter(|file| file.to_string_lossy().ends_with(".in.yaml")).collect()
}

fn sibling(input: &Path, what: &str) -> PathBuf {
    PathBuf::from(input.to_string_lossy().replace(".in.yaml", &format!(".{what}.yaml")))
}

fn objects(input: &Path) -> Vec<Object> {
    let text = fs::read_to_string(input).unwrap();
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&text).unwrap_or_else(|e| panic!("{}: {e}", input.display()));
    let parsed = documents.into_iter().map(|document| match Object::parse(document) {
        Ok(Parsed::Object { object, unknown_fields }) if unknown_fields.is_empty() => object,
        other => panic!("{}: {other:?}", input.display()),
    });
    parsed.collect()
}

fn world(objects: impl IntoIterator<Item = Object>) -> World {
    let mut world = World::default();
    objects.into_iter().for_each(|object| world.apply(object));
    world
}

/// The first line may choose the host: `# host: wasm`.
fn settings(input: &Path) -> Settings {
    let text = fs::read_to_string(input).unwrap();
    let filter_host = match text.starts_with("# host: wasm") {
        true => FilterHost::Wasm { directory: "/wasm".to_owned() },
        false => FilterHost::Native { module: "ferrule".to_owned() },
    };
    Settings { filter_host, ..Settings::default() }
}

fn message(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::Cluster => "envoy.config.cluster.v3.Cluster",
        ResourceKind::Endpoints => "envoy.config.endpoint.v3.ClusterLoadAssignment",
        ResourceKind::Secret => "envoy.extensions.transport_sockets.tls.v3.Secret",
        ResourceKind::ExtensionConfig => "envoy.config.core.v3.TypedExtensionConfig",
        ResourceKind::Listener => "envoy.config.listener.v3.Listener",
        ResourceKind::ScopedRoutes => "envoy.config.route.v3.ScopedRouteConfiguration",
        ResourceKind::Routes => "envoy.config.route.v3.RouteConfiguration",
    }
}

fn xds(translation: &Translation) -> Value {
    let gateways = translation.gateways.iter().map(|((namespace, name), resources)| {
        let mut kinds = Map::new();
        for (kind, resource) in resources.iter() {
            let printed = ferrule_protojson::print(message(kind), &resource.body).unwrap();
            let list = kinds.entry(format!("{kind:?}")).or_insert_with(|| json!([]));
            list.as_array_mut().unwrap().push(sorted(printed));
        }
        (format!("{namespace}/{name}"), Value::Object(kinds))
    });
    Value::Object(gateways.collect())
}

/// Protobuf's maps have no order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(sorted).collect(),
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> = fields.into_iter().map(|(k, v)| (k, sorted(v))).collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(fields.into_iter().collect())
        }
        other => other,
    }
}

fn status(translation: &Translation) -> Value {
    let status = |status: &Status| without_features(json!(status));
    let statuses = translation.status.iter().map(|(on, of)| (on.to_string(), status(of))).collect();
    let problems =
        translation.problems.iter().map(|p| json!(format!("{}: {}: {}", p.on, p.reason.word(), p.message())));
    json!({"status": Value::Object(statuses), "problems": problems.collect::<Vec<_>>()})
}

/// Each class claims the same, which the goldens need not repeat.
fn without_features(mut status: Value) -> Value {
    if let Some(claimed) = status.as_object_mut().and_then(|fields| fields.remove("supportedFeatures")) {
        let all: Vec<_> = features::SUPPORTED.iter().map(|name| json!({"name": name})).collect();
        assert_eq!(claimed, json!(all));
    }
    status
}

fn compare(golden: &Path, value: &Value) -> Option<String> {
    let text = serde_saphyr::to_string(value).unwrap();
    if std::env::var_os("BLESS").is_some() {
        fs::write(golden, text).unwrap();
        return None;
    }
    let before = fs::read_to_string(golden).unwrap_or_default();
    let differs = before != text;
    differs.then(|| format!("{}:\n{}", golden.display(), TextDiff::from_lines(&before, &text).unified_diff()))
}

#[test]
fn every_golden_is_what_the_translator_gives() {
    let cases = inputs();
    assert!(!cases.is_empty());
    let differences: Vec<String> = cases
        .iter()
        .flat_map(|input| {
            let translation = Translator::new(settings(input)).translate(&world(objects(input)));
            let xds = compare(&sibling(input, "xds"), &xds(&translation));
            [xds, compare(&sibling(input, "status"), &status(&translation))]
        })
        .flatten()
        .collect();
    assert!(differences.is_empty(), "`just bless` accepts these:\n{}", differences.join("\n"));
}

#[test]
fn no_golden_is_without_its_input() {
    let expected: BTreeSet<PathBuf> =
        inputs().iter().flat_map(|i| [i.clone(), sibling(i, "xds"), sibling(i, "status")]).collect();
    let found: BTreeSet<PathBuf> = files().into_iter().collect();
    assert_eq!(found.difference(&expected).collect::<Vec<_>>(), Vec::<&PathBuf>::new());
}

#[test]
fn the_order_of_the_input_changes_nothing() {
    for input in inputs() {
        let forwards = objects(&input);
        let backwards = forwards.iter().rev().cloned().collect::<Vec<_>>();
        let translate = |objects: Vec<Object>| Translator::new(settings(&input)).translate(&world(objects));
        assert_eq!(translate(forwards), translate(backwards), "{}", input.display());
    }
}

/// Each object comes and goes, so whatever depends on it is made again, and only because of it.
#[test]
fn what_was_translated_before_changes_nothing() {
    let mut natives = Translator::new(Settings::default());
    for input in inputs() {
        let settings = settings(&input);
        let mut own = Translator::new(settings.clone());
        let warm = if settings == Settings::default() { &mut natives } else { &mut own };
        let objects = objects(&input);
        let whole = world(objects.clone());
        let mut check = |world: &World, without: &dyn Display| {
            let fresh = Translator::new(settings.clone()).translate(world);
            assert_eq!(warm.translate(world), fresh, "{} without {without}", input.display());
        };
        check(&whole, &"nothing");
        for object in &objects {
            let mut less = whole.clone();
            assert!(less.remove(&object.reference()));
            check(&less, &object.reference());
            check(&whole, &"nothing");
        }
    }
}
