//! Filters of listeners (GEP-5224): what every request passes before it is routed.
//!
//! They run in the order in which they stand, whatever they are: there is no order that a proxy could not keep, so none is
//! refused. A filter that leads nowhere closes the listener's hosts, because nothing may be routed without it.

use std::sync::Arc;

use super::{GatewayPlan, Protocol};
use crate::api::http_filter::{HTTPExternalAuthFilter, ListenerFilter};
use crate::api::meta::KGATEWAY_GROUP;
use crate::api::reference::LocalObjectReference;
use crate::backends::{Application, Destination, resolve};
use crate::kinds::World;
use crate::needs::Needs;
use crate::object::{Key, ObjectRef};
use crate::policies::{FilterConfig, POLICIES, PolicyIndex};
use crate::problem::Reason;
use crate::xds::auth::Auth;

/// What the requests of a listener pass before they are routed.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Prerouting {
    /// In this order.
    pub(crate) steps: Vec<Step>,
    /// Whether one is missing that cannot be carried out.
    pub(crate) is_broken: bool,
    /// Where they lead.
    pub(crate) destinations: Vec<Destination>,
    /// Policies among them.
    pub(crate) policies: Vec<ObjectRef>,
}

/// One of them.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// Somebody is asked.
    Auth(Auth),
    /// The filter of the policy at that place of [`POLICIES`] runs.
    Policy(usize, FilterConfig),
}

/// Field of the filter, and what is wrong with it.
type Fault = (String, Reason, String);

/// Looks up what the filters of a Gateway's listeners are, and notes what is wrong with them.
pub(super) fn resolve_all(world: &World, policies: &PolicyIndex, plan: &mut GatewayPlan) {
    for listener in &mut plan.listeners {
        let filters = listener.spec().filters.as_ref().map(|filters| filters.requests.clone());
        let filters = filters.filter(|filters| !filters.is_empty());
        let Some(filters) = filters.filter(|_| listener.protocol.is_some_and(Protocol::has_requests)) else {
            continue;
        };
        let mut found = Prerouting::default();
        for (place, filter) in filters.iter().enumerate() {
            let taken = found.take(world, policies, &listener.owner, filter);
            if let Err((inner, reason, why)) = taken {
                found.is_broken = true;
                listener.note(&format!("filters.requests[{place}].{inner}"), reason, why);
            }
        }
        listener.prerouting = Some(Arc::new(found));
    }
}

impl Prerouting {
    fn take(
        &mut self,
        world: &World,
        policies: &PolicyIndex,
        owner: &ObjectRef,
        filter: &ListenerFilter,
    ) -> Result<(), Fault> {
        let invalid = |why: &str| Err(("type".to_owned(), Reason::InvalidListenerFilter, why.to_owned()));
        match (filter.kind.as_str(), &filter.external_auth, &filter.extension_ref) {
            ("ExternalAuth", Some(auth), None) => self.ask(world, owner, auth),
            ("ExtensionRef", None, Some(named)) => self.run(policies, owner, named),
            ("ExternalAuth" | "ExtensionRef", ..) => invalid("needs the field of its type and no other"),
            (other, ..) => {
                let why = format!("{other} is not supported; supported: ExternalAuth, ExtensionRef");
                Err(("type".to_owned(), Reason::UnsupportedValue, why))
            }
        }
    }

    fn ask(&mut self, world: &World, owner: &ObjectRef, auth: &HTTPExternalAuthFilter) -> Result<(), Fault> {
        let application = if auth.protocol == "GRPC" { Application::Grpc } else { Application::Http };
        let to = resolve(world, owner, &auth.backend_ref, application).map_err(|(reason, why)| {
            let is_grant = reason == Reason::RefNotPermitted;
            let reason = if is_grant { reason } else { Reason::InvalidListenerFilterRef };
            ("externalAuth.backendRef".to_owned(), reason, why)
        })?;
        let auth = Auth::new(auth, &to);
        let at = |(inner, why)| (format!("externalAuth.{inner}"), Reason::InvalidListenerFilter, why);
        self.steps.push(Step::Auth(auth.map_err(at)?));
        self.destinations.push(to);
        Ok(())
    }

    fn run(
        &mut self,
        policies: &PolicyIndex,
        owner: &ObjectRef,
        named: &LocalObjectReference,
    ) -> Result<(), Fault> {
        let nowhere = |why: String| Err(("extensionRef".to_owned(), Reason::InvalidListenerFilterRef, why));
        let LocalObjectReference { group, kind, name } = named;
        if (group.as_str(), kind.as_str()) != (KGATEWAY_GROUP, "TrafficPolicy") {
            return nowhere(format!("{group}/{kind} cannot be a filter; use a TrafficPolicy"));
        }
        let key: Key = (Arc::clone(&owner.namespace), name.as_str().into());
        let applied = policies.named(key);
        if !applied.missing.is_empty() {
            return nowhere(format!("TrafficPolicy {}/{name} does not exist", owner.namespace));
        }
        self.policies.extend(applied.from.iter().map(|policy| policy.reference.clone()));
        if applied.is_broken() {
            return nowhere(format!("TrafficPolicy {}/{name} cannot be carried out", owner.namespace));
        }
        for (place, config) in applied.configs().enumerate().filter_map(|(place, c)| Some((place, c?))) {
            let before = POLICIES[place].before_routing(&config.json).map_err(|(field, why)| {
                let why = format!("TrafficPolicy {}/{name} {field}: {why}", owner.namespace);
                ("extensionRef".to_owned(), Reason::InvalidListenerFilter, why)
            })?;
            self.steps
                .push(Step::Policy(place, FilterConfig { json: before, ..FilterConfig::clone(config) }));
        }
        Ok(())
    }

    /// What they need of what stands around routes.
    pub(crate) fn needs(&self) -> Needs {
        let mut needs = Needs { policies: self.policies.iter().cloned().collect(), ..Needs::default() };
        for step in &self.steps {
            let Step::Policy(place, config) = step else { continue };
            needs.decompression |= config.decompresses;
            // Whoever has secrets come for routes has them come for these, too.
            needs.filters[*place] |= !config.secrets.is_empty();
            needs.secrets[*place].extend(config.secrets.iter().cloned());
        }
        needs
    }
}
