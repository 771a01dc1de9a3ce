//! A plan run on a message: everything is rendered first, then everything is edited.
//!
//! Invariant: on an error no byte of the message and no metadata has changed.

use ferrule_kit::{Host, Message};

use crate::annotation::Annotation;
use crate::config::ParseAs;
use crate::edits::{Edits, FieldEdit, NewBody};
use crate::field;
use crate::limits::{MAX_BODY, MAX_VALUE};
use crate::merge::{LeafValue, Merge, quoted};
use crate::plan::{BodyPlan, FieldPlan, Plan};
use crate::problem::{Cause, Problem};
use crate::rope::{Bytes, Rope};
use crate::scope::{MessageScope, Pseudonyms, View};
use crate::surroundings::Surroundings;
use crate::template::{Failure, Meter, Template};
use crate::wrap;
use ferrule_json::Document;

/// What the filter knows of the exchange that the message does not tell.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) pseudonyms: Pseudonyms,
    /// The client asked by HEAD, so the response has no body (RFC 9110 §9.3.2).
    pub(crate) is_head: bool,
}

/// Renders all that `plan` asks for. `body` is none where the body is not held.
pub(crate) fn render<'a>(
    plan: &'a Plan,
    surroundings: &'a Surroundings,
    exchange: &mut Exchange,
    host: &dyn Host,
    body: Option<&'a [u8]>,
) -> Result<Edits<'a>, Problem> {
    let bytes = body.unwrap_or_default();
    if !bytes.is_empty() && is_encoded(host, plan.message) {
        return Err(Problem { path: format!("{}.body", plan.path), cause: Cause::Encoding });
    }
    let document = parse(plan, bytes)?;
    let document = document.as_ref();
    let bodiless = Bodiless::of(plan, exchange, host, body.is_some());
    let meter = Meter::for_body(bytes.len());
    let view = View::of(plan, surroundings, bytes);
    let scope = MessageScope::new(host, &mut exchange.pseudonyms, view, document);
    let rendering = Rendering { plan, scope: &scope, meter: &meter, document };
    let new_body = if bodiless.wants_body() { rendering.body(bytes)? } else { NewBody::Same };
    scope.show_edits(true);
    rendering.fields()?;
    scope.show_edits(false);
    let annotation = Annotation { scope: &scope, meter: &meter, at: &plan.path };
    let metadata = annotation.metadata(&plan.metadata)?;
    let span_name = annotation.span_name(plan.span_name.as_ref())?;
    let mut edits = Edits { fields: scope.into_edits(), body: new_body, metadata, span_name };
    bodiless.enforce(&mut edits);
    Ok(edits)
}

fn parse<'b>(plan: &Plan, body: &'b [u8]) -> Result<Option<Document<'b>>, Problem> {
    if plan.parse_as != ParseAs::AsJson || body.is_empty() {
        return Ok(None);
    }
    match Document::parse(body, &plan.names) {
        Ok(document) => Ok(Some(document)),
        Err(_) if plan.ignores_parse_errors => Ok(None),
        Err(error) => Err(Problem { path: format!("{}.body", plan.path), cause: Cause::Json(error) }),
    }
}

/// Whether the body's bytes are not its text (RFC 9110 §8.4).
fn is_encoded(host: &dyn Host, message: Message) -> bool {
    if host.field(message.headers(), "content-encoding").is_none() {
        return false;
    }
    let codings = host.field_values(message.headers(), "content-encoding");
    let mut codings = codings.iter().flat_map(|line| line.split(|byte| *byte == b','));
    let plain = |coding: &[u8]| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity");
    codings.any(|coding| !plain(coding.trim_ascii()))
}

/// Whether a response may have a body (RFC 9110 §6.4.1): not to HEAD, not with 204 or 304. Nothing of a plan that touches
/// neither body nor status.
struct Bodiless {
    replaces: bool,
    sets_status: bool,
    is_head: bool,
    status: Option<u16>,
}

impl Bodiless {
    fn of(plan: &Plan, exchange: &Exchange, host: &dyn Host, held: bool) -> Self {
        let replaces = plan.body.is_some() && held;
        let sets_status = plan.sets_status();
        let concerned = plan.message == Message::Response && (replaces || sets_status);
        let status = || field::status(&host.field(plan.message.headers(), ":status")?);
        let status = if concerned { status() } else { None };
        Self { replaces, sets_status, is_head: concerned && exchange.is_head, status }
    }

    fn by_status(status: Option<u16>) -> bool {
        matches!(status, Some(204 | 304))
    }

    fn wants_body(&self) -> bool {
        self.replaces && !self.is_head && (!Self::by_status(self.status) || self.sets_status)
    }

    fn enforce(&self, edits: &mut Edits<'_>) {
        let set = if self.sets_status { edits.set_to(":status").and_then(field::status) } else { None };
        let newly = set != self.status && Self::by_status(set);
        let already = self.is_head || Self::by_status(set.or(self.status));
        if newly || (already && self.replaces) {
            edits.body = NewBody::Forbidden;
        }
    }
}

/// The templates of a plan, one kind after the other.
struct Rendering<'a, 's, 'h> {
    plan: &'a Plan,
    scope: &'s MessageScope<'a, 'h>,
    meter: &'s Meter,
    document: Option<&'s Document<'a>>,
}

impl<'a> Rendering<'a, '_, '_> {
    fn template(
        &self,
        template: &'a Template,
        limit: usize,
        path: impl Fn() -> String,
    ) -> Result<Rope<'a>, Problem> {
        let rendered = template.render(self.scope, self.meter, limit);
        rendered.map_err(|failure| Problem { path: path(), cause: Cause::Render(failure) })
    }

    fn body(&self, old: &'a [u8]) -> Result<NewBody<'a>, Problem> {
        let at = &self.plan.path;
        let new = match &self.plan.body {
            None => return Ok(NewBody::Same),
            Some(BodyPlan::Template(template)) => {
                let limit = MAX_BODY.saturating_add(old.len().saturating_mul(2));
                self.template(template, limit, || format!("{at}.body.value"))?
            }
            Some(BodyPlan::Merge(merge)) => self.merged(merge, old)?,
            Some(BodyPlan::Wrap { metadata }) => {
                wrap::wrap(self.scope.host(), self.plan.message, old, *metadata).map_err(|cause| Problem {
                    path: format!("{at}.headerBodyTransform"),
                    cause: Cause::Wrap(cause),
                })?
            }
        };
        Ok(NewBody::Replaced(new))
    }

    /// The body with members set; one that is empty or, where that is allowed, no JSON stays as it is.
    fn merged(&self, merge: &'a Merge, old: &'a [u8]) -> Result<Rope<'a>, Problem> {
        let mut out = Rope::with_room_for(old.len());
        let Some(document) = self.document else {
            out.lend(old);
            return Ok(out);
        };
        let mut values = Vec::with_capacity(merge.leaves.len());
        for leaf in &merge.leaves {
            values.push(self.leaf(&leaf.path, &leaf.value)?);
        }
        let root = document.root().place_in(old);
        out.lend(old.get(..root.start).unwrap_or_default());
        merge.apply(document, &self.plan.names, &values, &mut out).map_err(|error| Problem {
            path: format!("{}.body", self.plan.path),
            cause: Cause::Merge(error),
        })?;
        out.lend(old.get(root.end..).unwrap_or_default());
        Ok(out)
    }

    /// The JSON that a member is set to; none if it is to stay.
    fn leaf(&self, path: &str, value: &'a LeafValue) -> Result<Option<Vec<u8>>, Problem> {
        match value {
            LeafValue::Template { template, override_empty } => {
                let at = || format!("{}.mergeJson.{path}.template", self.plan.path);
                let rendered = self.template(template, MAX_BODY, at)?.into_bytes().into_vec();
                match rendered.is_empty() {
                    true if *override_empty => Ok(Some(b"\"\"".to_vec())),
                    true => Ok(None),
                    false => json(rendered).map(Some).ok_or_else(|| Problem {
                        path: at(),
                        cause: Cause::Render(Failure::new("bytes that are no UTF-8 are no text")),
                    }),
                }
            }
            LeafValue::Extraction(name) => {
                let problem = |failure| Problem {
                    path: format!("{}.extractors.{name}", self.plan.path),
                    cause: Cause::Render(failure),
                };
                let found = self.scope.extract(self.meter, name).map_err(problem)?.unwrap_or_default();
                let text = std::str::from_utf8(found)
                    .map_err(|_| problem(Failure::new("bytes that are no UTF-8 are no text")))?;
                Ok(Some(quoted(text)))
            }
        }
    }

    fn fields(&self) -> Result<(), Problem> {
        let (plan, at) = (self.plan, &self.plan.path);
        for (number, field) in plan.set.iter().enumerate() {
            let path = || format!("{at}.set[{number}].value");
            let edit = match self.field(field, path)? {
                Some(value) => FieldEdit::Set(&field.name, value),
                None => FieldEdit::Remove(&field.name),
            };
            self.scope.push(edit);
        }
        for (number, field) in plan.add.iter().enumerate() {
            let path = || format!("{at}.add[{number}].value");
            if let Some(value) = self.field(field, path)? {
                self.scope.push(FieldEdit::Add(&field.name, value));
            }
        }
        plan.remove.iter().for_each(|name| self.scope.push(FieldEdit::Remove(name)));
        Ok(())
    }

    /// The value; none if it is empty.
    fn field(&self, field: &'a FieldPlan, path: impl Fn() -> String) -> Result<Option<Bytes>, Problem> {
        let Some(template) = &field.value else { return Ok(None) };
        let rendered = self.template(template, MAX_VALUE, &path)?.into_bytes();
        let value = field::value(&field.name, &rendered)
            .map_err(|error| Problem { path: path(), cause: Cause::Value(error) })?;
        let value = if value.len() == rendered.len() { rendered } else { value.into() };
        Ok((!value.is_empty()).then_some(value))
    }
}

/// A rendered text as JSON: itself if it is JSON, else a string of it. None if it is no text.
fn json(rendered: Vec<u8>) -> Option<Vec<u8>> {
    if Document::parse(&rendered, &[]).is_ok() {
        return Some(rendered);
    }
    std::str::from_utf8(&rendered).ok().map(quoted)
}
