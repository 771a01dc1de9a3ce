//! What is provisioned, shown to stock Envoy: every bootstrap in the goldens is valid.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::fs;
use std::path::Path;

use envoy_bootstrap::{Launch, fetch};
use serde_json::Value;

const CONFIG: &str = "/etc/ferrule/config";

fn goldens() -> impl Iterator<Item = (String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../controller/provision/tests/golden");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| file.to_string_lossy().ends_with(".out.yaml")).map(|file| {
        let golden = serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        (file.file_name().unwrap().to_string_lossy().into_owned(), golden)
    })
}

/// The data of all ConfigMaps, wherever they are.
fn config_maps<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) if fields.get("kind").is_some_and(|kind| kind == "ConfigMap") => {
            found.push(&fields["data"])
        }
        Value::Object(fields) => fields.values().for_each(|value| config_maps(value, found)),
        Value::Array(values) => values.iter().for_each(|value| config_maps(value, found)),
        _ => {}
    }
}

#[test]
fn every_bootstrap_that_is_provisioned_is_valid() {
    let mut seen = 0;
    for (name, golden) in goldens() {
        let mut found = Vec::new();
        config_maps(&golden, &mut found);
        for data in found {
            let mounted = tempfile::tempdir().unwrap();
            for (file, content) in data.as_object().unwrap() {
                fs::write(mounted.path().join(file), content.as_str().unwrap()).unwrap();
            }
            let bootstrap = data["bootstrap.yaml"].as_str().unwrap();
            let bootstrap = bootstrap.replace(CONFIG, mounted.path().to_str().unwrap());
            let mut launch = Launch::new(fetch().unwrap(), bootstrap);
            // As `envoy-bootstrap run` does with the name of the pod.
            launch.arguments = ["--service-node", "proxy"].map(Into::into).into();
            launch.validate().unwrap_or_else(|error| panic!("{name}: {error}"));
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen} bootstraps");
}
