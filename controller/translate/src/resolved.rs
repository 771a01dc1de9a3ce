//! What the references of one rule lead to: those to backends, and those in filters.

use std::sync::Arc;

use crate::api::http_filter::HTTPExternalAuthFilter;
use crate::api::http_route::{HTTPRouteFilter, HTTPRouteRule};
use crate::api::reference::BackendObjectReference;
use crate::aws::{Functions, Outbound, Signing};
use crate::backends::{Application, Destination, Named, Unresolved, find, resolve};
use crate::kinds::World;
use crate::object::{Key, ObjectRef};
use crate::problem::{Problem, Reason};

/// Where a reference leads, or why nowhere.
pub(crate) type Found = Result<Destination, Unresolved>;

/// Where a list of filters stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Rule,
    /// The backend at that place.
    Backend(usize),
}

impl Level {
    /// Path of the list in the rule.
    pub(crate) fn list(self) -> String {
        match self {
            Self::Rule => "filters".to_owned(),
            Self::Backend(place) => format!("backendRefs[{place}].filters"),
        }
    }
}

/// What the references of a rule lead to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Resolved {
    /// By backend reference.
    pub(crate) backends: Vec<Found>,
    /// By backend reference: what its requests become, where they do not stay as they are.
    pub(crate) outbound: Vec<Option<Arc<Outbound>>>,
    in_filters: Vec<InFilter>,
}

#[derive(Clone, Debug, PartialEq)]
struct InFilter {
    level: Level,
    place: usize,
    field: &'static str,
    found: Found,
}

impl Resolved {
    /// Resolves the references of a rule of `from`.
    pub(crate) fn of(world: &World, functions: &Functions, from: &ObjectRef, rule: &HTTPRouteRule) -> Self {
        let application = Application::of_route(&from.kind);
        let backends = rule.backend_refs.iter().map(|named| match application {
            Application::Http => becoming(functions, find(world, from, named, application), |to| {
                functions.signings.of(world, from, rule.name.as_deref(), to)
            }),
            _ => (unsigned(functions, world, from, resolve(world, from, named, application)), None),
        });
        let (backends, outbound) = backends.unzip();
        let in_filters = filters(rule).filter_map(|(level, place, filter)| {
            let (field, named, application) = named_by(filter, application)?;
            Some(InFilter { level, place, field, found: resolve(world, from, named, application) })
        });
        let mut in_filters: Vec<InFilter> = in_filters.collect();
        in_filters.shrink_to_fit();
        Self { backends, outbound, in_filters }
    }

    /// Where the filter at that place leads.
    pub(crate) fn in_filter(&self, level: Level, place: usize) -> Option<&Destination> {
        let filter = self.in_filters.iter().find(|one| one.level == level && one.place == place);
        filter.and_then(|filter| filter.found.as_ref().ok())
    }

    /// Everywhere that anything leads.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = &Destination> {
        let in_filters = self.in_filters.iter().map(|filter| &filter.found);
        self.backends.iter().chain(in_filters).flatten()
    }

    /// What leads nowhere. `field` is the rule's.
    pub(crate) fn problems(&self, on: &ObjectRef, field: &str) -> Vec<Problem> {
        let problem = |inner: String, found: &Found| {
            let (reason, why) = found.as_ref().err()?;
            Some(Problem::new(on, format!("{field}.{inner}"), *reason, why))
        };
        let backends = self.backends.iter().enumerate();
        let backends = backends.filter_map(|(place, found)| problem(format!("backendRefs[{place}]"), found));
        let in_filters = self.in_filters.iter().filter_map(|InFilter { level, place, field, found }| {
            problem(format!("{}[{place}].{field}", level.list()), found)
        });
        backends.chain(in_filters).collect()
    }
}

/// What requests become on their way there: calls of a function, or signed. Where that cannot be, it leads nowhere.
fn becoming<'a>(
    functions: &Functions,
    found: Found,
    signing: impl FnOnce(&Destination) -> Option<&'a Signing>,
) -> (Found, Option<Arc<Outbound>>) {
    let Ok(to) = &found else { return (found, None) };
    let function = match to {
        Destination::Backend(key, _) => functions.get(key).map(|made| (to.reference(), made)),
        Destination::Service(..) => None,
    };
    let made = function.or_else(|| signing(to).map(|signing| (signing.policy(), &signing.made)));
    match made {
        None => (found, None),
        Some((_, Ok(outbound))) => {
            let outbound = Some(Arc::clone(outbound));
            (found, outbound)
        }
        Some((by, Err(fault))) => {
            let why = format!("{by} is not valid: {}", fault.why);
            (Err((Reason::BackendNotFound, why)), None)
        }
    }
}

/// What is to be signed is not sent by those who cannot have it signed.
fn unsigned(functions: &Functions, world: &World, from: &ObjectRef, found: Found) -> Found {
    let to = found?;
    match functions.signings.of(world, from, None, &to) {
        Some(signing) => Err((
            Reason::UnsupportedAppProtocol,
            format!(
                "{} is about {}, and signs requests of HTTPRoutes only",
                signing.policy(),
                to.reference()
            ),
        )),
        None => Ok(to),
    }
}

/// The objects that a rule of a route in `namespace` names, whether or not they exist.
pub(crate) fn named(namespace: &str, rule: &HTTPRouteRule) -> Vec<Key> {
    let backends = rule.backend_refs.iter().map(|backend| Named::from(backend).key(namespace));
    let in_filters = filters(rule).filter_map(|(_, _, filter)| named_by(filter, Application::Http));
    backends.chain(in_filters.map(|(_, named, _)| Named::from(named).key(namespace))).collect()
}

fn filters(rule: &HTTPRouteRule) -> impl Iterator<Item = (Level, usize, &HTTPRouteFilter)> {
    let backends = rule.backend_refs.iter().enumerate();
    let of_backends = backends.map(|(place, backend)| (Level::Backend(place), &backend.filters));
    std::iter::once((Level::Rule, &rule.filters)).chain(of_backends).flat_map(|(level, filters)| {
        filters.iter().enumerate().map(move |(place, filter)| (level, place, filter))
    })
}

/// What a filter names: the field, the backend, and what is spoken to it.
fn named_by(
    filter: &HTTPRouteFilter,
    application: Application,
) -> Option<(&'static str, &BackendObjectReference, Application)> {
    let mirror = || filter.request_mirror.as_deref();
    let asked = |auth: &HTTPExternalAuthFilter| match auth.protocol.as_str() {
        "GRPC" => Application::Grpc,
        _ => Application::Http,
    };
    match filter.kind.as_str() {
        "RequestMirror" => {
            mirror().map(|mirror| ("requestMirror.backendRef", &mirror.backend_ref, application))
        }
        "ExternalAuth" => {
            let auth = filter.external_auth.as_deref();
            auth.map(|auth| ("externalAuth.backendRef", &auth.backend_ref, asked(auth)))
        }
        _ => None,
    }
}
