//! A plan run on a message: everything is rendered first, then everything is edited.
//!
//! Invariant: on an error no byte of the message and no metadata has changed.

use ferrule_kit::{Host, Message};

use crate::config::ParseAs;
use crate::edits::{Edits, FieldEdit, NewBody};
use crate::field::{self, ValueError};
use crate::json::{Document, JsonError};
use crate::plan::{FieldPlan, Plan, path};
use crate::scope::{MessageScope, Pseudonyms};
use crate::template::{Failure, Meter, Template};

/// The largest header value or metadata that a template may render, in bytes; Envoy's default limit for a whole header
/// section is 60 KiB.
const MAX_VALUE: usize = 32 * 1024;
/// The largest body that a template may render, in bytes, when the body it is made of is small.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// Why a message could not be transformed, and the field of the configuration concerned. Tells nothing of the message's
/// content.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {cause}")]
pub(crate) struct Problem {
    pub(crate) path: String,
    pub(crate) cause: Cause,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    #[error("the body is no JSON: {0}")]
    Json(JsonError),
    #[error(transparent)]
    Render(Failure),
    #[error(transparent)]
    Value(ValueError),
    #[error("the metadata is no UTF-8")]
    Metadata,
    #[error("the body is encoded (content-encoding), so it can be neither read nor replaced")]
    Encoding,
}

/// What the filter knows of the exchange that the message does not tell.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) pseudonyms: Pseudonyms,
    /// The client asked by HEAD, so the response has no body (RFC 9110 §9.3.2).
    pub(crate) is_head: bool,
}

/// Renders all that `plan` asks for. `body` is none where the body is not held.
pub(crate) fn render<'p>(
    plan: &'p Plan,
    exchange: &mut Exchange,
    host: &mut dyn Host,
    body: Option<Vec<u8>>,
) -> Result<Edits<'p>, Problem> {
    let is_head = exchange.is_head && plan.message == Message::Response;
    let bodiless = Bodiless { is_head, status: status(host, plan.message) };
    let replaces = plan.body.is_some() && body.is_some();
    let body = body.unwrap_or_default();
    let at = path(plan.message);
    if !body.is_empty() && is_encoded(host, plan.message) {
        return Err(Problem { path: format!("{at}.body"), cause: Cause::Encoding });
    }
    let document = parse(plan, &body)?;
    let meter = Meter::for_body(body.len());
    let scope = MessageScope::new(host, &mut exchange.pseudonyms, plan.message, plan.parse_as)
        .with_body(&body, document.as_ref());
    let rendering = Rendering { plan, scope: &scope, meter: &meter, at };
    let new_body =
        if replaces && !bodiless.surely(plan) { rendering.body(body.len())? } else { NewBody::Same };
    scope.show_edits(true);
    rendering.fields()?;
    scope.show_edits(false);
    let metadata = rendering.metadata()?;
    let mut edits = Edits { fields: scope.into_edits(), body: new_body, metadata };
    bodiless.enforce(&mut edits, replaces);
    Ok(edits)
}

fn parse<'b>(plan: &Plan, body: &'b [u8]) -> Result<Option<Document<'b>>, Problem> {
    let wanted = plan.wanted.as_ref().filter(|_| plan.parse_as == ParseAs::AsJson && !body.is_empty());
    let document = wanted.map(|wanted| Document::parse(body, wanted)).transpose();
    document
        .map_err(|error| Problem { path: format!("{}.body", path(plan.message)), cause: Cause::Json(error) })
}

/// Whether the body's bytes are not its text (RFC 9110 §8.4).
fn is_encoded(host: &dyn Host, message: Message) -> bool {
    let codings = host.field_values(message.headers(), "content-encoding");
    let mut codings = codings.iter().flat_map(|line| line.split(|byte| *byte == b','));
    let plain = |coding: &[u8]| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity");
    codings.any(|coding| !plain(coding.trim_ascii()))
}

fn status(host: &dyn Host, message: Message) -> Option<u16> {
    let response = message == Message::Response;
    let value = response.then(|| host.field(message.headers(), ":status")).flatten()?;
    std::str::from_utf8(&value).ok()?.parse().ok()
}

/// Whether a response may have a body (RFC 9110 §6.4.1): not to HEAD, not with 204 or 304.
struct Bodiless {
    is_head: bool,
    status: Option<u16>,
}

impl Bodiless {
    fn by_status(status: Option<u16>) -> bool {
        matches!(status, Some(204 | 304))
    }

    /// Known before anything is rendered.
    fn surely(&self, plan: &Plan) -> bool {
        let sets_status = plan.set.iter().any(|field| field.name == ":status");
        self.is_head || (Self::by_status(self.status) && !sets_status)
    }

    fn enforce(&self, edits: &mut Edits<'_>, replaces: bool) {
        let set = edits.set_to(":status").and_then(field::status);
        let newly = set != self.status && Self::by_status(set);
        let already = self.is_head || Self::by_status(set.or(self.status));
        if newly || (already && replaces) {
            edits.body = NewBody::Forbidden;
        }
    }
}

/// The templates of a plan, one kind after the other.
struct Rendering<'a, 's, 'h, 'p> {
    plan: &'p Plan,
    scope: &'s MessageScope<'a, 'h, 'p>,
    meter: &'s Meter,
    at: &'static str,
}

impl<'a, 'p: 'a> Rendering<'a, '_, '_, 'p> {
    fn template(
        &self,
        template: &'a Template,
        limit: usize,
        path: impl Fn() -> String,
    ) -> Result<Vec<u8>, Problem> {
        let rendered = template.render(self.scope, self.meter, limit);
        rendered.map_err(|failure| Problem { path: path(), cause: Cause::Render(failure) })
    }

    fn body(&self, old: usize) -> Result<NewBody, Problem> {
        let Some(template) = &self.plan.body else { return Ok(NewBody::Same) };
        let limit = MAX_BODY.saturating_add(old.saturating_mul(2));
        let path = || format!("{}.body.value", self.at);
        self.template(template, limit, path).map(NewBody::Replaced)
    }

    fn fields(&self) -> Result<(), Problem> {
        for (number, field) in self.plan.set.iter().enumerate() {
            let path = || format!("{}.set[{number}].value", self.at);
            let edit = match self.field(field, path)? {
                Some(value) => FieldEdit::Set(&field.name, value),
                None => FieldEdit::Remove(&field.name),
            };
            self.scope.push(edit);
        }
        for (number, field) in self.plan.add.iter().enumerate() {
            let path = || format!("{}.add[{number}].value", self.at);
            if let Some(value) = self.field(field, path)? {
                self.scope.push(FieldEdit::Add(&field.name, value));
            }
        }
        self.plan.remove.iter().for_each(|name| self.scope.push(FieldEdit::Remove(name)));
        Ok(())
    }

    /// The value; none if it is empty.
    fn field(&self, field: &'p FieldPlan, path: impl Fn() -> String) -> Result<Option<Vec<u8>>, Problem> {
        let Some(template) = &field.value else { return Ok(None) };
        let rendered = self.template(template, MAX_VALUE, &path)?;
        let value = field::value(&field.name, &rendered)
            .map_err(|error| Problem { path: path(), cause: Cause::Value(error) })?;
        let value = if value.len() == rendered.len() { rendered } else { value.to_vec() };
        Ok((!value.is_empty()).then_some(value))
    }

    fn metadata(&self) -> Result<Vec<(&'p str, &'p str, String)>, Problem> {
        let mut metadata = Vec::with_capacity(self.plan.metadata.len());
        for (number, entry) in self.plan.metadata.iter().enumerate() {
            let path = || format!("{}.dynamicMetadata[{number}].value.stringValue", self.at);
            let rendered = self.template(&entry.value, MAX_VALUE, path)?;
            let text =
                String::from_utf8(rendered).map_err(|_| Problem { path: path(), cause: Cause::Metadata })?;
            metadata.push((&*entry.namespace, &*entry.key, text));
        }
        Ok(metadata)
    }
}
