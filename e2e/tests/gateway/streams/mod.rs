//! Listeners of HTTPS, TLS, TCP and UDP, through a running controller and its Envoy.

mod certificates;
mod client;
mod misdirected;
mod upstreams;

use std::collections::BTreeMap;
use std::fs;
use std::net::UdpSocket;
use std::time::Duration;

use crate::controller::Controller;
use certificates::{Authority, indented};
use client::Tls;
use e2e::free_port;

/// A Gateway besides the quick start's, with these fields and listeners.
pub(crate) fn gateway(fields: &str, listeners: &[String]) -> String {
    let listeners: String = listeners.iter().map(|listener| format!("  - {listener}\n")).collect();
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: edge}}\nspec:\n  \
         gatewayClassName: ferrule\n{fields}  listeners:\n{listeners}---\n"
    )
}

/// A route to these backends, each with a weight.
pub(crate) fn route(kind: &str, name: &str, section: &str, hosts: &str, backends: &[(&str, u32)]) -> String {
    let backend = |(name, weight): &(&str, u32)| {
        format!("{{group: gateway.kgateway.dev, kind: Backend, name: {name}, weight: {weight}}}")
    };
    let backends = backends.iter().map(backend).collect::<Vec<_>>().join(", ");
    let hosts = if hosts.is_empty() { String::new() } else { format!("  hostnames: [{hosts}]\n") };
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  \
         parentRefs: [{{name: edge, sectionName: {section}}}]\n{hosts}  rules: [{{backendRefs: [{backends}]}}]\n---\n"
    )
}

fn backend(name: &str, port: u16) -> String {
    format!(
        "apiVersion: gateway.kgateway.dev/v1alpha1\nkind: Backend\nmetadata: {{name: {name}}}\n\
         spec: {{type: Static, static: {{hosts: [{{host: 127.0.0.1, port: {port}}}]}}}}\n---\n"
    )
}

pub(crate) fn running(config: &[String]) -> Controller {
    Controller::beside(&config.concat())
}

#[test]
fn a_rotated_certificate_is_shown_to_new_clients() {
    let authority = Authority::new("authority");
    let (old, new) = (authority.issue(&["a.test"]), authority.issue(&["a.test"]));
    let port = free_port();
    let listener = format!(
        "{{name: web, port: {port}, protocol: HTTPS, hostname: a.test, tls: {{certificateRefs: [{{name: cert}}]}}}}"
    );
    let controller = running(&[gateway("", &[listener])]);
    fs::write(controller.config("cert.yaml"), old.secret("cert")).unwrap();
    let client = Tls { port, sni: "a.test", trusts: &authority, shows: None };
    let shows = |pair: &certificates::Pair| {
        let wanted = pair.der().0[0].to_vec();
        controller.wait_until("certificate", || (client.shown().ok()? == wanted).then_some(()));
    };
    shows(&old);
    fs::write(controller.config("cert.yaml"), new.secret("cert")).unwrap();
    shows(&new);
    // Nobody is asked for by another name.
    assert!(Tls { sni: "b.test", ..client }.shown().is_err());
    fs::write(controller.config("cert.yaml"), new.secret("cert").replace("BEGIN", "BEG")).unwrap();
    controller.wait_until("a closed port", || client.shown().err());
    controller.wait_for_condition("gateway", "edge", "ResolvedRefs=False", "cert");
}

#[test]
fn clients_show_certificates_where_they_are_asked_for_them() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let server = ours.issue(&["a.test"]);
    let (known, stranger) = (ours.issue(&["client"]), theirs.issue(&["stranger"]));
    let [strict, lenient, broken, bundled] = [free_port(), free_port(), free_port(), free_port()];
    let listener = |name: &str, port: u16| {
        format!("{{name: {name}, port: {port}, protocol: HTTPS, tls: {{certificateRefs: [{{name: cert}}]}}}}")
    };
    let asks = |kind: &str, name: &str, mode: &str| {
        let group = if kind == "ConfigMap" { "''" } else { "certificates.k8s.io" };
        let holder = format!("{{group: {group}, kind: {kind}, name: {name}}}");
        format!("{{validation: {{caCertificateRefs: [{holder}], mode: {mode}}}}}")
    };
    let frontend = format!(
        "  tls:\n    frontend:\n      default: {}\n      perPort:\n      - {{port: {lenient}, tls: {}}}\n      \
         - {{port: {broken}, tls: {}}}\n      - {{port: {bundled}, tls: {}}}\n",
        asks("ConfigMap", "ca", "AllowValidOnly"),
        asks("ConfigMap", "ca", "AllowInsecureFallback"),
        asks("ConfigMap", "nonexistent", "AllowValidOnly"),
        asks("ClusterTrustBundle", "bundle", "AllowValidOnly"),
    );
    let listeners = [("strict", strict), ("lenient", lenient), ("broken", broken), ("bundled", bundled)];
    let listeners = listeners.map(|(name, port)| listener(name, port));
    let map = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: ca}}\ndata:\n  ca.crt: |\n{}---\n",
        indented(&ours.pem)
    );
    let bundle = format!(
        "apiVersion: certificates.k8s.io/v1beta1\nkind: ClusterTrustBundle\nmetadata: {{name: bundle}}\n\
         spec:\n  trustBundle: |\n{}---\n",
        indented(&ours.pem)
    );
    let controller = running(&[gateway(&frontend, &listeners), server.secret("cert"), map, bundle]);
    let client = |port, shows| Tls { port, sni: "a.test", trusts: &ours, shows };
    for port in [strict, lenient, bundled] {
        let status = || client(port, Some(&known)).status("a.test").ok();
        controller.wait_until("404", || (status()? == "404").then_some(()));
    }
    for port in [strict, bundled] {
        assert!(client(port, None).status("a.test").is_err());
        assert!(client(port, Some(&stranger)).status("a.test").is_err());
    }
    for shows in [None, Some(&stranger)] {
        assert_eq!(client(lenient, shows).status("a.test").unwrap(), "404");
    }
    assert!(client(broken, Some(&known)).status("a.test").is_err());
    controller.wait_for_condition("gateway", "edge", "InsecureFrontendValidationMode=True", "");
    controller.wait_for_condition(
        "gateway",
        "edge",
        "Accepted=False NoValidCACertificate",
        "caCertificateRefs",
    );
}

#[test]
fn tls_ends_and_passes_on_one_port_and_falls_through_to_no_sibling() {
    let authority = Authority::new("authority");
    let (server, inner) =
        (authority.issue(&["ends.test", "bare.test"]), authority.issue(&["passes.test", "x.rest.test"]));
    let (plain, secure) = (upstreams::tcp("plain"), upstreams::tls("secure", &inner));
    let port = free_port();
    let listener = |name: &str, host: &str, tls: &str| {
        format!("{{name: {name}, port: {port}, protocol: TLS, hostname: '{host}', tls: {{{tls}}}}}")
    };
    let terminate = "mode: Terminate, certificateRefs: [{name: cert}]";
    let listeners = [
        listener("ends", "ends.test", terminate),
        listener("passes", "passes.test", "mode: Passthrough"),
        listener("rest", "*.test", "mode: Passthrough"),
        listener("bare", "bare.test", "mode: Terminate, certificateRefs: [{name: nonexistent}]"),
        listener("idle", "idle.test", "mode: Passthrough"),
        listener("lost", "lost.test", "mode: Passthrough"),
    ];
    let controller = running(&[
        gateway("", &listeners),
        server.secret("cert"),
        backend("plain", plain),
        backend("secure", secure),
        route("TLSRoute", "ends", "ends", "ends.test", &[("plain", 1)]),
        route("TLSRoute", "passes", "passes", "passes.test", &[("secure", 1), ("plain", 0)]),
        route("TLSRoute", "rest", "rest", "'*.test'", &[("secure", 1)]),
        route("TLSRoute", "bare", "bare", "bare.test", &[("plain", 1)]),
        route("TLSRoute", "lost", "lost", "lost.test", &[("nonexistent", 1)]),
    ]);
    let say = |sni| Tls { port, sni, trusts: &authority, shows: None }.say("hello");
    controller.wait_until("plain", || (say("ends.test").ok()? == "plain").then_some(()));
    assert_eq!(say("passes.test").unwrap(), "secure");
    assert_eq!(say("x.rest.test").unwrap(), "secure");
    for closed in ["bare.test", "idle.test", "lost.test", "else.where"] {
        assert!(say(closed).is_err(), "{closed}");
    }
    assert!(client::say(port, "no TLS at all").is_err());
}

/// How often each of `draw`'s outcomes comes.
fn tally(draws: u32, mut draw: impl FnMut() -> String) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    (0..draws).for_each(|_| *counts.entry(draw()).or_default() += 1);
    counts
}

fn assert_near(counts: &BTreeMap<String, u32>, name: &str, wanted: u32, tolerance: u32) {
    let count = counts.get(name).copied().unwrap_or_default();
    assert!(count.abs_diff(wanted) <= tolerance, "{name} {count} times instead of {wanted}: {counts:?}");
}

#[test]
fn connections_are_shared_by_weight_and_those_to_nobody_are_closed() {
    let (one, two) = (upstreams::tcp("one"), upstreams::tcp("two"));
    let [shared, idle] = [free_port(), free_port()];
    let listener = |name: &str, port: u16| format!("{{name: {name}, port: {port}, protocol: TCP}}");
    let controller = running(&[
        gateway("", &[listener("shared", shared), listener("idle", idle)]),
        backend("one", one),
        backend("two", two),
        route(
            "TCPRoute",
            "shared",
            "shared",
            "",
            &[("one", 60), ("two", 20), ("nonexistent", 20), ("two", 0)],
        ),
    ]);
    controller.wait_until("one", || (client::say(shared, "hello").ok()? == "one").then_some(()));
    let counts = tally(500, || client::say(shared, "hello").unwrap_or_default());
    for (name, wanted) in [("one", 300), ("two", 100), ("", 100)] {
        assert_near(&counts, name, wanted, 60);
    }
    assert!(client::say(idle, "hello").is_err());
}

/// Who answers a datagram, each time to another client.
fn datagram(port: u16) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut answer = [0; 64];
    let sent = socket.send_to(b"hello", ("127.0.0.1", port));
    let length = sent.and_then(|_| socket.recv(&mut answer)).unwrap_or_default();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[test]
fn datagrams_are_shared_by_weight_and_those_to_nobody_are_lost() {
    let (one, two) = (upstreams::udp("one"), upstreams::udp("two"));
    let [shared, single] = [free_port(), free_port()];
    let listener = |name: &str, port: u16| format!("{{name: {name}, port: {port}, protocol: UDP}}");
    let controller = running(&[
        gateway("", &[listener("shared", shared), listener("single", single)]),
        backend("one", one),
        backend("two", two),
        route(
            "UDPRoute",
            "shared",
            "shared",
            "",
            &[("one", 60), ("two", 30), ("nonexistent", 10), ("two", 0)],
        ),
        route("UDPRoute", "single", "single", "", &[("two", 1)]),
    ]);
    for (port, name) in [(shared, "one"), (single, "two")] {
        controller.wait_until(name, || (datagram(port) == name).then_some(()));
    }
    let counts = tally(200, || datagram(shared));
    for (name, wanted) in [("one", 120), ("two", 60), ("", 20)] {
        assert_near(&counts, name, wanted, 30);
    }
}
