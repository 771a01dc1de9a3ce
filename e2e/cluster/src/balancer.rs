//! Load balancers: gives addresses to Services and keeps the kernel's rules as Services and their pods are.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;

use crate::addresses::Plan;
use crate::network::Namespace;
use crate::services::Rules;

/// How long changes are gathered before the rules are written.
const GATHER: Duration = Duration::from_millis(20);

/// The addresses of load balancers, by the uid of the Service that has them.
struct Pool {
    plan: Plan,
    taken: BTreeMap<Ipv4Addr, String>,
    /// Services whose wish cannot be met yet, by uid.
    waiting: BTreeMap<String, Service>,
}

/// What a Service gets.
#[derive(Debug, PartialEq, Eq)]
enum Grant {
    /// It has what it wants, which may be nothing.
    Nothing,
    /// It gets this address.
    Address(Ipv4Addr),
    /// What it asks for cannot be had.
    Refused,
}

impl Pool {
    fn new(plan: Plan) -> Self {
        Self { plan, taken: BTreeMap::new(), waiting: BTreeMap::new() }
    }

    /// What a new or changed Service gets; one that gets nothing now is asked for again by `retry`.
    fn ask(&mut self, service: &Service) -> Grant {
        let uid = service.uid().unwrap_or_default();
        let grant = self.grant(service);
        if matches!(grant, Grant::Address(_)) || !is_empty_handed(service) {
            self.waiting.remove(&uid);
        } else {
            self.waiting.insert(uid, service.clone());
        }
        grant
    }

    /// What those get that wait, after others gave something back.
    fn retry(&mut self) -> Vec<(Service, Grant)> {
        let waiting: Vec<_> = self.waiting.values().cloned().collect();
        let asked = waiting.into_iter().map(|service| {
            let grant = self.ask(&service);
            (service, grant)
        });
        asked.filter(|(_, grant)| *grant != Grant::Nothing).collect()
    }

    fn grant(&mut self, service: &Service) -> Grant {
        let uid = service.uid().unwrap_or_default();
        let spec = service.spec.as_ref();
        let wants = spec.is_some_and(|spec| {
            spec.type_.as_deref() == Some("LoadBalancer") && spec.load_balancer_class.is_none()
        });
        let asked = spec.and_then(|spec| spec.load_balancer_ip.clone()).filter(|asked| !asked.is_empty());
        let has: Vec<String> = ingress(service).collect();
        if !wants || service.metadata.deletion_timestamp.is_some() {
            return Grant::Nothing;
        }
        if let Some(asked) = asked {
            let free = |address: &Ipv4Addr| self.taken.get(address).is_none_or(|owner| *owner == uid);
            let usable =
                asked.parse().ok().filter(|address| self.plan.serves_load_balancer(*address)).filter(free);
            return match usable {
                Some(_) if has == [asked] => Grant::Nothing,
                Some(address) => self.give(address, uid),
                None if has.is_empty() => Grant::Nothing,
                None => Grant::Refused,
            };
        }
        if !has.is_empty() {
            return Grant::Nothing;
        }
        match self.plan.dynamic_load_balancers().find(|address| !self.taken.contains_key(address)) {
            Some(address) => self.give(address, uid),
            None => Grant::Nothing,
        }
    }

    fn give(&mut self, address: Ipv4Addr, uid: String) -> Grant {
        self.taken.retain(|_, owner| *owner != uid);
        self.taken.insert(address, uid);
        Grant::Address(address)
    }

    fn free(&mut self, service: &Service) {
        let uid = service.uid().unwrap_or_default();
        self.taken.retain(|_, owner| *owner != uid);
        self.waiting.remove(&uid);
    }
}

fn is_empty_handed(service: &Service) -> bool {
    let wants = service.spec.as_ref().is_some_and(|spec| spec.type_.as_deref() == Some("LoadBalancer"));
    wants && service.metadata.deletion_timestamp.is_none() && ingress(service).next().is_none()
}

fn ingress(service: &Service) -> impl Iterator<Item = String> + '_ {
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
    status.into_iter().flatten().filter_map(|ingress| ingress.ip.clone())
}

enum Change {
    Service(Box<Service>, bool),
    Slice(Box<EndpointSlice>, bool),
}

/// Serves Services until the future is dropped.
///
/// # Errors
/// The kernel refuses the table of rules.
pub(crate) async fn run(client: Client, network: Arc<Namespace>, plan: Plan) -> anyhow::Result<()> {
    network.run(&["nft", "-f", "-"], &Rules::table()).await?;
    let services = changes::<Service>(client.clone()).map(|(object, gone)| Change::Service(object, gone));
    let slices = changes::<EndpointSlice>(client.clone()).map(|(object, gone)| Change::Slice(object, gone));
    let all = futures::stream::select(services, slices);
    pin_mut!(all);
    let (mut rules, mut pool) = (Rules::default(), Pool::new(plan));
    while let Some(first) = all.next().await {
        apply(&client, &mut rules, &mut pool, first).await;
        let gathered = tokio::time::sleep(GATHER);
        pin_mut!(gathered);
        while let futures::future::Either::Left((Some(more), _)) =
            futures::future::select(all.next(), &mut gathered).await
        {
            apply(&client, &mut rules, &mut pool, more).await;
        }
        let commands = rules.changes();
        if !commands.is_empty()
            && let Err(error) = network.run(&["nft", "-f", "-"], &commands).await
        {
            tracing::warn!("rules of Services: {error:#}\n{commands}");
        }
    }
    Ok(())
}

async fn apply(client: &Client, rules: &mut Rules, pool: &mut Pool, change: Change) {
    match change {
        Change::Slice(slice, gone) => rules.set_slice(*slice, gone),
        Change::Service(service, true) => {
            pool.free(&service);
            rules.remove_service(&service);
        }
        Change::Service(service, false) => {
            let grant = pool.ask(&service);
            tell(client, &service, &grant).await;
            rules.set_service(*service);
        }
    }
    for (service, grant) in pool.retry() {
        tell(client, &service, &grant).await;
    }
}

async fn tell(client: &Client, service: &Service, grant: &Grant) {
    if let Err(error) = write_status(client, service, grant).await {
        tracing::warn!("status of the Service {}: {error}", service.name_any());
    }
}

async fn write_status(client: &Client, service: &Service, grant: &Grant) -> kube::Result<()> {
    let ingress = match grant {
        Grant::Nothing => return Ok(()),
        Grant::Address(address) => json!([{"ip": address, "ipMode": "VIP"}]),
        Grant::Refused => json!([]),
    };
    let services: Api<Service> = Api::namespaced(client.clone(), &service.namespace().unwrap_or_default());
    let patch = Patch::Merge(json!({"status": {"loadBalancer": {"ingress": ingress}}}));
    match services.patch_status(&service.name_any(), &PatchParams::default(), &patch).await {
        Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(()),
        answer => answer.map(drop),
    }
}

/// All objects of a kind as they come, and whether each is gone.
fn changes<K>(client: Client) -> impl futures::Stream<Item = (Box<K>, bool)>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let events =
        watcher(Api::<K>::all(client), watcher::Config::default().streaming_lists()).default_backoff();
    events.filter_map(|event| async move {
        match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                Some((Box::new(object), false))
            }
            Ok(watcher::Event::Delete(object)) => Some((Box::new(object), true)),
            Ok(watcher::Event::Init | watcher::Event::InitDone) => None,
            Err(error) => {
                tracing::warn!("watching Services: {error}");
                None
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(uid: &str, asked: Option<&str>, has: &[&str]) -> Service {
        let ingress: Vec<_> = has.iter().map(|ip| json!({"ip": ip})).collect();
        serde_json::from_value(json!({
            "metadata": {"uid": uid}, "spec": {"type": "LoadBalancer", "loadBalancerIP": asked},
            "status": {"loadBalancer": {"ingress": ingress}},
        }))
        .unwrap()
    }

    fn pool() -> Pool {
        Pool::new(Plan::of_slot(2))
    }

    #[test]
    fn each_service_gets_an_address_of_its_own_until_it_is_gone() {
        let mut pool = pool();
        let address = |last| Grant::Address(Ipv4Addr::new(10, 240, 2, last));
        assert_eq!(pool.grant(&service("a", None, &[])), address(1));
        assert_eq!(pool.grant(&service("b", None, &[])), address(2));
        assert_eq!(pool.grant(&service("a", None, &["10.240.2.1"])), Grant::Nothing);
        pool.free(&service("a", None, &[]));
        assert_eq!(pool.grant(&service("c", None, &[])), address(1));
    }

    #[test]
    fn an_address_that_is_asked_for_is_given_once_and_only_from_the_pool() {
        let mut pool = pool();
        let wanted = Some("10.240.2.200");
        assert_eq!(pool.grant(&service("a", wanted, &[])), Grant::Address(Ipv4Addr::new(10, 240, 2, 200)));
        assert_eq!(pool.grant(&service("b", wanted, &[])), Grant::Nothing, "it is taken");
        assert_eq!(pool.grant(&service("c", Some("203.0.113.1"), &[])), Grant::Nothing);
        assert_eq!(pool.grant(&service("a", Some("203.0.113.1"), &["10.240.2.200"])), Grant::Refused);
    }

    #[test]
    fn who_waits_for_an_address_gets_it_once_it_is_free() {
        let mut pool = pool();
        let wanted = Some("10.240.2.200");
        let address = Grant::Address(Ipv4Addr::new(10, 240, 2, 200));
        assert_eq!(pool.ask(&service("a", wanted, &[])), address);
        assert_eq!(pool.ask(&service("b", wanted, &[])), Grant::Nothing, "it is taken");
        assert_eq!(pool.retry(), []);
        pool.free(&service("a", wanted, &[]));
        assert_eq!(pool.retry(), [(service("b", wanted, &[]), address)]);
        assert_eq!(pool.retry(), [], "nobody waits any more");
    }

    #[test]
    fn services_of_other_types_get_no_address() {
        let mut service = service("a", None, &[]);
        service.spec.as_mut().unwrap().type_ = Some("ClusterIP".to_owned());
        assert_eq!(pool().grant(&service), Grant::Nothing);
    }
}
