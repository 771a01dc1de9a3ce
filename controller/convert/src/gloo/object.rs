//! Kinds of objects, and where they hold transformations.

use serde_json::{Map, Value, json};

use super::fields::{Field, Fields, join};
use super::notes::Notes;
use super::{stages, template};

const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// The object as `Kind namespace/name`.
pub(super) fn called(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (kind, namespace, name) = (text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
    match (kind.is_empty(), namespace.is_empty()) {
        (true, _) => "a document without a kind".to_owned(),
        (false, true) => format!("{kind} {name}"),
        (false, false) => format!("{kind} {namespace}/{name}"),
    }
}

/// What a policy is called and attached to.
#[derive(Clone, Debug)]
struct Frame {
    name: String,
    namespace: Option<String>,
    targets: Vec<Value>,
}

impl Frame {
    fn of(object: &Value) -> Self {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Self {
            name: text("/metadata/name").unwrap_or_default(),
            namespace: text("/metadata/namespace"),
            targets: Vec::new(),
        }
    }

    /// The frame of a part of the object, which is called after both.
    fn of_part(&self, part: &str) -> Self {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' };
        let name =
            format!("{}-{part}", self.name).chars().map(plain).collect::<String>().to_ascii_lowercase();
        Self { name: name.trim_matches(['-', '.']).to_owned(), ..self.clone() }
    }

    fn policy(&self, transformation: Map<String, Value>) -> Value {
        let mut metadata = Map::from_iter([("name".to_owned(), json!(self.name))]);
        metadata.extend(self.namespace.iter().map(|namespace| ("namespace".to_owned(), json!(namespace))));
        let mut spec = Map::new();
        if !self.targets.is_empty() {
            spec.insert("targetRefs".to_owned(), json!(self.targets));
        }
        spec.insert("transformation".to_owned(), Value::Object(transformation));
        json!({
            "apiVersion": "gateway.kgateway.dev/v1alpha1",
            "kind": "TrafficPolicy",
            "metadata": metadata,
            "spec": spec,
        })
    }
}

/// The policies that an object comes to.
pub(super) fn policies(object: &Field<'_>, notes: &mut Notes) -> Vec<Value> {
    let kind = object.value.get("kind").and_then(Value::as_str).unwrap_or_default();
    let mut frame = Frame::of(object.value);
    if frame.name.is_empty() {
        notes.error("metadata.name", "is missing");
    }
    let spec = Field { value: object.value.get("spec").unwrap_or(&Value::Null), path: "spec".to_owned() };
    match kind {
        "RouteOption" => option(&mut frame, &spec, "HTTPRoute", notes),
        "VirtualHostOption" => option(&mut frame, &spec, "Gateway", notes),
        "VirtualService" => virtual_service(&frame, &spec, notes),
        "RouteTable" => routes(&frame, &mut Fields::of(&spec, notes), notes),
        "Upstream" => upstream(&frame, &spec, notes),
        _ => {
            let kinds = "RouteOption, VirtualHostOption, VirtualService, RouteTable, Upstream";
            notes.warn("", format!("is left out: transformations are in objects of the kinds {kinds}"));
            Vec::new()
        }
    }
}

fn option(frame: &mut Frame, spec: &Field<'_>, kind: &str, notes: &mut Notes) -> Vec<Value> {
    let mut spec = Fields::of(spec, notes);
    frame.targets = spec
        .items("targetRefs", notes)
        .iter()
        .filter_map(|target| target_reference(target, kind, frame.namespace.as_deref(), notes))
        .collect();
    if frame.targets.is_empty() {
        let message = format!(
            "names no target, so the policy has none: give it `targetRefs` to the {kind}s that refer to this object"
        );
        notes.warn(&join(&spec.path, "targetRefs"), message);
    }
    let options = spec.get("options");
    spec.finish(notes);
    let transformation = options.and_then(|options| transformation(&options, notes));
    transformation.map(|transformation| frame.policy(transformation)).into_iter().collect()
}

fn target_reference(
    target: &Field<'_>,
    kind: &str,
    namespace: Option<&str>,
    notes: &mut Notes,
) -> Option<Value> {
    let mut fields = Fields::of(target, notes);
    let named = fields.text("kind", notes).unwrap_or(kind);
    let other = fields.text("namespace", notes).filter(|other| Some(*other) != namespace);
    let mut reference = json!({
        "group": fields.text("group", notes).unwrap_or(GATEWAY_API),
        "kind": named,
        "name": fields.text("name", notes).unwrap_or_default(),
    });
    if let (Some(section), Some(members)) = (fields.text("sectionName", notes), reference.as_object_mut()) {
        members.insert("sectionName".to_owned(), section.into());
    }
    fields.finish(notes);
    if named != kind {
        notes.error(&join(&target.path, "kind"), format!("`{named}` is no {kind}"));
    }
    if let Some(other) = other {
        let message = format!(
            "a TrafficPolicy has its targets in its own namespace: put the policy into `{other}` by hand"
        );
        notes.error(&join(&target.path, "namespace"), message);
        return None;
    }
    Some(reference)
}

fn virtual_service(frame: &Frame, spec: &Field<'_>, notes: &mut Notes) -> Vec<Value> {
    let mut spec = Fields::of(spec, notes);
    let Some(mut host) = spec.object("virtualHost", notes) else { return Vec::new() };
    let domains: Vec<_> =
        host.items("domains", notes).iter().map(|domain| domain.value.to_string()).collect();
    let whole = host.get("options").and_then(|options| {
        let transformation = transformation(&options, notes)?;
        let message = format!(
            "the policy has no target: give it `targetRefs` to the Gateway, or its listener, that serves {}",
            if domains.is_empty() { "this host".to_owned() } else { domains.join(", ") }
        );
        notes.warn(&options.path, message);
        Some(frame.policy(transformation))
    });
    let mut policies: Vec<_> = whole.into_iter().collect();
    policies.extend(routes(frame, &mut host, notes));
    policies
}

fn routes(frame: &Frame, around: &mut Fields<'_>, notes: &mut Notes) -> Vec<Value> {
    let mut policies = Vec::new();
    for (number, route) in around.items("routes", notes).iter().enumerate() {
        let mut fields = Fields::of(route, notes);
        let name = fields.text("name", notes).map_or_else(|| number.to_string(), str::to_owned);
        let matchers = fields.items("matchers", notes);
        for (name, value) in fields.other_than(&["options"]) {
            refuse_elsewhere(&join(&fields.path, name), value, notes);
        }
        let Some(options) = fields.get("options") else { continue };
        let Some(transformation) = transformation(&options, notes) else { continue };
        let frame = frame.of_part(&name);
        let matched: Vec<_> = matchers.iter().map(|matcher| matcher.value.to_string()).collect();
        let message = format!(
            "the policy `{}` has no target: give it `targetRefs` to the HTTPRoute (by sectionName, to the rule) \
             that matches {}",
            frame.name,
            if matched.is_empty() { "all paths".to_owned() } else { matched.join(" or ") }
        );
        notes.warn(&options.path, message);
        policies.push(frame.policy(transformation));
    }
    policies
}

/// Says which transformations are where no policy can be attached, such as at a destination with a weight.
fn refuse_elsewhere(path: &str, value: &Value, notes: &mut Notes) {
    match value {
        Value::Array(items) => {
            let numbered = items.iter().enumerate();
            numbered.for_each(|(number, item)| refuse_elsewhere(&format!("{path}[{number}]"), item, notes));
        }
        Value::Object(members) => {
            for (name, value) in members {
                let path = join(path, name);
                if matches!(&**name, "transformations" | "stagedTransformations") {
                    let message = "only routes and hosts can be converted: give this destination a rule of its own, and \
                         the rule the transformation";
                    notes.error(&path, message);
                } else {
                    refuse_elsewhere(&path, value, notes);
                }
            }
        }
        _ => {}
    }
}

/// Functions of a REST service: each has a transformation of requests.
fn upstream(frame: &Frame, spec: &Field<'_>, notes: &mut Notes) -> Vec<Value> {
    let mut policies = Vec::new();
    for (kind, service) in spec.value.as_object().into_iter().flatten() {
        let Some(rest) = service.pointer("/serviceSpec/rest") else { continue };
        let rest = Field { value: rest, path: format!("spec.{kind}.serviceSpec.rest") };
        for (function, template) in Fields::of(&rest, notes).entries("transformations", notes) {
            let transform = template::transform(&template, false, notes);
            let frame = frame.of_part(function);
            let message = format!(
                "the policy `{}` has no target: give it `targetRefs` to the HTTPRoutes that call the function \
                 `{function}` of this upstream, and set by hand what their `parameters` extract",
                frame.name
            );
            notes.warn(&template.path, message);
            policies.push(frame.policy(Map::from_iter([("request".to_owned(), Value::Object(transform))])));
        }
    }
    if policies.is_empty() {
        notes.warn("", "holds no transformation");
    }
    policies
}

/// The transformation that the options of a route or host hold.
fn transformation(options: &Field<'_>, notes: &mut Notes) -> Option<Map<String, Value>> {
    let before = notes.errors();
    let mut fields = Fields::of(options, notes);
    let (plain, staged) = (fields.get("transformations"), fields.get("stagedTransformations"));
    for other in fields.rest() {
        notes.warn(&join(&fields.path, other), "is no transformation and is left out");
    }
    let transformation = match (plain, staged) {
        (None, None) => Some(Map::new()),
        (Some(plain), None) => Some(stages::plain(&plain, notes)),
        (None, Some(staged)) => stages::staged(&staged, notes),
        (Some(_), Some(staged)) => {
            notes.error(
                &staged.path,
                "stands beside `transformations`, and only one of both is converted: merge them",
            );
            None
        }
    };
    let nothing = transformation.as_ref().is_some_and(Map::is_empty);
    if nothing && notes.errors() == before {
        notes.warn(&fields.path, "holds no transformation");
    }
    transformation.filter(|_| !nothing)
}
