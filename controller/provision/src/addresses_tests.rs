use serde_json::{from_value, json};

use super::*;

fn gateway(addresses: &Value) -> Gateway {
    let spec = json!({"gatewayClassName": "ferrule", "addresses": addresses});
    from_value(json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec})).unwrap()
}

/// A Service of the Gateway.
fn service(name: &str, spec: &Value, ingress: &Value) -> Value {
    let labels = json!({
        "app.kubernetes.io/managed-by": "ferrule",
        "gateway.networking.k8s.io/gateway-name": "web",
    });
    let status = json!({"loadBalancer": {"ingress": ingress}});
    json!({"kind": "Service", "metadata": {"name": name, "labels": labels}, "spec": spec, "status": status})
}

fn balanced(name: &str, ingress: &Value) -> Value {
    service(name, &json!({"type": "LoadBalancer", "clusterIPs": ["10.96.0.2"]}), ingress)
}

fn internal(name: &str, address: &str) -> Value {
    service(name, &json!({"type": "ClusterIP", "clusterIPs": [address]}), &json!([]))
}

/// Type, value and routability of each address.
fn addresses_of(report: &AddressReport) -> Vec<(&str, &str, &str)> {
    report.addresses.iter().map(|a| (a.kind, a.value.as_str(), a.routability.as_str())).collect()
}

fn reasons(report: &AddressReport) -> Vec<Reason> {
    report.problems.iter().map(|problem| problem.reason).collect()
}

#[test]
fn a_gateway_that_asks_for_nothing_has_all_that_its_load_balancer_gives() {
    let gateway = gateway(&json!([]));
    let given = json!([{"ip": "192.0.2.1"}, {"hostname": "lb.example.com"}, {"ip": "2001:db8::1"}]);
    let report = addresses(&gateway, &[balanced("web", &given)]);
    let expected = [
        ("IPAddress", "192.0.2.1", ""),
        ("Hostname", "lb.example.com", ""),
        ("IPAddress", "2001:db8::1", ""),
    ];
    assert_eq!(addresses_of(&report), expected);
    assert_eq!((report.assigned.status, report.assigned.reason), (true, "AddressesAssigned"));
    assert_eq!(reasons(&report), []);
}

#[test]
fn a_gateway_without_a_load_balancer_has_its_cluster_ips_and_says_so() {
    let gateway = gateway(&json!([]));
    let report = addresses(&gateway, &[internal("web", "10.96.0.2")]);
    assert_eq!(addresses_of(&report), [("IPAddress", "10.96.0.2", "Cluster")]);
    let headless = addresses(&gateway, &[internal("web", "None")]);
    assert_eq!((addresses_of(&headless), reasons(&headless)), (vec![], vec![Reason::AddressNotAssigned]));
}

#[test]
fn a_gateway_is_not_programmed_before_it_has_an_address() {
    let gateway = gateway(&json!([{"type": "IPAddress"}]));
    for services in [vec![], vec![balanced("web", &json!([]))]] {
        let report = addresses(&gateway, &services);
        assert_eq!((report.assigned.status, report.assigned.reason), (false, "NotAssigned"));
        assert_eq!(reasons(&report), [Reason::AddressNotAssigned]);
    }
    let mut stranger = balanced("web", &json!([{"ip": "192.0.2.1"}]));
    stranger["metadata"]["labels"] = json!({});
    assert_eq!(addresses_of(&addresses(&gateway, &[stranger])), []);
}

#[test]
fn a_static_address_that_is_not_there_is_told_by_its_name_and_the_others_are_there() {
    let gateway = gateway(&json!([{"value": "192.0.2.9"}, {"value": "2001:db8:0::1"}]));
    let names: Vec<String> = requests(&gateway).into_iter().map(|request| request.name).collect();
    assert_eq!(names[0], "web");
    let services = [balanced("web", &json!([])), balanced(&names[1], &json!([{"ip": "2001:db8::1"}]))];
    let report = addresses(&gateway, &services);
    // In the words of who asked for it.
    assert_eq!(addresses_of(&report), [("IPAddress", "2001:db8:0::1", "")]);
    assert_eq!(report.assigned.reason, "PartiallyAssigned");
    assert_eq!(reasons(&report), [Reason::AddressNotUsable]);
    assert_eq!(report.problems[0].detail, "spec.addresses[0] 192.0.2.9: no Service was given it");
}

#[test]
fn another_address_than_the_one_asked_for_does_not_do() {
    let gateway = gateway(&json!([{"value": "192.0.2.9"}]));
    let report = addresses(&gateway, &[balanced("web", &json!([{"ip": "192.0.2.1"}]))]);
    assert_eq!((addresses_of(&report), reasons(&report)), (vec![], vec![Reason::AddressNotUsable]));
}

#[test]
fn each_entry_gets_one_address_of_its_scope() {
    let gateway =
        gateway(&json!([{}, {"routability": "Cluster"}, {"routability": "testing.x-k8s.io/sentinel"}]));
    let names: Vec<String> = requests(&gateway).into_iter().map(|request| request.name).collect();
    let given = json!([{"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}]);
    let services = [
        balanced(&names[0], &given),
        internal(&names[1], "10.96.0.7"),
        balanced(&names[2], &json!([{"ip": "192.0.2.3"}])),
    ];
    let report = addresses(&gateway, &services);
    let expected = [
        ("IPAddress", "192.0.2.1", ""),
        ("IPAddress", "10.96.0.7", "Cluster"),
        ("IPAddress", "192.0.2.3", "testing.x-k8s.io/sentinel"),
    ];
    assert_eq!(addresses_of(&report), expected);
    assert_eq!((report.assigned.reason, reasons(&report)), ("AddressesAssigned", vec![]));
}

#[test]
fn a_cluster_ip_outside_the_clusters_range_leaves_the_rest_programmed() {
    let gateway = gateway(&json!([{}, {"value": "203.0.113.1", "routability": "Cluster"}]));
    let report = addresses(&gateway, &[balanced("web", &json!([{"ip": "192.0.2.1"}]))]);
    assert_eq!((report.assigned.reason, reasons(&report)), ("PartiallyAssigned", vec![]));
    let alone = self::gateway(&json!([{"value": "203.0.113.1", "routability": "Cluster"}]));
    let report = addresses(&alone, &[]);
    assert_eq!((report.assigned.reason, reasons(&report)), ("NotAssigned", vec![Reason::AddressNotAssigned]));
}

#[test]
fn what_no_service_can_ask_for_is_never_assigned() {
    for (address, why) in [
        (json!({"routability": "example.com/lan"}), "routability example.com/lan is not supported"),
        (json!({"routability": "testing.x-k8s.io/other"}), "is not supported"),
        (json!({"type": "Hostname", "routability": "Cluster"}), "no host name leads to cluster IPs"),
        (json!({"value": "300.0.0.1"}), "\"300.0.0.1\" is no IP address"),
    ] {
        let gateway = gateway(&json!([address]));
        assert!(requests(&gateway).iter().all(|request| !request.is_satisfiable()));
        let report = addresses(&gateway, &[balanced("web", &json!([{"ip": "192.0.2.1"}]))]);
        assert!(report.addresses.is_empty() && report.assigned.message.contains(why), "{report:?}");
    }
}

#[test]
fn removing_an_address_that_is_not_the_first_touches_no_other_service() {
    let names = |addresses: Value| -> Vec<String> {
        requests(&gateway(&addresses)).into_iter().map(|request| request.name).collect()
    };
    let all = names(json!([{"value": "192.0.2.1"}, {"value": "192.0.2.2"}, {"value": "192.0.2.3"}]));
    let fewer = names(json!([{"value": "192.0.2.1"}, {"value": "192.0.2.3"}]));
    assert_eq!(fewer, [all[0].clone(), all[2].clone()]);
}

#[test]
fn equal_requests_are_services_of_their_own() {
    let cluster = json!({"routability": "Cluster"});
    let gateway = gateway(&json!([{}, {}, {}, cluster, cluster, cluster]));
    let names: std::collections::BTreeSet<String> =
        requests(&gateway).into_iter().map(|request| request.name).collect();
    assert_eq!(names.len(), 6);
}
