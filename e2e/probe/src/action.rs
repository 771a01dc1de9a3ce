//! Does what the configuration says.

use std::time::Duration;

use ferrule_kit::{Callout, CalloutError, Fields, Flow, Host, Message, Octets, Reply, Response, Value};

use crate::Memory;
use crate::config::{Action, COUNTED, Call, Enclosure, Keep, Name, RECORDED, Status, Text};

/// Where actions happen.
pub(crate) struct Scene<'a> {
    pub(crate) message: Message,
    pub(crate) memory: &'a mut Memory,
    pub(crate) host: &'a mut dyn Host,
}

/// Does all actions up to the first that decides what happens next.
pub(crate) fn play(actions: &[Action], scene: &mut Scene<'_>) -> Flow {
    let decided = actions.iter().find_map(|action| scene.act(action));
    decided.unwrap_or(Flow::Continue)
}

/// The status of a reply.
pub(crate) fn status_of(reply: &Result<Reply<'_>, CalloutError>) -> Option<u16> {
    let fields = &reply.as_ref().ok()?.fields;
    let (_, status) = fields.iter().find(|(name, _)| **name == *b":status")?;
    std::str::from_utf8(status).ok()?.parse().ok()
}

/// What a callout's reply decides where the configuration says nothing.
pub(crate) fn verdict(status: Option<u16>) -> Flow {
    match status {
        Some(200..=299) => Flow::Continue,
        Some(status) => Flow::Respond(Response::text(status, "probe_denied", "denied")),
        None => Flow::Respond(Response::text(503, "probe_callout_failed", "callout failed")),
    }
}

impl Scene<'_> {
    fn act(&mut self, action: &Action) -> Option<Flow> {
        match action {
            Action::Call(call) => return Some(self.call(call)),
            Action::Respond(status) => return Some(respond(status)),
            Action::Reset => return Some(Flow::Reset),
            #[allow(clippy::panic)]
            Action::Panic => panic!("the configuration says so"),
            edit => self.edit(edit),
        }
        None
    }

    fn edit(&mut self, action: &Action) {
        match action {
            Action::Set(field) => {
                let section = self.section(field.section.map(Into::into));
                self.host.set_field(section, &field.name, field.value.as_bytes());
            }
            Action::Add(field) => {
                let section = self.section(field.section.map(Into::into));
                self.host.add_field(section, &field.name, field.value.as_bytes());
            }
            Action::Remove(name) => self.host.remove_field(self.of(name), &name.name),
            Action::ReplaceBody(text) => self.host.replace_body(self.message, repeated(text).as_bytes()),
            Action::AppendBody(text) => self.append(text),
            Action::EncloseBody(Enclosure { before, after }) => {
                let body = self.host.take_body(self.message);
                self.host.put_body(self.message, &[before.as_bytes(), &body, after.as_bytes()]);
            }
            Action::DropBody => drop(self.host.take_body(self.message)),
            mark => self.mark(mark),
        }
    }

    fn mark(&mut self, action: &Action) {
        match action {
            Action::SetMetadata(setting) => {
                self.host.set_metadata(&setting.namespace, &setting.key, &(&setting.value).into());
            }
            Action::Keep(keep) => self.keep(keep),
            Action::SpanName(name) => self.host.set_span_name(name),
            Action::ClearRouteCache => self.host.clear_route_cache(),
            Action::Count(by) => self.host.count(COUNTED, *by),
            Action::Record(value) => self.host.record(RECORDED, *value),
            show => self.show(show),
        }
    }

    fn show(&mut self, action: &Action) {
        match action {
            Action::BodyLength(into) => {
                let length = self.host.body_len(self.message).to_string();
                self.write(into, &length);
            }
            Action::Transcript(into) => {
                let transcript = self.memory.transcript.join(" ");
                self.write(into, &transcript);
            }
            Action::Values { from, into } => {
                let values = self.host.field_values(self.of(from), &from.name);
                let text: String = values.iter().map(|value| format!("[{}]", text_of(value))).collect();
                self.write(into, &text);
            }
            Action::Attribute { attribute, into } => {
                let value = described(self.host.attribute(attribute).as_ref());
                self.write(into, &value);
            }
            Action::Metadata(lookup) => {
                let found = self.host.metadata(lookup.source.into(), &lookup.namespace, &lookup.key);
                let value = described(found.as_ref());
                self.write(&lookup.into, &value);
            }
            Action::Secret { secret, into } => {
                let value =
                    self.host.secret(secret).map_or_else(|| "none".to_owned(), |value| text_of(&value));
                self.write(into, &value);
            }
            _ => {}
        }
    }

    fn keep(&mut self, keep: &Keep) {
        let field = |name: &Name| self.host.field(self.of(name), &name.name).map(Value::Text);
        let seen = match (&keep.attribute, &keep.field) {
            (Some(attribute), _) => self.host.attribute(attribute),
            (None, name) => name.as_ref().and_then(field),
        };
        let seen = described(seen.as_ref());
        self.host.set_metadata("probe", &keep.key, &seen.as_str().into());
    }

    fn append(&mut self, text: &Text) {
        let mut body = self.host.body(self.message).concat();
        body.extend_from_slice(repeated(text).as_bytes());
        self.host.replace_body(self.message, &body);
    }

    fn call(&mut self, call: &Call) -> Flow {
        let fields = [(":method", "POST"), (":path", &call.path), (":authority", "callout")];
        let body = if call.send_body { self.host.body(self.message).concat() } else { Vec::new() };
        let callout = Callout {
            cluster: call.cluster.clone(),
            fields: fields.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec(),
            body,
            timeout: Duration::from_millis(call.timeout_ms),
        };
        match self.host.callout(callout) {
            Ok(_) => Flow::AwaitReply,
            Err(error) => Flow::Respond(Response::text(503, "probe_callout_refused", error.to_string())),
        }
    }

    fn write(&mut self, into: &Name, value: &str) {
        let section = self.of(into);
        self.host.set_field(section, &into.name, value.as_bytes());
    }

    fn of(&self, name: &Name) -> Fields {
        self.section(name.section.map(Into::into))
    }

    fn section(&self, said: Option<Fields>) -> Fields {
        said.unwrap_or(self.message.headers())
    }
}

fn respond(status: &Status) -> Flow {
    let fields = status.fields.iter().map(|field| (field.name.clone(), field.value.clone().into_bytes()));
    Flow::Respond(Response {
        status: status.status,
        fields: fields.collect(),
        body: status.body.clone().into_bytes(),
        details: "probe_responded".into(),
    })
}

fn repeated(text: &Text) -> String {
    text.text.repeat(text.times)
}

fn text_of(bytes: &Octets<'_>) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn described(value: Option<&Value<'_>>) -> String {
    match value {
        None => "none".to_owned(),
        Some(Value::Text(text)) => format!("text:{}", text_of(text)),
        Some(Value::Int(number)) => format!("int:{number}"),
        Some(Value::Number(number)) => format!("number:{number}"),
        Some(Value::Bool(truth)) => format!("bool:{truth}"),
        Some(Value::List(items)) => {
            let items: Vec<_> = items.iter().map(|item| described(Some(item))).collect();
            format!("list:{}", items.join(","))
        }
        Some(Value::Map(_) | Value::Null) => "struct".to_owned(),
    }
}
