//! Stages of transformations, and the rules of a stage.
//!
//! In Gloo, the first rule that a request matches also decides about its response; where it does not transform the
//! response, the response's own rules do. Here, request and response have a list each.

use serde_json::{Map, Value};

use super::fields::{Field, Fields, join};
use super::matcher::{self, Matches};
use super::notes::Notes;
use super::template;

type Transform = Map<String, Value>;

/// A rule: what must match, and what is done to request and response then.
#[derive(Debug, Default)]
struct Rule {
    path: String,
    matches: Matches,
    request: Option<Transform>,
    response: Option<Transform>,
}

/// `transformations`: one rule for all.
pub(super) fn plain(field: &Field<'_>, notes: &mut Notes) -> Transform {
    let mut fields = Fields::of(field, notes);
    let rule = rule(&mut fields, false, notes);
    fields.finish(notes);
    assembled(&[rule], &[], notes)
}

/// `stagedTransformations`, of which a policy can hold one stage.
pub(super) fn staged(field: &Field<'_>, notes: &mut Notes) -> Option<Transform> {
    let mut fields = Fields::of(field, notes);
    let escapes = fields.flag("escapeCharacters", notes);
    if fields.flag("inheritTransformation", notes) {
        let message =
            "a policy of a route takes the place of that of its Gateway: put the parent's rules after these";
        notes.error(&join(&fields.path, "inheritTransformation"), message);
    }
    leave_out_logging(&mut fields, notes);
    let stages = ["regular", "early", "postRouting"].map(|name| (name, fields.get(name)));
    fields.finish(notes);
    let mut stages =
        stages.into_iter().filter_map(|(name, stage)| Some((name, stage.filter(does_something)?)));
    let (name, stage) = stages.next()?;
    for (_, other) in stages {
        let message = format!(
            "a policy has one transformation, and `{name}` takes it: merge this stage into that one, or leave it out"
        );
        notes.error(&other.path, message);
    }
    match name {
        "early" => notes.warn(
            &stage.path,
            "ran before authentication and rate limiting in Gloo; a policy's transformation has one place in the chain of \
             filters, whatever the stage was",
        ),
        "postRouting" => notes.warn(
            &stage.path,
            "ran after the route was chosen, and again for each retry; here it runs once, before",
        ),
        _ => {}
    }
    Some(one_stage(&stage, escapes, notes))
}

fn does_something(stage: &Field<'_>) -> bool {
    stage.value.as_object().is_none_or(|members| !members.is_empty())
}

fn one_stage(stage: &Field<'_>, escapes: bool, notes: &mut Notes) -> Transform {
    let mut fields = Fields::of(stage, notes);
    let (requests, responses) =
        (fields.items("requestTransforms", notes), fields.items("responseTransforms", notes));
    fields.finish(notes);
    let requests: Vec<_> = requests.iter().filter_map(|field| request_rule(field, escapes, notes)).collect();
    let responses: Vec<_> =
        responses.iter().filter_map(|field| response_rule(field, escapes, notes)).collect();
    assembled(&requests, &responses, notes)
}

fn rule(fields: &mut Fields<'_>, escapes: bool, notes: &mut Notes) -> Rule {
    let clears = fields.flag("clearRouteCache", notes);
    let mut request = transformed(fields, "requestTransformation", escapes, notes);
    if let Some(request) = request.as_mut().filter(|_| clears) {
        request.insert("clearRouteCache".to_owned(), true.into());
    }
    let response = transformed(fields, "responseTransformation", escapes, notes);
    Rule { path: fields.path.clone(), matches: Matches::all(), request, response }
}

/// None if what it is for cannot be said.
fn request_rule(field: &Field<'_>, escapes: bool, notes: &mut Notes) -> Option<Rule> {
    let mut fields = Fields::of(field, notes);
    let matches =
        fields.get("matcher").map_or_else(|| Some(Matches::all()), |it| matcher::request(&it, notes));
    let rule = rule(&mut fields, escapes, notes);
    fields.finish(notes);
    Some(Rule { matches: matches?, ..rule })
}

/// As [`request_rule`].
fn response_rule(field: &Field<'_>, escapes: bool, notes: &mut Notes) -> Option<Rule> {
    let mut fields = Fields::of(field, notes);
    let matches = matcher::response(&mut fields, notes);
    let response = transformed(&mut fields, "responseTransformation", escapes, notes);
    fields.finish(notes);
    Some(Rule { path: field.path.clone(), matches: matches?, request: None, response })
}

fn transformed(fields: &mut Fields<'_>, name: &str, escapes: bool, notes: &mut Notes) -> Option<Transform> {
    let field = fields.get(name)?;
    let mut kinds = Fields::of(&field, notes);
    leave_out_logging(&mut kinds, notes);
    let template = kinds.get("transformationTemplate").map(|it| template::transform(&it, escapes, notes));
    let of_request = name == "requestTransformation";
    let wrapped = kinds.get("headerBodyTransform").map(|it| template::header_body(&it, of_request, notes));
    if let Some(xslt) = kinds.get("xsltTransformation") {
        notes.error(&xslt.path, "there are no XSLT transformations: do it in a service of your own");
    }
    kinds.finish(notes);
    Some(template.or(wrapped).unwrap_or_default())
}

fn leave_out_logging(fields: &mut Fields<'_>, notes: &mut Notes) {
    if let Some(field) = fields.get("logRequestResponseInfo") {
        notes.warn(&field.path, "is left out: messages are not logged");
    }
}

/// Lists of matches for requests and for responses.
fn assembled(requests: &[Rule], responses: &[Rule], notes: &mut Notes) -> Transform {
    let mut request = List::default();
    for rule in requests {
        if request.base.is_some() {
            notes.warn(
                &rule.path,
                "is never reached, because a rule before it matches every request, and is left out",
            );
        }
        request.push(&rule.matches, rule.request.clone());
    }
    let mut response = List::default();
    if requests.iter().any(|rule| rule.response.is_some()) {
        for rule in requests {
            if !rule.matches.suit_responses() {
                notes.error(
                    &join(&rule.path, "matcher.headers"),
                    "a response is not matched by header fields of its request: match the path instead, or decide in the \
                     template by `request_header(…)`",
                );
                continue;
            }
            if rule.response.is_none() {
                for other in responses {
                    response.push(&rule.matches.and(&other.matches), other.response.clone());
                }
            }
            response.push(&rule.matches, rule.response.clone());
        }
    }
    for rule in responses {
        response.push(&rule.matches, rule.response.clone());
    }
    let sides = [("request", request.into_transform()), ("response", response.into_transform())];
    sides.into_iter().filter_map(|(name, side)| Some((name.to_owned(), Value::Object(side?)))).collect()
}

/// Matches in their order, and what is done to what none of them matches.
#[derive(Debug, Default)]
struct List {
    matches: Vec<(Transform, Transform)>,
    base: Option<Transform>,
}

impl List {
    fn push(&mut self, matches: &Matches, transform: Option<Transform>) {
        if self.base.is_some() {
            return;
        }
        let transform = transform.unwrap_or_default();
        match matches {
            Matches::All => self.base = Some(transform),
            Matches::Any(any) => self.matches.extend(any.iter().map(|one| (one.clone(), transform.clone()))),
        }
    }

    /// None if nothing is transformed.
    fn into_transform(mut self) -> Option<Transform> {
        let mut transform = self.base.unwrap_or_default();
        while transform.is_empty() && self.matches.last().is_some_and(|(_, last)| last.is_empty()) {
            self.matches.pop();
        }
        let entry = |(one, transform)| {
            let pair = [("match", Value::Object(one)), ("transform", Value::Object(transform))];
            Value::Object(pair.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
        };
        let entries: Vec<Value> = self.matches.into_iter().map(entry).collect();
        if !entries.is_empty() {
            transform.insert("matches".to_owned(), entries.into());
        }
        (!transform.is_empty()).then_some(transform)
    }
}
