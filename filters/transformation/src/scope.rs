//! A message and its proxy as templates see them.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ferrule_kit::{self as kit, Fields, Host, Message, MetadataSource};

use crate::config::ParseAs;
use crate::edits::{FieldEdit, FieldEdits, preview, touches};
use crate::extractor::{Extractor, Source};
use crate::field::canonical;
use crate::plan::Plan;
use crate::surroundings::Surroundings;
use crate::template::{Metadata, Meter, Outcome, Scope, Section, Sink, Value};
use ferrule_json::Document;

/// What stands for each pattern that `replace_with_random` was given, throughout one request and its response; most streams
/// have none.
pub(crate) type Pseudonyms = Option<Box<BTreeMap<String, String>>>;

/// What templates may know of a message.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) message: Message,
    pub(crate) parse_as: ParseAs,
    /// Members that templates read, as the document was parsed with.
    pub(crate) names: &'a [String],
    pub(crate) extractors: &'a [(String, Extractor)],
    pub(crate) surroundings: &'a Surroundings,
    pub(crate) body: &'a [u8],
}

impl<'a> View<'a> {
    /// The message without its body.
    pub(crate) fn without_body(message: Message, surroundings: &'a Surroundings) -> Self {
        let (names, extractors) = (&[][..], &[][..]);
        Self { message, parse_as: ParseAs::None, names, extractors, surroundings, body: b"" }
    }

    /// The message as `plan` asks for it.
    pub(crate) fn of(plan: &'a Plan, surroundings: &'a Surroundings, body: &'a [u8]) -> Self {
        Self {
            message: plan.message,
            parse_as: plan.parse_as,
            names: &plan.names,
            extractors: &plan.extractors,
            surroundings,
            body,
        }
    }
}

/// One message while it is transformed.
pub(crate) struct MessageScope<'a, 'h> {
    host: &'h dyn Host,
    pseudonyms: RefCell<&'h mut Pseudonyms>,
    view: View<'a>,
    /// The body's JSON, if it was parsed.
    document: Option<&'h Document<'a>>,
    /// What extractors found, by their place; each searches once.
    extractions: OnceCell<Vec<OnceCell<Vec<u8>>>>,
    edits: RefCell<FieldEdits<'a>>,
    sees_edits: Cell<bool>,
}

impl<'a, 'h> MessageScope<'a, 'h> {
    pub(crate) fn new(
        host: &'h dyn Host,
        pseudonyms: &'h mut Pseudonyms,
        view: View<'a>,
        document: Option<&'h Document<'a>>,
    ) -> Self {
        Self {
            host,
            pseudonyms: RefCell::new(pseudonyms),
            view,
            document,
            extractions: OnceCell::new(),
            edits: RefCell::default(),
            sees_edits: Cell::new(false),
        }
    }

    /// The host behind it.
    pub(crate) fn host(&self) -> &'h dyn Host {
        self.host
    }

    /// Makes `edit` visible to header templates that come later.
    pub(crate) fn push(&self, edit: FieldEdit<'a>) {
        self.edits.borrow_mut().push(edit);
    }

    /// Whether templates see the edits so far, or the message as it came.
    pub(crate) fn show_edits(&self, shown: bool) {
        self.sees_edits.set(shown);
    }

    pub(crate) fn into_edits(self) -> FieldEdits<'a> {
        self.edits.into_inner()
    }

    fn lines(&self, message: Message, name: &str) -> Vec<Vec<u8>> {
        let name = canonical(name, message);
        let values = self.host.field_values(message.headers(), &name);
        let lines: Vec<_> = values.into_iter().map(|value| value.into_owned()).collect();
        if self.previews(message) { preview(&self.edits.borrow(), &name, lines) } else { lines }
    }

    fn previews(&self, message: Message) -> bool {
        self.sees_edits.get() && message == self.view.message
    }

    fn message(&self, section: Section) -> Message {
        match section {
            Section::Message => self.view.message,
            Section::Request => Message::Request,
        }
    }

    /// What the extractor of that name finds in the message as it came; none if there is no such extractor.
    pub(crate) fn extract(&self, meter: &Meter, name: &str) -> Outcome<Option<&[u8]>> {
        let place = self.view.extractors.iter().position(|(known, _)| known == name);
        let Some((place, (_, extractor))) = place.and_then(|at| Some((at, self.view.extractors.get(at)?)))
        else {
            return Ok(None);
        };
        let found =
            self.extractions.get_or_init(|| self.view.extractors.iter().map(|_| OnceCell::new()).collect());
        let Some(cell) = found.get(place) else { return Ok(None) };
        if cell.get().is_none() {
            let found = match &extractor.source {
                Source::Body => extractor.apply(meter, self.view.body)?,
                Source::Header(name) => {
                    let value =
                        self.host.field(self.view.message.headers(), &canonical(name, self.view.message));
                    extractor.apply(meter, &value.unwrap_or_default())?
                }
            };
            let _ = cell.set(found);
        }
        Ok(cell.get().map(Vec::as_slice))
    }
}

impl<'a> Scope<'a> for MessageScope<'a, '_> {
    fn variable(&self, meter: &Meter, name: &str) -> Outcome<Option<Value<'a>>> {
        if self.view.parse_as != ParseAs::AsJson {
            return Ok(None);
        }
        let place = self.view.names.iter().position(|known| known == name);
        let found = self.document.zip(place).and_then(|(document, place)| document.member(place));
        found.map_or(Ok(Value::Undefined), |node| Value::json(meter, node)).map(Some)
    }

    fn context(&self, meter: &Meter) -> Outcome<Value<'a>> {
        self.document.map_or(Ok(Value::Undefined), |document| Value::json(meter, document.root()))
    }

    fn body(&self) -> &'a [u8] {
        self.view.body
    }

    fn field(&self, section: Section, name: &str) -> Option<Vec<u8>> {
        let message = self.message(section);
        let name = canonical(name, message);
        if self.previews(message) && touches(&self.edits.borrow(), &name) {
            return self.lines(message, &name).into_iter().next();
        }
        self.host.field(message.headers(), &name).map(|value| value.into_owned())
    }

    fn print_field(&self, section: Section, name: &str, out: &mut Sink<'a, '_>) -> Outcome<()> {
        let message = self.message(section);
        let name = canonical(name, message);
        if self.previews(message) && touches(&self.edits.borrow(), &name) {
            return out.write(self.lines(message, &name).first().map_or(b"", Vec::as_slice));
        }
        self.host.field(message.headers(), &name).map_or(Ok(()), |value| out.write(&value))
    }

    fn fields(&self, name: &str) -> Vec<Vec<u8>> {
        self.lines(self.view.message, name)
    }

    fn cookies(&self) -> Vec<Vec<u8>> {
        let lines = self.host.field_values(Fields::RequestHeaders, "cookie");
        lines.into_iter().map(|line| line.into_owned()).collect()
    }

    fn env(&self, name: &str) -> Option<String> {
        self.host.env(name)
    }

    fn attribute(&self, meter: &Meter, name: &str) -> Outcome<Value<'a>> {
        self.host.attribute(name).map_or(Ok(Value::Undefined), |value| converted(meter, value))
    }

    fn metadata(&self, meter: &Meter, of: Metadata, namespace: &str, key: &str) -> Outcome<Value<'a>> {
        let source = match of {
            Metadata::Dynamic => MetadataSource::Dynamic,
            Metadata::Cluster => MetadataSource::Cluster,
            Metadata::Host => MetadataSource::Host,
        };
        let found = self.host.metadata(source, namespace, key);
        found.map_or(Ok(Value::Undefined), |value| converted(meter, value))
    }

    fn extraction(&self, meter: &Meter, name: &str) -> Outcome<Vec<u8>> {
        self.extract(meter, name).map(|found| found.unwrap_or_default().to_vec())
    }

    fn secret(&self, name: &str) -> Option<Vec<u8>> {
        let known = self.view.surroundings.secrets.get(name)?;
        self.host.secret(known).map(|secret| secret.into_owned())
    }

    fn data_source(&self, name: &str) -> Option<&'a str> {
        self.view.surroundings.data_sources.get(name).map(String::as_str)
    }

    fn random(&self, pattern: &str) -> String {
        let mut pseudonyms = self.pseudonyms.borrow_mut();
        let pseudonyms = pseudonyms.get_or_insert_default();
        if let Some(known) = pseudonyms.get(pattern) {
            return known.clone();
        }
        let random = BASE64_URL_SAFE_NO_PAD.encode(self.host.random().to_le_bytes());
        pseudonyms.insert(pattern.to_owned(), random.clone());
        random
    }
}

fn converted<'a>(meter: &Meter, value: kit::Value<'_>) -> Outcome<Value<'a>> {
    match value {
        kit::Value::Text(text) => Value::octets(meter, text.into_owned()),
        kit::Value::Int(number) => Ok(Value::Int(number.into())),
        // All numbers of metadata are doubles; a whole one was written as an integer.
        kit::Value::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            Ok(Value::Int(number as i128))
        }
        kit::Value::Number(number) => Ok(Value::Float(number)),
        kit::Value::Bool(truth) => Ok(Value::Bool(truth)),
        kit::Value::Null => Ok(Value::Null),
        kit::Value::Map(members) => {
            let member = |(key, value)| Ok((Value::text(meter, key)?, converted(meter, value)?));
            let members: Outcome<_> = members.into_iter().map(member).collect();
            Value::map(meter, members?)
        }
        kit::Value::List(items) => {
            let items: Outcome<_> = items.into_iter().map(|item| converted(meter, item)).collect();
            Value::list(meter, items?)
        }
    }
}
