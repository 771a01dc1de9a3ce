//! Which function is meant: a route, a rule, a backend.

use std::sync::Arc;

use anyhow::{Context, bail};
use ferrule_translate::api::http_route::{HTTPRoute, HTTPRouteMatch, HTTPRouteRule};
use ferrule_translate::api::meta::GATEWAY_GROUP;
use ferrule_translate::{FunctionCall, Key, ObjectRef, Problem};

use crate::cli::InvokeArgs;
use crate::diagnostic::{Diagnostic, Severity};
use crate::offline::Workbench;

/// A function behind a route.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) route: ObjectRef,
    /// The rule, for people.
    pub(super) rule: String,
    pub(super) call: FunctionCall,
    /// A request that the rule matches, as far as it says.
    pub(super) method: Option<String>,
    pub(super) path: String,
    pub(super) hostname: String,
    /// Name of the route in Envoy.
    pub(super) name: String,
    /// What the proxy would do besides.
    pub(super) skipped: Vec<String>,
}

/// The function that the arguments mean, or why it cannot be called.
///
/// # Errors
/// There is no such route, rule or backend.
pub(super) fn find(args: &InvokeArgs, bench: &Workbench) -> anyhow::Result<Result<Target, Problem>> {
    let (key, route) = route(args, bench)?;
    let reference = reference(&key);
    let places = match &args.rule {
        Some(named) => vec![rule(&reference, &route, named)?],
        None => (0..route.spec.rules.len()).collect(),
    };
    let mut faults = Vec::new();
    for place in places {
        for call in bench.pipeline().calls(&key, place) {
            match call {
                Ok(call) if is_meant(args, &call.backend.name) => {
                    return Ok(Ok(Target::new(reference, &route, place, call)));
                }
                Ok(_) => {}
                Err(problem) => faults.push(problem),
            }
        }
    }
    match faults.into_iter().next() {
        Some(fault) => Ok(Err(fault)),
        None => bail!("{reference}: {}", nothing(args)),
    }
}

fn is_meant(args: &InvokeArgs, backend: &str) -> bool {
    args.backend.as_deref().is_none_or(|meant| meant == backend)
}

/// What is not there, in words.
fn nothing(args: &InvokeArgs) -> String {
    let whose = args.rule.as_ref().map(|rule| format!("spec.rules: rule {rule}"));
    let whose = whose.unwrap_or_else(|| "spec.rules: the route".to_owned());
    let by = args.backend.as_ref().map(|backend| format!(" by a Backend {backend}"));
    format!("{whose} calls no function{}", by.unwrap_or_default())
}

fn route(args: &InvokeArgs, bench: &Workbench) -> anyhow::Result<(Key, Arc<HTTPRoute>)> {
    let (namespace, name) = args.route.split_once('/').unwrap_or(("default", &args.route));
    let key: Key = (namespace.into(), name.into());
    let routes = &bench.pipeline().world().http_routes;
    let found = routes.get(&key).with_context(|| {
        let known: Vec<String> =
            routes.keys().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        format!(
            "HTTPRoute {namespace}/{name} does not exist in {}; there are: {known}",
            args.folder.folder.display()
        )
    })?;
    Ok((key, Arc::clone(found)))
}

fn reference((namespace, name): &Key) -> ObjectRef {
    ObjectRef::new(GATEWAY_GROUP, "HTTPRoute", namespace, name)
}

/// The place of the rule that is named so, or that is counted so.
fn rule(on: &ObjectRef, route: &HTTPRoute, named: &str) -> anyhow::Result<usize> {
    let rules = &route.spec.rules;
    let by_name = rules.iter().position(|rule| rule.name.as_deref() == Some(named));
    let counted = || named.parse().ok().filter(|place| *place < rules.len());
    by_name.or_else(counted).with_context(|| format!("{on}: spec.rules: there is no rule {named}"))
}

/// What is wrong with the objects that a call goes by.
pub(super) fn wrong<'d>(
    args: &InvokeArgs,
    found: Option<&Target>,
    diagnostics: &'d [Diagnostic],
) -> Vec<&'d Diagnostic> {
    let (namespace, name) = args.route.split_once('/').unwrap_or(("default", &args.route));
    let mut objects = vec![format!("HTTPRoute {namespace}/{name}")];
    if let Some(Target { call, .. }) = found {
        objects.push(call.backend.to_string());
        objects.extend(call.policy.as_ref().map(ToString::to_string));
    }
    let is_on_the_way = |object: &String| match found {
        Some(_) => objects.contains(object),
        // Whatever it is that has no meaning: the reason may be another object's.
        None => {
            objects.contains(object)
                || ["Backend ", "LambdaPolicy "].iter().any(|kind| object.starts_with(kind))
        }
    };
    let errors = diagnostics.iter().filter(|one| one.severity == Severity::Error);
    errors.filter(|one| one.object.is_empty() || is_on_the_way(&one.object)).collect()
}

impl Target {
    fn new(reference: ObjectRef, route: &HTTPRoute, place: usize, call: FunctionCall) -> Self {
        let rule = &route.spec.rules[place];
        let matched = rule.matches.first();
        let hostname = route.spec.hostnames.iter().find(|name| !name.starts_with('*'));
        let named = rule.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        Self {
            rule: format!("spec.rules[{place}]{named}, {}", matches(rule)),
            method: matched.and_then(|matched| matched.method.clone()),
            path: matched.and_then(example).unwrap_or_else(|| "/".to_owned()),
            hostname: hostname.cloned().unwrap_or_else(|| "localhost".to_owned()),
            name: reference.to_string(),
            skipped: skipped(rule, call.place),
            route: reference,
            call,
        }
    }
}

/// A path that is matched, where that is plain.
fn example(matched: &HTTPRouteMatch) -> Option<String> {
    let path = matched.path.as_ref()?;
    (path.kind.as_deref() != Some("RegularExpression")).then(|| path.value.clone())?
}

fn matches(rule: &HTTPRouteRule) -> String {
    let told = |matched: &HTTPRouteMatch| {
        let path = matched.path.as_ref();
        let kind = path.and_then(|path| path.kind.as_deref()).unwrap_or("PathPrefix");
        let value = path.and_then(|path| path.value.as_deref()).unwrap_or("/");
        let method = matched.method.as_ref().map(|method| format!("{method} ")).unwrap_or_default();
        let more =
            if matched.headers.is_empty() && matched.query_params.is_empty() { "" } else { " and more" };
        format!("{method}{kind} {value}{more}")
    };
    match rule.matches.is_empty() {
        true => "all requests".to_owned(),
        false => rule.matches.iter().map(told).collect::<Vec<_>>().join(" or "),
    }
}

/// Filters of the rule and of its backend.
fn skipped(rule: &HTTPRouteRule, place: usize) -> Vec<String> {
    let of_rule = rule.filters.iter().map(|filter| format!("filter {} of the rule", filter.kind));
    let backend = rule.backend_refs.get(place).into_iter().flat_map(|backend| &backend.filters);
    of_rule.chain(backend.map(|filter| format!("filter {} of the backend", filter.kind))).collect()
}
