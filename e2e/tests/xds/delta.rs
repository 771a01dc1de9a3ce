//! The delta xDS server against stock Envoy: order, refusals, reconnection, several proxies.

use std::net::SocketAddr;

use crate::control::{Control, LONG, envoy, ready, stat};
use crate::resources::{Item, bad_cluster, bad_routes, eds_cluster, endpoints, listener, routes};
use crate::traffic::{Load, client, free_address, get, upstream};
use envoy_bootstrap::{Admin, Envoy};
use ferrule_xds::{Event, Kind};

const GROUP: &str = "default/gateway";

/// One listener whose routes all lead to one cluster with one upstream.
fn gateway(at: SocketAddr, cluster: &str, upstream: SocketAddr) -> Vec<Item> {
    vec![eds_cluster(cluster, 1), endpoints(cluster, upstream), listener("web", at), routes("web", cluster)]
}

struct Running {
    control: Control,
    envoy: Envoy,
    admin: Admin,
    at: SocketAddr,
    upstream: SocketAddr,
}

/// A gateway that serves "first" through a cluster of that name.
async fn running() -> Running {
    let (control, at, upstream) = (Control::start().await, free_address().await, upstream("first").await);
    let generation = control.publish(GROUP, gateway(at, "first", upstream));
    let (envoy, admin) = ready(envoy(&control, "node", GROUP).await).await;
    assert_eq!(control.synced(generation).await, []);
    assert_eq!(served_first(at).await, "first");
    Running { control, envoy, admin, at, upstream }
}

async fn served(at: SocketAddr) -> String {
    get(&client(), at).await.unwrap().1
}

/// What is served first. Envoy accepts a listener a moment before its workers listen.
async fn served_first(at: SocketAddr) -> String {
    let first = async {
        loop {
            if let Ok((_, name)) = get(&client(), at).await {
                return name;
            }
        }
    };
    tokio::time::timeout(LONG, first).await.expect("something is served")
}

/// Envoy gives up on what it waits for after 15 s; nothing here may rely on that.
fn assert_nothing_timed_out(envoy: &Envoy) {
    let late: Vec<_> =
        envoy.log().since(0).into_iter().filter(|line| line.contains("fetch timed out")).collect();
    assert!(late.is_empty(), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_configuration_is_served_and_every_resource_is_sent_once() {
    let running = running().await;
    let metrics = running.control.server.metrics();
    assert_eq!((metrics.resources, metrics.responses, metrics.nacks, metrics.timeouts), (4, 4, 0, 0));
    assert_nothing_timed_out(&running.envoy);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envoy_of_an_empty_gateway_starts_without_waiting() {
    let control = Control::start().await;
    let generation = control.publish(GROUP, []);
    let (envoy, _) = ready(envoy(&control, "node", GROUP).await).await;
    control.synced(generation).await;
    assert_nothing_timed_out(&envoy);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envoy_of_an_unknown_gateway_waits_and_is_served_when_it_is_published() {
    let (control, at) = (Control::start().await, free_address().await);
    let envoy = envoy(&control, "early", GROUP).await;
    control.event(|event| matches!(event, Event::Connected(_)).then_some(())).await;
    assert_eq!(control.settle(GROUP, gateway(at, "first", upstream("first").await)).await, []);
    let (_envoy, _) = ready(envoy).await;
    assert_eq!(served_first(at).await, "first");
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_change_under_load_without_a_failed_request() {
    let running = running().await;
    let (at, second) = (running.at, upstream("second").await);
    let both = |cluster: &str| {
        let mut items = gateway(at, "first", running.upstream);
        items.extend([eds_cluster("second", 1), endpoints("second", second), routes("web", cluster)]);
        items
    };
    let load = Load::on(at);
    for cluster in ["second", "first", "second", "first", "second"] {
        load.requests(50).await;
        assert_eq!(running.control.settle(GROUP, both(cluster)).await, []);
    }
    load.requests(50).await;
    let outcomes = load.stop().await;
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["first", "second"]);
    assert_eq!(served(at).await, "second");
    assert_nothing_timed_out(&running.envoy);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_renamed_under_load_without_a_failed_request() {
    let running = running().await;
    let load = Load::on(running.at);
    for i in 0..20 {
        load.requests(20).await;
        let name = format!("renamed-{i}");
        assert_eq!(running.control.settle(GROUP, gateway(running.at, &name, running.upstream)).await, []);
    }
    load.requests(20).await;
    assert_eq!(load.stop().await.into_keys().collect::<Vec<_>>(), ["first"]);
    // The controller's own cluster and the last one.
    assert_eq!(stat(&running.admin, "cluster_manager.active_clusters"), 2);
    assert_eq!(running.control.server.metrics().timeouts, 0);
    assert_nothing_timed_out(&running.envoy);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_cluster_warms_at_once_under_load() {
    let running = running().await;
    let load = Load::on(running.at);
    for timeout in 2..12 {
        load.requests(20).await;
        let mut items = gateway(running.at, "first", running.upstream);
        items[0] = eds_cluster("first", timeout);
        assert_eq!(running.control.settle(GROUP, items).await, []);
    }
    assert_eq!(load.stop().await.into_keys().collect::<Vec<_>>(), ["first"]);
    assert_eq!(stat(&running.admin, "cluster_manager.warming_clusters"), 0);
    assert_eq!(stat(&running.admin, "cluster_manager.cluster_modified"), 10);
    assert_nothing_timed_out(&running.envoy);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_endpoints_does_not_hold_up_the_others() {
    let running = running().await;
    let mut items = gateway(running.at, "second", upstream("second").await);
    items.push(eds_cluster("without-endpoints", 1));
    assert_eq!(running.control.settle(GROUP, items).await, []);
    assert_eq!(served(running.at).await, "second");
    assert_nothing_timed_out(&running.envoy);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_routes_leave_the_last_good_ones_serving_and_are_told_in_envoys_words() {
    let running = running().await;
    let load = Load::on(running.at);
    let mut items = gateway(running.at, "second", upstream("second").await);
    items[3] = bad_routes("web", "second");
    let refused = running.control.settle(GROUP, items).await;
    assert_eq!((refused[0].kind, &*refused[0].name), (Kind::Routes, "web"));
    assert!(refused[0].message.contains("twice.example"), "{}", refused[0].message);
    let told = running.control.event(|event| match event {
        Event::Nacked { refused, .. } => Some(refused.clone()),
        _ => None,
    });
    assert_eq!(told.await, refused[0]);
    load.requests(50).await;
    // The routes that are kept lead to the first cluster, so that is kept too.
    assert_eq!(load.stop().await.into_keys().collect::<Vec<_>>(), ["first"]);

    let recovered = gateway(running.at, "second", upstream("second").await);
    assert_eq!(running.control.settle(GROUP, recovered).await, []);
    assert_eq!(served(running.at).await, "second");
    let removed = |(kind, _, removed): &(Kind, Vec<String>, Vec<String>)| {
        *kind == Kind::Cluster && removed == &["first"]
    };
    assert!(running.control.accepted().iter().any(removed));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_cluster_or_route_among_many_is_named_and_the_others_are_served() {
    let running = running().await;
    let other = free_address().await;
    let second = upstream("second").await;
    let mut items = gateway(running.at, "second", second);
    items.extend(
        (0..20).flat_map(|i| [eds_cluster(&format!("c{i}"), 1), endpoints(&format!("c{i}"), second)]),
    );
    items.push(bad_cluster("at-fault"));
    items.extend([listener("other", other), bad_routes("other", "second")]);
    let refused = running.control.settle(GROUP, items).await;
    let clusters: Vec<_> = refused.iter().filter(|refused| refused.kind == Kind::Cluster).collect();
    assert_eq!(clusters.len(), 1);
    assert_eq!(&*clusters[0].name, "at-fault");
    assert_eq!(served(running.at).await, "second");
    running
        .control
        .event(|event| match event {
            Event::Nacked { refused, .. } if &*refused.name == "other" => Some(()),
            _ => None,
        })
        .await;
    assert_eq!(stat(&running.admin, "cluster_manager.active_clusters"), 22);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_the_server_nothing_is_sent_again() {
    let Running { control, envoy, at, upstream, .. } = running().await;
    let address = control.address;
    let load = Load::on(at);
    control.stop().await;
    let control = Control::start_at(address).await;
    let generation = control.publish(GROUP, gateway(at, "first", upstream));
    assert_eq!(control.synced(generation).await, []);
    assert_eq!(control.server.metrics().responses, 0);
    // And what changes from now on is still only that.
    assert_eq!(control.settle(GROUP, gateway(at, "second", upstream)).await, []);
    assert_eq!(control.server.metrics().resources, 3);
    load.requests(20).await;
    assert_eq!(load.stop().await.into_keys().collect::<Vec<_>>(), ["first"]);
    assert_nothing_timed_out(&envoy);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_while_the_server_was_away_comes_in_order_under_load() {
    let Running { control, envoy, at, upstream, .. } = running().await;
    let address = control.address;
    let load = Load::on(at);
    control.stop().await;
    let control = Control::start_at(address).await;
    let mut items = gateway(at, "renamed", upstream);
    items.push(eds_cluster("another", 7));
    items.push(endpoints("another", upstream));
    let generation = control.publish(GROUP, items);
    assert_eq!(control.synced(generation).await, []);
    load.requests(20).await;
    assert_eq!(load.stop().await.into_keys().collect::<Vec<_>>(), ["first"]);
    assert_nothing_timed_out(&envoy);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_changed_while_the_server_was_away_warms_at_once() {
    let Running { control, envoy, admin, at, upstream } = running().await;
    let address = control.address;
    control.stop().await;
    let control = Control::start_at(address).await;
    let mut items = gateway(at, "first", upstream);
    items[0] = eds_cluster("first", 9);
    let generation = control.publish(GROUP, items);
    assert_eq!(control.synced(generation).await, []);
    assert_eq!(stat(&admin, "cluster_manager.warming_clusters"), 0);
    assert_eq!(served(at).await, "first");
    assert_nothing_timed_out(&envoy);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_proxies_of_two_gateways_each_get_only_their_own() {
    let (control, one_at, two_at) = (Control::start().await, free_address().await, free_address().await);
    let one = control.publish("ns/one", gateway(one_at, "one", upstream("one").await));
    let two = control.publish("ns/two", gateway(two_at, "two", upstream("two").await));
    let (_first, _) = ready(envoy(&control, "a", "ns/one").await).await;
    let (_second, _) = ready(envoy(&control, "b", "ns/two").await).await;
    control.synced(one).await;
    control.synced(two).await;
    assert_eq!(
        (served_first(one_at).await, served_first(two_at).await),
        ("one".to_owned(), "two".to_owned())
    );
    assert_eq!(control.server.metrics().resources, 8);
    for event in control.events() {
        if let Event::Acked { peer, accepted, .. } = event {
            let own = if &*peer.group == "ns/one" { ["one", "web"] } else { ["two", "web"] };
            assert!(accepted.iter().all(|(name, _)| own.contains(&&**name)), "{peer} was sent {accepted:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_listener_stops_listening_and_one_of_another_name_takes_its_address() {
    let running = running().await;
    let mut items = gateway(running.at, "first", running.upstream);
    items[2] = listener("other", running.at);
    items[3] = routes("other", "first");
    assert_eq!(running.control.settle(GROUP, items).await, []);
    assert_eq!(served_first(running.at).await, "first");
    assert_eq!(running.control.settle(GROUP, []).await, []);
    let silence = async { while get(&client(), running.at).await.is_ok() {} };
    tokio::time::timeout(LONG, silence).await.expect("the listener ends");
    assert_nothing_timed_out(&running.envoy);
}
