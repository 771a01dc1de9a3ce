//! Addresses that a Gateway asks for (`spec.addresses`, GEP-5093), and those that it has.
//!
//! Each is a Service of its own, so that each is granted or refused alone. The first keeps the Gateway's name, unless it
//! wants a cluster IP, which could not be given to a Service that has one.

use std::net::IpAddr;

use ferrule_translate::api::gateway::{Gateway, GatewaySpecAddress};
use ferrule_translate::api::meta::GATEWAY_GROUP;
use ferrule_translate::{ObjectRef, Problem, Reason};
use serde::Serialize;
use serde_json::Value;

use crate::metadata::belongs_to;
use crate::{key, names};

/// Reachable from inside the cluster: a cluster IP.
const CLUSTER: &str = "Cluster";
/// Promises nothing; conformance tests ask for it (GEP-5093).
const SENTINEL: &str = "testing.x-k8s.io/sentinel";

/// An address in a Gateway's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatusAddress {
    /// `IPAddress` or `Hostname`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The address.
    pub value: String,
    /// From where it can be reached: `Cluster` for cluster IPs, else empty or what was asked for.
    pub routability: String,
}

/// The condition `AddressesAssigned` of a Gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressesAssigned {
    /// Whether every address that was asked for is there.
    pub status: bool,
    /// `AddressesAssigned`, `PartiallyAssigned` or `NotAssigned`.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

/// What became of a Gateway's addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressReport {
    /// `status.addresses`.
    pub addresses: Vec<StatusAddress>,
    /// The condition.
    pub assigned: AddressesAssigned,
    /// Why the Gateway is not programmed.
    pub problems: Vec<Problem>,
}

/// An address that is asked for, and the Service that asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Name of the Service.
    pub(crate) name: String,
    /// The value, as far as a Service can ask for it.
    pub(crate) value: Option<String>,
    /// Whether it has to be a cluster IP.
    pub(crate) cluster: bool,
    /// What the Gateway says; `None` where it says nothing.
    entry: Option<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    place: usize,
    hostname: bool,
    value: String,
    routability: String,
    /// Why it can never be had.
    fault: Option<String>,
}

impl Request {
    /// Whether a Service can ask for it.
    pub(crate) fn is_satisfiable(&self) -> bool {
        self.entry.as_ref().is_none_or(|entry| entry.fault.is_none())
    }

    /// What a Gateway says that says nothing.
    fn any(gateway: &Gateway) -> Self {
        let name = names::object_name(&gateway.metadata.name);
        Self { name, value: None, cluster: false, entry: None }
    }

    fn of(gateway: &Gateway, place: usize, address: &GatewaySpecAddress) -> Self {
        let wish = wish(address);
        let (hostname, value, routability) = wish;
        // Equal requests want an address each.
        let twins = gateway.spec.addresses[..place].iter().filter(|other| self::wish(other) == wish).count();
        let cluster = routability == CLUSTER;
        let own = place == 0 && !cluster;
        let what = format!("{hostname} {value} {routability} {twins}");
        let name = &gateway.metadata.name;
        let fault = fault(hostname, value, routability);
        let (value, routability) = (value.to_owned(), routability.to_owned());
        Self {
            name: if own { names::object_name(name) } else { names::further_name(name, &what) },
            value: Some(value.clone()).filter(|value| !value.is_empty() && !hostname),
            cluster,
            entry: Some(Entry { place, hostname, value, routability, fault }),
        }
    }
}

/// What an entry asks for: whether a host name, which value, from where it can be reached.
fn wish(address: &GatewaySpecAddress) -> (bool, &str, &str) {
    let hostname = address.kind.as_deref() == Some("Hostname");
    (hostname, &address.value, address.routability.as_deref().unwrap_or_default())
}

fn fault(hostname: bool, value: &str, routability: &str) -> Option<String> {
    if !["", CLUSTER, SENTINEL].contains(&routability) {
        return Some(format!("routability {routability} is not supported; supported: {CLUSTER}"));
    }
    if hostname {
        return (routability == CLUSTER).then(|| "no host name leads to cluster IPs".to_owned());
    }
    let broken = !value.is_empty() && value.parse::<IpAddr>().is_err();
    broken.then(|| format!("{value:?} is no IP address"))
}

/// The addresses that a Gateway asks for; any one where it does not.
pub(crate) fn requests(gateway: &Gateway) -> Vec<Request> {
    let addresses = &gateway.spec.addresses;
    if addresses.is_empty() {
        return vec![Request::any(gateway)];
    }
    addresses.iter().enumerate().map(|(place, address)| Request::of(gateway, place, address)).collect()
}

/// Addresses of types that are not known at all; such a Gateway is not accepted.
pub(crate) fn unsupported(gateway: &Gateway) -> Vec<Problem> {
    let on = reference(gateway);
    let known = |kind: &str| ["IPAddress", "Hostname"].contains(&kind);
    let unknown = gateway.spec.addresses.iter().enumerate().filter_map(|(place, address)| {
        let kind = address.kind.as_deref().filter(|kind| !known(kind))?;
        let detail = format!("{kind} is not supported; supported: IPAddress, Hostname");
        Some(Problem::new(&on, format!("spec.addresses[{place}].type"), Reason::UnsupportedAddress, detail))
    });
    unknown.collect()
}

fn reference(gateway: &Gateway) -> ObjectRef {
    let (namespace, name) = key(gateway);
    ObjectRef::new(GATEWAY_GROUP, "Gateway", &namespace, &name)
}

/// What became of the addresses of a Gateway whose objects were applied; `services` are Services of its namespace, as
/// the API server has them, of which those that are not this Gateway's do not matter.
#[must_use]
pub fn addresses(gateway: &Gateway, services: &[Value]) -> AddressReport {
    let ours = |service: &&Value| belongs_to(&gateway.metadata.name, service);
    let services: Vec<&Value> = services.iter().filter(ours).collect();
    let requests = requests(gateway);
    let mut granted = Vec::new();
    let mut missing = Vec::new();
    for request in &requests {
        let service = services.iter().find(|service| service["metadata"]["name"] == request.name.as_str());
        let found = service.map(|service| grant(request, service)).unwrap_or_default();
        if found.is_empty() { missing.push(request) } else { granted.extend(found) }
    }
    let assigned = assigned(&granted, &missing);
    AddressReport { problems: problems(gateway, &granted, &missing), addresses: granted, assigned }
}

/// The addresses of a Service that satisfy what it asks for: one for an entry, all where there is none.
fn grant(request: &Request, service: &Value) -> Vec<StatusAddress> {
    let all = offered(service);
    let Some(entry) = &request.entry else { return all };
    let first = all.into_iter().find(|address| entry.takes(address));
    first.map(|address| entry.granted(address)).into_iter().collect()
}

impl Entry {
    fn takes(&self, address: &StatusAddress) -> bool {
        let kind = if self.hostname { "Hostname" } else { "IPAddress" };
        let same = match (self.value.parse::<IpAddr>(), address.value.parse::<IpAddr>()) {
            (Ok(wanted), Ok(has)) => wanted == has,
            _ => self.value == address.value,
        };
        let routable = match self.routability.as_str() {
            CLUSTER => address.routability == CLUSTER,
            SENTINEL => address.routability.is_empty(),
            _ => true,
        };
        self.fault.is_none() && kind == address.kind && (self.value.is_empty() || same) && routable
    }

    /// The address in the words of who asked for it.
    fn granted(&self, mut address: StatusAddress) -> StatusAddress {
        if !self.value.is_empty() {
            address.value.clone_from(&self.value);
        }
        if self.routability == SENTINEL {
            SENTINEL.clone_into(&mut address.routability);
        }
        address
    }

    fn words(&self) -> String {
        let value = if self.value.is_empty() { String::new() } else { format!(" {}", self.value) };
        let why = self.fault.as_deref().unwrap_or("no Service was given it");
        format!("spec.addresses[{}]{value}: {why}", self.place)
    }
}

/// Where a Service can be reached: what its load balancer says, else its external and cluster IPs.
fn offered(service: &Value) -> Vec<StatusAddress> {
    let ip = |value: &Value, routability: &str| Some(address("IPAddress", value.as_str()?, routability));
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let spec = &service["spec"];
    if spec["type"] == "LoadBalancer" {
        let ingress = list(&service["status"]["loadBalancer"]["ingress"]);
        let named = |entry: &Value| Some(address("Hostname", entry["hostname"].as_str()?, ""));
        return ingress.iter().filter_map(|entry| ip(&entry["ip"], "").or_else(|| named(entry))).collect();
    }
    let external = list(&spec["externalIPs"]);
    let cluster = list(&spec["clusterIPs"]);
    let cluster = cluster.iter().filter(|value| **value != "None" && **value != "");
    external
        .iter()
        .filter_map(|value| ip(value, ""))
        .chain(cluster.filter_map(|value| ip(value, CLUSTER)))
        .collect()
}

fn address(kind: &'static str, value: &str, routability: &str) -> StatusAddress {
    StatusAddress { kind, value: value.to_owned(), routability: routability.to_owned() }
}

fn assigned(granted: &[StatusAddress], missing: &[&Request]) -> AddressesAssigned {
    let words: Vec<String> = missing.iter().map(|request| words(request)).collect();
    let reason = match (granted.is_empty(), missing.is_empty()) {
        (_, true) => "AddressesAssigned",
        (false, false) => "PartiallyAssigned",
        (true, false) => "NotAssigned",
    };
    AddressesAssigned { status: missing.is_empty(), reason, message: words.join("; ") }
}

fn words(request: &Request) -> String {
    let pending = || "the Service has no address yet".to_owned();
    request.entry.as_ref().map_or_else(pending, Entry::words)
}

/// A static address that is not there is the Gateway's fault, whatever else it has; else any address will do.
fn problems(gateway: &Gateway, granted: &[StatusAddress], missing: &[&Request]) -> Vec<Problem> {
    let on = reference(gateway);
    let unusable = missing.iter().filter_map(|request| request.entry.as_ref());
    let unusable = unusable.filter(|entry| !entry.value.is_empty() && entry.routability != CLUSTER);
    let mut problems: Vec<Problem> =
        unusable.map(|entry| Problem::new(&on, "", Reason::AddressNotUsable, entry.words())).collect();
    if problems.is_empty() && granted.is_empty() {
        let words: Vec<String> = missing.iter().map(|request| words(request)).collect();
        problems.push(Problem::new(&on, "", Reason::AddressNotAssigned, words.join("; ")));
    }
    problems
}

#[cfg(test)]
#[path = "addresses_tests.rs"]
mod tests;
