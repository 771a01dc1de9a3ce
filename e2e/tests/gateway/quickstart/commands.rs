//! What `check`, `translate`, `get` and the files of status tell.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::controller::{Controller, ferrule};

fn quickstart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart")
}

/// The quick start with further manifests.
fn quickstart_and(files: &[(&str, &str)]) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    for file in fs::read_dir(quickstart()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), home.path().join(file.file_name())).unwrap();
    }
    for (name, text) in files {
        fs::write(home.path().join(name), text).unwrap();
    }
    home
}

/// Runs a command on a folder, from within the folder above so that paths are short.
fn on(folder: &Path, arguments: &[&str]) -> Output {
    let name = folder.file_name().unwrap();
    ferrule().current_dir(folder.parent().unwrap()).args(arguments).arg("-f").arg(name).output().unwrap()
}

/// Lines of standard output, without the folder's name.
fn lines(output: &Output, folder: &Path) -> Vec<String> {
    let prefix = format!("{}/", folder.file_name().unwrap().to_str().unwrap());
    String::from_utf8_lossy(&output.stdout).lines().map(|line| line.replace(&prefix, "")).collect()
}

const ROUTE: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: extra}
spec:
  parentRefs: [{name: quickstart}]
  rules:
  - matches:
    - path: {type: PathPrefix, value: /extra}
    backendRefs:
    - {group: gateway.kgateway.dev, kind: Backend, name: upstream}
";

#[test]
fn the_quick_start_has_no_problem() {
    let checked = on(&quickstart(), &["check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[test]
fn check_names_file_line_object_field_and_reason() {
    let missing_backend = ROUTE.replace("name: upstream", "name: nowhere");
    let unknown_field = ROUTE.replace("extra", "unknown").replace("  rules:", "  rulez: []\n  rules:");
    let template = "apiVersion: gateway.kgateway.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: broken}\nspec:\n  \
        targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: extra}]\n  transformation:\n    \
        request:\n      set:\n      - {name: a, value: '{{ nothing( }}'}\n";
    let home = quickstart_and(&[
        ("backend.yaml", &missing_backend),
        ("field.yaml", &unknown_field),
        ("kind.yaml", &ROUTE.replace("HTTPRoute", "HttpRoute").replace("extra", "kind")),
        ("syntax.yaml", "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: [\n"),
        ("template.yaml", template),
        ("twice.yaml", &ROUTE.replace("extra", "greeter")),
        ("version.yaml", &ROUTE.replace("io/v1", "io/v9").replace("extra", "version")),
    ]);
    fs::write(home.path().join("latin.yaml"), b"name: caf\xe9\n").unwrap();
    let checked = on(home.path(), &["check"]);
    let told = lines(&checked, home.path());
    for expected in [
        "backend.yaml:10:7: HTTPRoute default/extra: spec.rules[0].backendRefs[0]: Backend default/nowhere does not exist",
        "field.yaml:6:3: HTTPRoute default/unknown: spec.rulez: unknown field `rulez`",
        "kind.yaml:2:1: HttpRoute kind: kind: there is no kind HttpRoute; is HTTPRoute meant?",
        "latin.yaml: is not UTF-8 text (line 1)",
        "syntax.yaml:4:1: HTTPRoute: metadata.name",
        "template.yaml:9:19: TrafficPolicy default/broken: spec.transformation.request.set[0].value: ",
        "version.yaml:1:1: HTTPRoute version: apiVersion: HTTPRoute is of gateway.networking.k8s.io/v1 or ",
    ] {
        assert!(told.iter().any(|line| line.starts_with(expected)), "{expected}\n{told:#?}");
    }
    assert!(
        told.iter().any(|line| line.contains("HTTPRoute default/greeter: is already defined in ")),
        "{told:#?}"
    );
    assert!(told.last().unwrap().contains(" 8 errors, "), "{told:#?}");
    assert_eq!(checked.status.code(), Some(1));
}

#[test]
fn a_warning_is_no_failure_and_what_cannot_be_checked_is_another() {
    // Of two routes that take the same requests one is never used: the later one by name, as both are of one age.
    let home = quickstart_and(&[("twin.yaml", &ROUTE.replace("/extra", "/greet"))]);
    let checked = on(home.path(), &["check"]);
    let told = lines(&checked, home.path());
    let expected =
        "route.yaml:18:7: warning: HTTPRoute default/greeter: spec.rules[0].matches[0]: never used";
    assert!(told[0].starts_with(expected) && told[0].contains("HTTPRoute default/extra"), "{told:#?}");
    assert_eq!(checked.status.code(), Some(0));

    let missing = on(&home.path().join("nothing"), &["check"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("nothing: No such file"), "{missing:?}");
    assert_eq!(ferrule().args(["check", "--fast"]).output().unwrap().status.code(), Some(2));
}

#[test]
fn translate_prints_resources_and_status() {
    let home = quickstart_and(&[("extra.yaml", &ROUTE.replace("name: upstream", "name: nowhere"))]);
    let translated = on(home.path(), &["translate", "-o", "json"]);
    assert_eq!(translated.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&translated.stderr);
    assert!(complaint.contains("extra.yaml:10:7: HTTPRoute default/extra: "), "{complaint}");
    let printed: Value = serde_json::from_slice(&translated.stdout).unwrap();
    let routes = &printed["gateways"]["default/quickstart"]["routes"][0]["virtual_hosts"][0]["routes"];
    let of = |name: &str| {
        routes.as_array().unwrap().iter().find(|route| route["name"].as_str().unwrap().contains(name))
    };
    // A route to nowhere leads to a cluster that there is not, which answers 500; the other one is as it was.
    assert_eq!(of("extra").unwrap()["route"]["cluster"], "unresolved", "{routes:#}");
    let answer = &of("extra").unwrap()["route"]["cluster_not_found_response_code"];
    assert_eq!(answer, "INTERNAL_SERVER_ERROR", "{routes:#}");
    assert_eq!(of("greeter").unwrap()["route"]["cluster"], "backend/default/upstream", "{routes:#}");
    let kinds: Vec<&str> =
        printed["status"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Backend", "TrafficPolicy", "Gateway", "GatewayClass", "HTTPRoute", "HTTPRoute"]);
}

#[test]
fn get_and_the_files_of_status_show_every_object() {
    let folder = tempfile::tempdir().unwrap();
    let controller = Controller::serving(&["--status-dir", folder.path().to_str().unwrap()]);
    fs::write(controller.config("service.yaml"), "apiVersion: v1\nkind: Service\nmetadata: {name: idle}\n")
        .unwrap();
    let table = controller.wait_until("the Service", || {
        let table = controller.get(&[]);
        let table = String::from_utf8_lossy(&table.stdout).into_owned();
        table.contains("idle").then_some(table)
    });
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    let expected: [&[&str]; 7] = [
        &["KIND", "NAMESPACE", "NAME", "STATUS"],
        &["Backend", "default", "upstream", "ok"],
        &["TrafficPolicy", "default", "greet", "ok"],
        &["Gateway", "default", "quickstart", "ok"],
        &["GatewayClass", "ferrule", "ok"],
        &["HTTPRoute", "default", "greeter", "ok"],
        &["Service", "default", "idle", "-"],
    ];
    assert_eq!(rows, expected);
    assert_eq!(controller.get(&["httproute", "nowhere"]).status.code(), Some(2));
    let none = ferrule().args(["get", "--admin", "unix:/no/such/socket"]).output().unwrap();
    assert_eq!(none.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&none.stderr).contains("is `ferrule run` running"), "{none:?}");

    let written = || fs::read_to_string(folder.path().join("httproute.default.greeter.status.yaml")).unwrap();
    assert!(written().contains("type: ResolvedRefs\n      status: \"True\""), "{}", written());
    controller.edit("route.yaml", |text| text.replacen("name: upstream", "name: nowhere", 1));
    controller.wait_until("status in its file", || written().contains("BackendNotFound").then_some(()));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
}
