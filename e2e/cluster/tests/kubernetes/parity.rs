//! A folder of manifests gives the same xDS as an API server that has the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::certificate::Credentials;
use crate::controller::{Controller, prepare, program};
use crate::stage::{Stage, eventually};

const CONTROLLER: &str = "ferrule.dev/gateway-controller";

/// No proxies are needed to see what they would be sent.
const PARAMETERS: &str = "
apiVersion: gateway.kgateway.dev/v1alpha1
kind: GatewayParameters
metadata: {name: none, namespace: default}
spec: {selfManaged: {}}
";

/// Kinds of which the folder gets what the cluster made, because no manifest says it.
const MADE_BY_THE_CLUSTER: [&str; 1] = ["discovery.k8s.io/v1 EndpointSlice"];

/// Objects by kind and place.
type Objects = BTreeMap<(String, String, String), Value>;

#[tokio::test(flavor = "multi_thread")]
async fn the_suites_manifests_give_the_same_xds_from_a_folder() {
    let stage = Stage::new().await;
    prepare(&stage).await;
    stage.apply(PARAMETERS).await;
    let reference = json!({"group": "gateway.kgateway.dev", "kind": "GatewayParameters", "name": "none", "namespace": "default"});
    let class = "gateway.networking.k8s.io/v1 GatewayClass";
    stage.patch(class, "ferrule", &json!({"spec": {"parametersRef": reference}})).await;
    let controller = Controller::start(&stage);

    let objects = manifests();
    assert!(objects.len() > 300, "{} objects", objects.len());
    let (namespaces, others): (Vec<_>, Vec<_>) = objects.iter().partition(|(key, _)| key.0 == "Namespace");
    for (_, object) in namespaces.into_iter().chain(others) {
        stage.apply(&object.to_string()).await;
    }
    for (key, object) in &objects {
        if key.0 == "Deployment" {
            stage.until("apps/v1 Deployment", &name(object), is_ready).await;
        }
    }
    let folder = tempfile::tempdir().unwrap();
    write(&stage, folder.path(), &objects).await;
    let of_folder = translated(folder.path());
    assert!(of_folder.as_object().unwrap().len() > 80, "{of_folder}");
    let mut of_cluster = Value::Null;
    let same = async || {
        of_cluster = controller.config();
        (of_cluster == of_folder).then_some(())
    };
    if tokio::time::timeout(std::time::Duration::from_secs(30), eventually("the same", same)).await.is_err() {
        panic!("{}", difference(&of_cluster, &of_folder));
    }
}

/// The suite's manifests as the suite applies them, without those of meshes. Of two of a name the later one stands.
fn manifests() -> Objects {
    let suite = suite();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(suite.join("tests")).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut objects = Objects::new();
    for file in std::iter::once(suite.join("base/manifests.yaml")).chain(files) {
        for object in documents(&file) {
            let metadata = &object["metadata"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let namespace = text(&metadata["namespace"]);
            if !namespace.starts_with("gateway-conformance-mesh") {
                objects.insert((text(&object["kind"]), namespace, text(&metadata["name"])), object);
            }
        }
    }
    secrets(&objects).into_iter().for_each(|secret| drop(objects.insert(key(&secret), secret)));
    objects
}

/// The suite's sources, among Go's modules since the suite was built.
fn suite() -> PathBuf {
    let module = "sigs.k8s.io/gateway-api/conformance@v1.7.0";
    let told =
        Command::new("go").args(["mod", "download", "-json", module]).current_dir("/").output().unwrap();
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let archive = told["Zip"].as_str().unwrap_or_else(|| panic!("{told}"));
    Path::new(archive.split_once("/cache/download/").unwrap().0).join(module)
}

fn documents(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    let text =
        text.replace("{GATEWAY_CLASS_NAME}", "ferrule").replace("{GATEWAY_CONTROLLER_NAME}", CONTROLLER);
    let text = text
        .replace("PLACEHOLDER_UNUSABLE_ADDRS", "203.0.113.1")
        .replace("PLACEHOLDER_USABLE_ADDRS", "203.0.113.2");
    let mut objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    objects.retain(|object| !object.is_null());
    for object in objects.iter_mut().filter(|object| object["kind"] == "Deployment") {
        // Volumes are of Secrets that the suite makes.
        let waits = object.pointer("/spec/template/spec/volumes").is_some();
        object["spec"]["replicas"] = i32::from(!waits).into();
    }
    objects
}

/// The certificates that listeners refer to; the suite makes its own.
fn secrets(objects: &Objects) -> Vec<Value> {
    let listeners =
        objects.values().filter_map(|object| Some((object, object["spec"]["listeners"].as_array()?)));
    let references = listeners.flat_map(|(object, listeners)| {
        let references =
            listeners.iter().filter_map(|listener| listener["tls"]["certificateRefs"].as_array()).flatten();
        references.map(|reference| {
            let namespace = reference.get("namespace").unwrap_or(&object["metadata"]["namespace"]);
            (namespace.as_str().unwrap().to_owned(), reference["name"].as_str().unwrap().to_owned())
        })
    });
    let references: std::collections::BTreeSet<_> = references.collect();
    let credentials = Credentials::of("*.example.com");
    let missing = references.into_iter().filter(|(namespace, name)| {
        !objects.contains_key(&("Secret".to_owned(), namespace.clone(), name.clone()))
            && !name.contains("nonexistent")
    });
    missing
        .map(|(namespace, name)| {
            json!({
                "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
                "metadata": {"name": name, "namespace": namespace},
                "stringData": {"tls.crt": credentials.certificate, "tls.key": credentials.key},
            })
        })
        .collect()
}

fn key(object: &Value) -> (String, String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    (text(&object["kind"]), text(&metadata["namespace"]), text(&metadata["name"]))
}

fn name(object: &Value) -> String {
    let (_, namespace, name) = key(object);
    format!("{namespace}/{name}")
}

fn is_ready(deployment: &Value) -> Option<()> {
    let ready = deployment["status"]["readyReplicas"].as_i64().unwrap_or_default();
    (deployment["spec"]["replicas"] == ready).then_some(())
}

/// Writes the manifests, with the times at which the cluster took them: these decide who is older.
async fn write(stage: &Stage, folder: &Path, objects: &Objects) {
    let mut all = objects.clone();
    for kind in MADE_BY_THE_CLUSTER {
        let made = stage.everywhere(kind).await;
        all.extend(made.into_iter().map(|object| (key(&object), object)));
    }
    for kind in [
        "gateway.networking.k8s.io/v1 GatewayClass ferrule",
        "gateway.kgateway.dev/v1alpha1 GatewayParameters default/none",
    ] {
        let (kind, name) = kind.rsplit_once(' ').unwrap();
        let object = stage.get(kind, name).await;
        all.insert(key(&object), object);
    }
    for (number, mut object) in all.into_values().enumerate() {
        let kind = format!("{} {}", object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
        let there = stage.get(&kind, name(&object).trim_start_matches('/')).await;
        object["metadata"]["creationTimestamp"] = there["metadata"]["creationTimestamp"].clone();
        let fields = object.as_object_mut().unwrap();
        fields.remove("status");
        fields["metadata"].as_object_mut().unwrap().remove("managedFields");
        std::fs::write(folder.join(format!("{number}.json")), object.to_string()).unwrap();
    }
}

/// What a folder gives, by Gateway.
fn translated(folder: &Path) -> Value {
    let told = Command::new(program()).args(["translate", "-o", "json", "-f"]).arg(folder).output().unwrap();
    let mut document: Value = serde_json::from_slice(&told.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&told.stderr)));
    eprintln!("{}", String::from_utf8_lossy(&told.stderr));
    document["gateways"].take()
}

/// What tells two documents apart, place by place.
fn difference(cluster: &Value, folder: &Value) -> String {
    let mut lines = Vec::new();
    compare("", cluster, folder, &mut lines);
    format!("{} differences:\n{}", lines.len(), lines[..lines.len().min(40)].join("\n"))
}

fn compare(place: &str, cluster: &Value, folder: &Value, lines: &mut Vec<String>) {
    match (cluster, folder) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let names: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
            for name in names {
                compare(&format!("{place}/{name}"), &cluster[name], &folder[name], lines);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                compare(&format!("{place}/{index}"), ours, theirs, lines);
            }
        }
        (ours, theirs) if ours != theirs => {
            let short = |value: &Value| value.to_string().chars().take(600).collect::<String>();
            lines.push(format!("{place}: cluster {} folder {}", short(ours), short(theirs)));
        }
        _ => {}
    }
}
