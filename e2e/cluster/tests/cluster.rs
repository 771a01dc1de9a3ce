//! The cluster as a whole: pods run, are reached, end; nothing is left over. Needs root, as clusters do.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod site;

use std::process::Command;

use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use kube::Api;
use kube::api::{DeleteParams, LogParams, Patch, PatchParams};
use serde_json::json;

use ferrule_cluster::RunningCluster;
use site::{Site, eventually};

/// A pod of this machine's programs that runs `script`.
fn pod(name: &str, script: &str) -> serde_json::Value {
    json!({"metadata": {"name": name, "labels": {"app": name}}, "spec": {"terminationGracePeriodSeconds": 20, "containers": [
        {"name": "main", "image": "host", "command": ["sh", "-c", script]},
    ]}})
}

#[tokio::test]
async fn a_pod_runs_and_its_log_is_read() {
    let site = Site::new("logs").await;
    site.create::<Pod>(pod("talker", "echo first; echo second >&2; sleep 1000")).await;
    site.ready("talker").await;
    let pods: Api<Pod> = site.api();
    let log = eventually(async || {
        let log = pods.logs("talker", &LogParams::default()).await.ok()?;
        log.contains("second").then_some(log)
    })
    .await;
    assert!(log.contains("first\n") && log.contains("second\n"), "{log}");
    let last = LogParams { tail_lines: Some(1), timestamps: true, ..LogParams::default() };
    let line = pods.logs("talker", &last).await.unwrap();
    assert_eq!(line.lines().count(), 1);
    assert!(line.starts_with("20") && line.contains("Z "), "{line}");
}

#[tokio::test]
async fn environment_and_volumes_have_what_they_refer_to() {
    let site = Site::new("content").await;
    site.create::<Secret>(
        json!({"metadata": {"name": "secret"}, "stringData": {"key": "old", "other": "x"}}),
    )
    .await;
    let mut reader = pod(
        "reader",
        "echo $(cat /in/picked) $GREETING $(ls /in | wc -l) $(cat /var/run/secrets/kubernetes.io/serviceaccount/namespace)\n\
         until [ \"$(cat /in/picked)\" = new ]; do sleep 0.1; done; echo changed; sleep 1000",
    );
    reader["spec"]["containers"][0]["env"] = json!([
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "secret", "key": "key"}}},
        {"name": "GREETING", "value": "$(KEY)-$(HOSTNAME)"},
    ]);
    reader["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "in", "mountPath": "/in"}]);
    reader["spec"]["volumes"] = json!([{"name": "in", "secret": {"secretName": "secret", "items": [{"key": "key", "path": "picked"}]}}]);
    site.create::<Pod>(reader).await;
    site.log_has("reader", &format!("old old-reader 1 {}", site.namespace)).await;
    let change = Patch::Merge(json!({"stringData": {"key": "new"}}));
    site.api::<Secret>().patch("secret", &PatchParams::default(), &change).await.unwrap();
    site.log_has("reader", "changed").await;
}

#[tokio::test]
async fn load_balancers_answer_at_addresses_of_the_pool_only() {
    let site = Site::new("balancers").await;
    let echo = json!({"metadata": {"name": "echo", "labels": {"app": "echo"}}, "spec": {"containers": [{
        "name": "echo", "image": "registry.example/echo-basic:v1",
        "readinessProbe": {"httpGet": {"path": "/health", "port": 3000}},
    }]}});
    site.create::<Pod>(echo).await;
    let wanted = site.cluster.static_address().to_string();
    for (name, address) in [("any", ""), ("static", wanted.as_str()), ("foreign", "203.0.113.1")] {
        site.create::<Service>(json!({"metadata": {"name": name}, "spec": {
            "type": "LoadBalancer", "loadBalancerIP": address, "selector": {"app": "echo"},
            "ports": [{"port": 80, "targetPort": 3000}],
        }}))
        .await;
    }
    site.ready("echo").await;
    let any = site.address("any").await;
    assert_eq!(site.address("static").await, wanted);
    for address in [any.as_str(), wanted.as_str()] {
        let answer = eventually(async || get(&format!("http://{address}/hello"))).await;
        assert!(answer.contains("\"path\": \"/hello\""), "{answer}");
    }
    let foreign = site.api::<Service>().get("foreign").await.unwrap();
    assert_eq!(foreign.status.unwrap().load_balancer.unwrap_or_default().ingress, None);
}

/// The body of an answer.
fn get(url: &str) -> Option<String> {
    let done = Command::new("curl").args(["--silent", "--fail", "--max-time", "2", url]).output().unwrap();
    done.status.success().then(|| String::from_utf8(done.stdout).unwrap())
}

#[tokio::test]
async fn pods_reach_services_by_name_and_the_api_server_as_themselves() {
    let site = Site::new("names").await;
    let echo = json!({"metadata": {"name": "echo", "labels": {"app": "echo"}}, "spec": {"containers": [{
        "name": "echo", "image": "echo-basic", "readinessProbe": {"tcpSocket": {"port": 3000}},
    }]}});
    site.create::<Pod>(echo).await;
    site.create::<Service>(json!({"metadata": {"name": "named"}, "spec": {
        "selector": {"app": "echo"}, "ports": [{"port": 80, "targetPort": 3000}],
    }}))
    .await;
    site.ready("echo").await;
    let script = "until curl -sf -m 2 http://named/; do sleep 0.2; done; S=/var/run/secrets/kubernetes.io/serviceaccount\n\
                  curl -s --cacert $S/ca.crt -H \"Authorization: Bearer $(cat $S/token)\" \
                  https://kubernetes.default.svc/api/v1/namespaces; sleep 1000";
    site.create::<Pod>(pod("asker", script)).await;
    site.log_has("asker", "\"path\": \"/\"").await;
    let refused = format!("system:serviceaccount:{}:default\\\" cannot list resource", site.namespace);
    site.log_has("asker", &refused).await;
}

#[tokio::test]
async fn a_pod_has_its_grace_time_and_is_gone_after_it() {
    let site = Site::new("grace").await;
    let polite =
        "trap 'sleep 1; echo bye > /shared/word; exit 0' TERM; echo up; while true; do sleep 0.1; done";
    let mut ending = pod("ending", polite);
    let folder = tempfile::tempdir().unwrap();
    ending["spec"]["volumes"] = json!([{"name": "shared", "hostPath": {"path": folder.path()}}]);
    ending["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "shared", "mountPath": "/shared"}]);
    site.create::<Pod>(ending).await;
    site.log_has("ending", "up").await;
    let pods: Api<Pod> = site.api();
    pods.delete("ending", &DeleteParams::default()).await.unwrap();
    eventually(async || pods.get_opt("ending").await.unwrap().is_none().then_some(())).await;
    assert_eq!(std::fs::read_to_string(folder.path().join("word")).unwrap(), "bye\n");
}

#[tokio::test]
async fn a_container_that_crashes_is_started_again_and_one_without_an_image_waits() {
    let site = Site::new("crash").await;
    site.create::<Pod>(pod("crashing", "echo run; exit 3")).await;
    let unknown = json!({"metadata": {"name": "unknown"}, "spec": {"containers": [{"name": "main", "image": "nginx"}]}});
    site.create::<Pod>(unknown).await;
    let pods: Api<Pod> = site.api();
    let state = eventually(async || {
        let status = pods.get("crashing").await.unwrap().status?.container_statuses?.pop()?;
        (status.restart_count >= 2).then_some(status.last_state?.terminated?)
    })
    .await;
    assert_eq!(state.exit_code, 3);
    let waiting = eventually(async || {
        let state = pods.get("unknown").await.unwrap().status?.container_statuses?.pop()?.state?.waiting?;
        (state.reason.as_deref() == Some("ErrImagePull")).then_some(state.message?)
    })
    .await;
    assert!(waiting.contains("no image \"nginx\" here; known: echo-basic"), "{waiting}");
}

#[tokio::test]
async fn clusters_run_side_by_side_and_leave_nothing_behind_when_they_are_killed() {
    let first = Site::new("aside").await;
    let program = env!("CARGO_BIN_EXE_cluster");
    let second = tokio::task::spawn_blocking(move || RunningCluster::start(program.as_ref(), &[]))
        .await
        .unwrap()
        .unwrap();
    assert_ne!(second.node(), first.cluster.node());
    let site = Site::on(&second, "left").await;
    site.create::<Pod>(pod("staying", "sleep 1000")).await;
    site.ready("staying").await;
    let mark = second.kubeconfig().parent().unwrap().display().to_string();
    assert!(processes_with(&mark) > 0);
    assert!(Command::new("kill").args(["-KILL", &second.id().to_string()]).status().unwrap().success());
    let link = format!("{}", second.node());
    eventually(async || (processes_with(&mark) == 0).then_some(())).await;
    eventually(async || {
        let links = Command::new("ip").args(["-br", "address"]).output().unwrap();
        (!String::from_utf8_lossy(&links.stdout).contains(&link)).then_some(())
    })
    .await;
    first.create::<Pod>(pod("unharmed", "sleep 1000")).await;
    first.ready("unharmed").await;
}

/// Processes whose command line names `text`.
fn processes_with(text: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(text)).count()
}

#[tokio::test]
async fn a_cluster_ends_with_the_input_that_it_watches() {
    let program = env!("CARGO_BIN_EXE_cluster");
    let cluster = tokio::task::spawn_blocking(move || RunningCluster::start(program.as_ref(), &[]))
        .await
        .unwrap()
        .unwrap();
    let folder = cluster.kubeconfig().parent().unwrap().to_owned();
    assert!(folder.exists());
    tokio::task::spawn_blocking(move || drop(cluster)).await.unwrap();
    assert!(!folder.exists());
}
