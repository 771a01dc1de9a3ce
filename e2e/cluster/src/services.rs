//! Services as rules of the kernel: what is sent to a Service's address goes to one of its pods.
//!
//! Invariants:
//! - [`Rules`] is pure: objects in, `nft` commands out; only what changed is written.
//! - Who sends keeps their address, as with `externalTrafficPolicy: Local`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;

/// The table that all rules are in.
const TABLE: &str = "services";

/// The label of an EndpointSlice with its Service's name.
const OWNER: &str = "kubernetes.io/service-name";

/// Where a Service listens: address, protocol, port.
type Front = (String, String, u16);

/// Where one of its pods listens.
type Back = (String, u16);

/// An object's namespace and name.
type Key = (String, String);

/// The rules of all Services.
#[derive(Default)]
pub(crate) struct Rules {
    services: BTreeMap<Key, Service>,
    slices: BTreeMap<Key, EndpointSlice>,
    written: BTreeMap<Front, BTreeSet<Back>>,
    /// Fronts of each Service that are written.
    fronts: BTreeMap<Key, BTreeSet<Front>>,
    stale: BTreeSet<Key>,
}

impl Rules {
    /// The commands that make the empty table.
    ///
    /// A pod that is its own Service's backend would see its own address as the sender: those are masked.
    pub(crate) fn table() -> String {
        format!(
            "table ip {TABLE} {{\n\
             map fronts {{ type ipv4_addr . inet_proto . inet_service : verdict; }}\n\
             set selves {{ type ipv4_addr . ipv4_addr; }}\n\
             chain arriving {{\n type nat hook prerouting priority -100;\n \
             ip daddr . meta l4proto . th dport vmap @fronts\n}}\n\
             chain local {{\n type nat hook output priority -100;\n \
             ip daddr . meta l4proto . th dport vmap @fronts\n}}\n\
             chain leaving {{\n type nat hook postrouting priority 100;\n \
             ip saddr . ip daddr @selves masquerade\n}}\n}}\n"
        )
    }

    /// A Service is there, or has changed.
    pub(crate) fn set_service(&mut self, service: Service) {
        let Some(key) = key(service.metadata.namespace.as_ref(), service.metadata.name.as_ref()) else {
            return;
        };
        self.stale.insert(key.clone());
        self.services.insert(key, service);
    }

    /// A Service is gone.
    pub(crate) fn remove_service(&mut self, service: &Service) {
        let Some(key) = key(service.metadata.namespace.as_ref(), service.metadata.name.as_ref()) else {
            return;
        };
        self.services.remove(&key);
        self.stale.insert(key);
    }

    /// An EndpointSlice is there, has changed, or is gone.
    pub(crate) fn set_slice(&mut self, slice: EndpointSlice, gone: bool) {
        let metadata = &slice.metadata;
        let Some(key) = key(metadata.namespace.as_ref(), metadata.name.as_ref()) else { return };
        let owner = metadata.labels.as_ref().and_then(|labels| labels.get(OWNER));
        self.stale.extend(owner.map(|owner| (key.0.clone(), owner.clone())));
        if gone {
            self.slices.remove(&key);
        } else {
            self.slices.insert(key, slice);
        }
    }

    /// The `nft` commands for all changes since the last call; empty when there are none.
    pub(crate) fn changes(&mut self) -> String {
        let mut commands = String::new();
        for key in std::mem::take(&mut self.stale) {
            let wanted =
                self.services.get(&key).map(|service| self.wanted(&key, service)).unwrap_or_default();
            let before = self.fronts.remove(&key).unwrap_or_default();
            for front in before.iter().filter(|front| !wanted.contains_key(*front)) {
                self.written.remove(front);
                forget(&mut commands, front);
            }
            for (front, backs) in &wanted {
                let old = self.written.insert(front.clone(), backs.clone());
                if old.as_ref() != Some(backs) {
                    write(&mut commands, front, backs, old.is_none());
                }
            }
            if !wanted.is_empty() {
                self.fronts.insert(key, wanted.into_keys().collect());
            }
        }
        commands
    }

    fn wanted(&self, key: &Key, service: &Service) -> BTreeMap<Front, BTreeSet<Back>> {
        let mut wanted = BTreeMap::new();
        let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_ref());
        for port in ports.into_iter().flatten() {
            let backs = self.backs(key, port.name.as_deref().unwrap_or_default());
            let protocol = port.protocol.as_deref().unwrap_or("TCP").to_ascii_lowercase();
            let Ok(number) = u16::try_from(port.port) else { continue };
            // SCTP is not what pods here speak.
            if backs.is_empty() || !["tcp", "udp"].contains(&protocol.as_str()) {
                continue;
            }
            for address in addresses(service) {
                wanted.insert((address, protocol.clone(), number), backs.clone());
            }
        }
        wanted
    }

    fn backs(&self, key: &Key, port: &str) -> BTreeSet<Back> {
        let from = (key.0.clone(), String::new());
        let slices =
            self.slices.range(from..).take_while(|(slice, _)| slice.0 == key.0).map(|(_, slice)| slice);
        let ours = slices.filter(|slice| {
            let owner = slice.metadata.labels.as_ref().and_then(|labels| labels.get(OWNER));
            owner == Some(&key.1) && slice.address_type == "IPv4"
        });
        ours.flat_map(|slice| slice_backs(slice, port)).collect()
    }
}

fn key(namespace: Option<&String>, name: Option<&String>) -> Option<Key> {
    Some((namespace?.clone(), name?.clone()))
}

fn slice_backs(slice: &EndpointSlice, port: &str) -> Vec<Back> {
    let ports = slice.ports.as_deref().unwrap_or_default();
    let number =
        ports.iter().find(|one| one.name.as_deref().unwrap_or_default() == port).and_then(|one| one.port);
    let Some(number) = number.and_then(|number| u16::try_from(number).ok()) else { return Vec::new() };
    let ready = |endpoint: &&k8s_openapi::api::discovery::v1::Endpoint| {
        endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
    };
    let addresses = slice.endpoints.iter().flatten().filter(ready).flat_map(|endpoint| &endpoint.addresses);
    addresses.map(|address| (address.clone(), number)).collect()
}

/// All IPv4 addresses that a Service is reached at.
fn addresses(service: &Service) -> BTreeSet<String> {
    let spec = service.spec.as_ref();
    let cluster = spec.and_then(|spec| spec.cluster_ips.clone()).unwrap_or_default();
    let external = spec.and_then(|spec| spec.external_ips.clone()).unwrap_or_default();
    let balancer = service.status.as_ref().and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
    let ingress = balancer.into_iter().flatten().filter_map(|ingress| ingress.ip.clone());
    let all = cluster.into_iter().chain(external).chain(ingress);
    all.filter(|address| address.parse::<std::net::Ipv4Addr>().is_ok()).collect()
}

fn chain((address, protocol, port): &Front) -> String {
    format!("to-{}-{protocol}-{port}", address.replace('.', "-"))
}

fn element((address, protocol, port): &Front) -> String {
    format!("{address} . {protocol} . {port}")
}

fn write(commands: &mut String, front: &Front, backs: &BTreeSet<Back>, new: bool) {
    let (chain, element) = (chain(front), element(front));
    let places: Vec<String> = backs
        .iter()
        .enumerate()
        .map(|(place, (address, port))| format!("{place} : {address} . {port}"))
        .collect();
    let _ = writeln!(commands, "add chain ip {TABLE} {chain}\nflush chain ip {TABLE} {chain}");
    let _ = writeln!(
        commands,
        "add rule ip {TABLE} {chain} meta l4proto {} dnat ip to numgen random mod {} map {{ {} }}",
        front.1,
        places.len(),
        places.join(", "),
    );
    if new {
        let _ = writeln!(commands, "add element ip {TABLE} fronts {{ {element} : goto {chain} }}");
    }
    let selves: Vec<String> = backs.iter().map(|(address, _)| format!("{address} . {address}")).collect();
    let _ = writeln!(commands, "add element ip {TABLE} selves {{ {} }}", selves.join(", "));
}

fn forget(commands: &mut String, front: &Front) {
    let (chain, element) = (chain(front), element(front));
    let _ = writeln!(commands, "delete element ip {TABLE} fronts {{ {element} }}");
    let _ = writeln!(commands, "flush chain ip {TABLE} {chain}\ndelete chain ip {TABLE} {chain}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(port: u16) -> Service {
        serde_json::from_value(json!({
            "metadata": {"namespace": "n", "name": "s"},
            "spec": {"clusterIPs": ["10.96.0.9"], "ports": [{"name": "http", "port": port, "protocol": "TCP"}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "10.240.0.1"}]}},
        }))
        .unwrap()
    }

    fn slice(addresses: &[&str]) -> EndpointSlice {
        let endpoints: Vec<_> = addresses.iter().map(|address| json!({"addresses": [address]})).collect();
        serde_json::from_value(json!({
            "metadata": {"namespace": "n", "name": "s-1", "labels": {OWNER: "s"}},
            "addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": "http", "port": 8080}],
        }))
        .unwrap()
    }

    #[test]
    fn a_service_is_written_for_each_of_its_addresses_and_only_once() {
        let mut rules = Rules::default();
        rules.set_service(service(80));
        assert_eq!(rules.changes(), "", "no pod, no rule");
        rules.set_slice(slice(&["10.244.0.1", "10.244.0.2"]), false);
        let commands = rules.changes();
        assert!(
            commands.contains(
                "dnat ip to numgen random mod 2 map { 0 : 10.244.0.1 . 8080, 1 : 10.244.0.2 . 8080 }"
            )
        );
        assert!(commands.contains("fronts { 10.96.0.9 . tcp . 80 : goto to-10-96-0-9-tcp-80 }"));
        assert!(commands.contains("fronts { 10.240.0.1 . tcp . 80 : goto to-10-240-0-1-tcp-80 }"));
        rules.set_slice(slice(&["10.244.0.2", "10.244.0.1"]), false);
        assert_eq!(rules.changes(), "", "order is no change");
    }

    #[test]
    fn what_is_no_longer_wanted_is_deleted() {
        let mut rules = Rules::default();
        rules.set_service(service(80));
        rules.set_slice(slice(&["10.244.0.1"]), false);
        rules.changes();
        rules.set_service(service(81));
        let commands = rules.changes();
        assert!(commands.contains("delete element ip services fronts { 10.96.0.9 . tcp . 80 }"));
        assert!(
            commands.contains(
                "add element ip services fronts { 10.96.0.9 . tcp . 81 : goto to-10-96-0-9-tcp-81 }"
            )
        );
        rules.set_slice(slice(&[]), true);
        assert!(rules.changes().contains("delete chain ip services to-10-96-0-9-tcp-81"));
        rules.remove_service(&service(81));
        assert_eq!(rules.changes(), "");
    }

    #[test]
    fn pods_that_are_not_ready_get_nothing() {
        let mut rules = Rules::default();
        rules.set_service(service(80));
        let mut slice = slice(&["10.244.0.1"]);
        for endpoint in slice.endpoints.iter_mut().flatten() {
            endpoint.conditions = serde_json::from_value(json!({"ready": false})).unwrap();
        }
        rules.set_slice(slice, false);
        assert_eq!(rules.changes(), "");
    }
}
