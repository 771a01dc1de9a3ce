//! A message and its proxy as templates see them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ferrule_kit::{self as kit, Fields, Host, Message, MetadataSource};

use crate::config::ParseAs;
use crate::edits::{FieldEdit, preview, touches};
use crate::field::canonical;
use crate::json::{Document, Node};
use crate::template::{Metadata, Meter, Outcome, Scope, Section, Value};

/// What stands for each pattern that `replace_with_random` was given, throughout one request and its response.
pub(crate) type Pseudonyms = BTreeMap<String, String>;

/// One message while it is transformed.
pub(crate) struct MessageScope<'a, 'h, 'p> {
    host: RefCell<&'h mut dyn Host>,
    pseudonyms: RefCell<&'h mut Pseudonyms>,
    message: Message,
    parse_as: ParseAs,
    body: &'a [u8],
    root: Option<Node<'a>>,
    edits: RefCell<Vec<FieldEdit<'p>>>,
    sees_edits: Cell<bool>,
}

impl<'a, 'h, 'p> MessageScope<'a, 'h, 'p> {
    pub(crate) fn new(
        host: &'h mut dyn Host,
        pseudonyms: &'h mut Pseudonyms,
        message: Message,
        parse_as: ParseAs,
    ) -> Self {
        Self {
            host: RefCell::new(host),
            pseudonyms: RefCell::new(pseudonyms),
            message,
            parse_as,
            body: b"",
            root: None,
            edits: RefCell::default(),
            sees_edits: Cell::new(false),
        }
    }

    /// Shows templates a body and, if it was parsed, its JSON.
    pub(crate) fn with_body(mut self, body: &'a [u8], document: Option<&'a Document<'a>>) -> Self {
        self.body = body;
        self.root = document.and_then(Document::root);
        self
    }

    /// Makes `edit` visible to header templates that come later.
    pub(crate) fn push(&self, edit: FieldEdit<'p>) {
        self.edits.borrow_mut().push(edit);
    }

    /// Whether templates see the edits so far, or the message as it came.
    pub(crate) fn show_edits(&self, shown: bool) {
        self.sees_edits.set(shown);
    }

    pub(crate) fn into_edits(self) -> Vec<FieldEdit<'p>> {
        self.edits.into_inner()
    }

    fn lines(&self, message: Message, name: &str) -> Vec<Vec<u8>> {
        let name = canonical(name, message);
        let host = self.host.borrow();
        let lines = host.field_values(message.headers(), &name).into_iter().map(|value| value.into_owned());
        let lines: Vec<_> = lines.collect();
        if self.previews(message) { preview(&self.edits.borrow(), &name, lines) } else { lines }
    }

    fn previews(&self, message: Message) -> bool {
        self.sees_edits.get() && message == self.message
    }
}

impl<'a> Scope<'a> for MessageScope<'a, '_, '_> {
    fn variable(&self, meter: &Meter, name: &str) -> Outcome<Option<Value<'a>>> {
        if self.parse_as != ParseAs::AsJson {
            return Ok(None);
        }
        self.root.map_or(Ok(Value::Undefined), |root| Value::member(meter, root, name)).map(Some)
    }

    fn context(&self, meter: &Meter) -> Outcome<Value<'a>> {
        self.root.map_or(Ok(Value::Undefined), |root| Value::json(meter, root))
    }

    fn body(&self) -> &'a [u8] {
        self.body
    }

    fn field(&self, section: Section, name: &str) -> Option<Vec<u8>> {
        let message = match section {
            Section::Message => self.message,
            Section::Request => Message::Request,
        };
        let name = canonical(name, message);
        if self.previews(message) && touches(&self.edits.borrow(), &name) {
            return self.lines(message, &name).into_iter().next();
        }
        self.host.borrow().field(message.headers(), &name).map(|value| value.into_owned())
    }

    fn fields(&self, name: &str) -> Vec<Vec<u8>> {
        self.lines(self.message, name)
    }

    fn cookies(&self) -> Vec<Vec<u8>> {
        let host = self.host.borrow();
        host.field_values(Fields::RequestHeaders, "cookie")
            .into_iter()
            .map(|line| line.into_owned())
            .collect()
    }

    fn env(&self, name: &str) -> Option<String> {
        self.host.borrow().env(name)
    }

    fn attribute(&self, meter: &Meter, name: &str) -> Outcome<Value<'a>> {
        self.host.borrow().attribute(name).map_or(Ok(Value::Undefined), |value| converted(meter, value))
    }

    fn metadata(&self, meter: &Meter, of: Metadata, namespace: &str, key: &str) -> Outcome<Value<'a>> {
        let source = match of {
            Metadata::Dynamic => MetadataSource::Dynamic,
            Metadata::Cluster => MetadataSource::Cluster,
            Metadata::Host => MetadataSource::Host,
        };
        let host = self.host.borrow();
        host.metadata(source, namespace, key).map_or(Ok(Value::Undefined), |value| converted(meter, value))
    }

    fn random(&self, pattern: &str) -> String {
        let mut pseudonyms = self.pseudonyms.borrow_mut();
        if let Some(known) = pseudonyms.get(pattern) {
            return known.clone();
        }
        let random = BASE64_URL_SAFE_NO_PAD.encode(self.host.borrow_mut().random().to_le_bytes());
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
        kit::Value::List(items) => {
            let items: Outcome<_> = items.into_iter().map(|item| converted(meter, item)).collect();
            Value::list(meter, items?)
        }
    }
}
