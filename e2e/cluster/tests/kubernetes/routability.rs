//! From where a Gateway's addresses can be reached (GEP-5093): cluster IPs and load balancers, asked for and granted.

use serde_json::{Value, json};

use crate::objects::{GATEWAY, HTTP_ROUTE, condition, served};
use crate::stage::Stage;
use crate::visitors::Target;

fn gateway(name: &str, addresses: &Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": name, "namespace": "web"},
        "spec": {"gatewayClassName": "ferrule", "addresses": addresses,
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
    })
}

/// What a Gateway's status comes to say: reasons of `Programmed` and `AddressesAssigned`, and values by routability.
async fn told(stage: &Stage, name: &str, programmed: &str, assigned: &str) -> Vec<(String, String)> {
    stage
        .until(GATEWAY, &format!("web/{name}"), |gateway| {
            let status = &gateway["status"];
            let reason = |kind: &str| condition(&status["conditions"], kind).map(|(_, reason)| reason);
            let is_told = reason("Programmed")? == programmed && reason("AddressesAssigned")? == assigned;
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let addresses = status["addresses"].as_array().cloned().unwrap_or_default();
            let address = |one: &Value| (text(&one["routability"]), text(&one["value"]));
            is_told.then(|| addresses.iter().map(address).collect())
        })
        .await
}

async fn answers(address: &str) {
    Target::http(address, "echo.test").answers(200).await;
}

/// The Services of a Gateway, by type.
async fn services(stage: &Stage, gateway: &str) -> Vec<String> {
    let all = stage.everywhere("v1 Service").await;
    let label = "gateway.networking.k8s.io/gateway-name";
    let ours = all.iter().filter(|service| service["metadata"]["labels"][label] == gateway);
    ours.map(|service| service["spec"]["type"].as_str().unwrap().to_owned()).collect()
}

/// A cluster IP that nobody has.
async fn free_cluster_ip(stage: &Stage) -> (String, String) {
    let service = stage.get("v1 Service", "default/kubernetes").await;
    let taken = service["spec"]["clusterIP"].as_str().unwrap().to_owned();
    let (prefix, _) = taken.rsplit_once('.').unwrap();
    (format!("{prefix}.77"), taken)
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_get_addresses_of_the_routability_that_they_ask_for() {
    let (stage, _controller, _) = served().await;
    let (free, taken) = free_cluster_ip(&stage).await;
    let inside = json!({"routability": "Cluster"});
    let elsewhere = json!({"routability": "example.com/elsewhere"});
    let at = |value: &str| json!({"type": "IPAddress", "value": value, "routability": "Cluster"});
    let gateways = [
        ("inside", json!([inside])),
        ("both", json!([{"type": "IPAddress"}, inside])),
        ("at", json!([at(&free)])),
        ("taken", json!([at(&taken)])),
        ("partly", json!([{"type": "IPAddress"}, elsewhere])),
        ("nowhere", json!([elsewhere])),
    ];
    for (name, addresses) in &gateways {
        stage.create(&gateway(name, addresses)).await.unwrap();
    }
    let parents: Vec<Value> = gateways.iter().map(|(name, _)| json!({"name": name})).collect();
    stage.patch(HTTP_ROUTE, "web/echo", &json!({"spec": {"parentRefs": parents}})).await;

    let found = told(&stage, "inside", "Programmed", "AddressesAssigned").await;
    let [(routability, cluster_ip)] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        (routability.as_str(), services(&stage, "inside").await),
        ("Cluster", vec!["ClusterIP".to_owned()])
    );
    answers(cluster_ip).await;

    let found = told(&stage, "both", "Programmed", "AddressesAssigned").await;
    let [(first, load_balancer), (second, cluster_ip)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((first.as_str(), second.as_str()), ("", "Cluster"));
    assert_ne!(load_balancer, cluster_ip);
    answers(load_balancer).await;
    answers(cluster_ip).await;

    let found = told(&stage, "at", "Programmed", "AddressesAssigned").await;
    assert_eq!(found, [("Cluster".to_owned(), free.clone())]);
    answers(&free).await;

    assert_eq!(told(&stage, "taken", "AddressNotAssigned", "NotAssigned").await, []);
    assert_eq!(told(&stage, "nowhere", "AddressNotAssigned", "NotAssigned").await, []);
    assert_eq!(services(&stage, "nowhere").await, [""; 0]);
    let found = told(&stage, "partly", "Programmed", "PartiallyAssigned").await;
    let [(_, load_balancer)] = &found[..] else { panic!("{found:?}") };
    answers(load_balancer).await;

    // What is asked for changes: another address comes, the old one goes with its Service.
    stage.patch(GATEWAY, "web/inside", &json!({"spec": {"addresses": null}})).await;
    let load_balancer = stage
        .until(GATEWAY, "web/inside", |gateway| {
            let address = &gateway["status"]["addresses"][0];
            (address["routability"].as_str().unwrap_or_default().is_empty())
                .then(|| address["value"].as_str().map(str::to_owned))?
        })
        .await;
    answers(&load_balancer).await;
    crate::stage::eventually("one Service", async || {
        (services(&stage, "inside").await == ["LoadBalancer"]).then_some(())
    })
    .await;
}
