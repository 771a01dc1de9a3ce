//! Events on objects whose status turns bad or good again (events.k8s.io/v1).
//!
//! Invariants: an event is made from a status that was written, so a restart or another leader repeats none; one that
//! was told a short while ago is counted in its series; more than a few a second are dropped, because a status says
//! the same.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ferrule_translate::ObjectRef;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::item::Item;
use super::kinds::Form;
use super::plan::Write;
use super::{CONTROLLER, Identity};
use crate::record::Record;

/// Events that may be made at once...
const BURST: u32 = 50;
/// ...and one more each such time.
const REFILL: Duration = Duration::from_millis(200);
/// Most bytes of a note that the API server takes.
const LONGEST_NOTE: usize = 1024;
/// Events that wait to be sent.
const QUEUE: usize = 256;
/// How long after it was told last an event is still the same series, as for the events of Kubernetes itself.
const SERIES: Duration = Duration::from_secs(360);

/// What is to be told of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Note {
    /// `Warning` or `Normal`.
    kind: &'static str,
    reason: String,
    text: String,
}

/// Makes events.
#[derive(Debug)]
pub(crate) struct Recorder {
    queue: mpsc::Sender<Event>,
    identity: Identity,
    tokens: u32,
    filled: Instant,
    count: u64,
}

impl Recorder {
    /// A recorder, whose events are sent until it is dropped.
    pub(crate) fn new(client: Client, identity: Identity) -> Self {
        let (queue, events) = mpsc::channel(QUEUE);
        tokio::spawn(send(client, events));
        Self { queue, identity, tokens: BURST, filled: Instant::now(), count: 0 }
    }

    /// Tells what a written status changes for the better or worse.
    pub(crate) fn on_written(&mut self, object: &ObjectRef, item: &Item, write: &Write) {
        for note in notes(write) {
            if self.take_token() {
                let event = self.event(object, item, note);
                // Too many wait: this one tells nothing that the status does not.
                let _ = self.queue.try_send(event);
            }
        }
    }

    fn take_token(&mut self) -> bool {
        let earned = self.filled.elapsed().as_millis() / REFILL.as_millis();
        if earned > 0 {
            self.filled = Instant::now();
            self.tokens = self.tokens.saturating_add(u32::try_from(earned).unwrap_or(BURST)).min(BURST);
        }
        let any = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        any
    }

    fn event(&mut self, object: &ObjectRef, item: &Item, note: Note) -> Event {
        self.count += 1;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let namespace = if object.namespace.is_empty() { "default" } else { &object.namespace };
        let text = |name: &str| item.value[name].as_str().map(str::to_owned);
        let mut stem = object.name.to_string();
        stem.truncate(200);
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{stem}.{:x}{:04x}", since.as_nanos(), self.count & 0xffff)),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            action: Some("Program".to_owned()),
            event_time: Timestamp::try_from(SystemTime::now()).ok().map(MicroTime),
            note: Some(note.text),
            reason: Some(note.reason),
            regarding: Some(ObjectReference {
                api_version: text("apiVersion"),
                kind: Some(object.kind.to_string()),
                name: Some(object.name.to_string()),
                namespace: Some(object.namespace.to_string()).filter(|namespace| !namespace.is_empty()),
                uid: item.meta().uid.clone(),
                resource_version: item.meta().resource_version.clone(),
                field_path: None,
            }),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.identity.to_string()),
            type_: Some(note.kind.to_owned()),
            ..Event::default()
        }
    }
}

async fn send(client: Client, mut events: mpsc::Receiver<Event>) {
    let mut told = Told::default();
    let mut failing = false;
    while let Some(event) = events.recv().await {
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        let api: Api<Event> = Api::namespaced(client.clone(), &namespace);
        match told.tell(&api, &event).await {
            Ok(()) => failing = false,
            // A namespace that is about to go takes none.
            Err(kube::Error::Api(status))
                if matches!(status.code, 403 | 404) && status.message.contains("terminat") => {}
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!("an event cannot be written: {error}");
                }
            }
        }
    }
}

/// Kind, namespace and name of the object, kind of event, reason and note.
type Subject = [Option<String>; 6];

/// An event of a short while ago.
#[derive(Clone, Debug)]
struct Series {
    name: String,
    count: u32,
    last: Instant,
}

/// The events of a short while ago; the rate of events bounds their number.
#[derive(Debug, Default)]
struct Told(HashMap<Subject, Series>);

impl Told {
    async fn tell(&mut self, api: &Api<Event>, event: &Event) -> Result<(), kube::Error> {
        if let Some(Series { name, count, .. }) = self.again(event, Instant::now()) {
            let series = json!({"series": {"count": count, "lastObservedTime": event.event_time}});
            match api.patch(&name, &PatchParams::default(), &Patch::Merge(series)).await {
                // It was removed.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                outcome => return outcome.map(drop),
            }
        }
        api.create(&PostParams::default(), event).await?;
        self.begin(event, Instant::now());
        Ok(())
    }

    /// Counts an event that was told a short while ago.
    fn again(&mut self, event: &Event, now: Instant) -> Option<Series> {
        self.0.retain(|_, series| now.duration_since(series.last) < SERIES);
        let series = self.0.get_mut(&subject(event))?;
        series.count = series.count.saturating_add(1);
        series.last = now;
        Some(series.clone())
    }

    fn begin(&mut self, event: &Event, now: Instant) {
        let name = event.metadata.name.clone().unwrap_or_default();
        self.0.insert(subject(event), Series { name, count: 1, last: now });
    }
}

fn subject(event: &Event) -> Subject {
    let regarding = event.regarding.clone().unwrap_or_default();
    let (kind, reason, note) = (event.type_.clone(), event.reason.clone(), event.note.clone());
    [regarding.kind, regarding.namespace, regarding.name, kind, reason, note]
}

/// What a status says of us, by part of the object and type of condition.
fn conditions(form: Form, status: &Value) -> BTreeMap<(String, String), Note> {
    let mut status = status.clone();
    if form == Form::Replaced {
        for list in ["parents", "ancestors"] {
            if let Some(Value::Array(entries)) = status.get_mut(list) {
                entries.retain(|entry| entry["controllerName"] == CONTROLLER);
            }
        }
    }
    let record = Record::of_status(status);
    let told = record.conditions().into_iter().filter(|condition| condition.status != "Unknown");
    let notes = told.map(|condition| {
        let kind = if condition.is_bad() { "Warning" } else { "Normal" };
        let note = Note { kind, reason: condition.reason.to_owned(), text: shortened(condition.to_string()) };
        ((condition.of.clone(), condition.kind.to_owned()), note)
    });
    notes.collect()
}

fn shortened(mut text: String) -> String {
    if text.len() > LONGEST_NOTE {
        let end = (0..=LONGEST_NOTE - 3).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}

/// What has turned bad, is bad in another way, or has turned good again.
fn notes(write: &Write) -> Vec<Note> {
    let before = conditions(write.form, &write.before);
    let after = conditions(write.form, &write.outcome);
    let is_news = |place: &(String, String), note: &Note| match before.get(place) {
        Some(before) => before.kind != note.kind || (note.kind == "Warning" && before != note),
        None => note.kind == "Warning",
    };
    let mut notes: Vec<Note> = Vec::new();
    for (_, note) in after.into_iter().filter(|(place, note)| is_news(place, note)) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parents(of: &[(&str, &str, &str)]) -> Value {
        let parent = |(controller, status, message): &(&str, &str, &str)| {
            json!({"parentRef": {"name": "g"}, "controllerName": controller, "conditions": [
                {"type": "Accepted", "status": status, "reason": "R", "message": message}]})
        };
        json!({"parents": of.iter().map(parent).collect::<Vec<_>>()})
    }

    fn told(before: Value, outcome: Value) -> Vec<(&'static str, String)> {
        let write = Write { form: Form::Replaced, status: Value::Null, before, outcome };
        notes(&write).into_iter().map(|note| (note.kind, note.text)).collect()
    }

    #[test]
    fn an_event_tells_of_a_turn_and_not_of_a_state() {
        let (good, bad) = (parents(&[(CONTROLLER, "True", "")]), parents(&[(CONTROLLER, "False", "no")]));
        let worse = parents(&[(CONTROLLER, "False", "never")]);
        assert_eq!(told(Value::Null, good.clone()), []);
        assert_eq!(told(Value::Null, bad.clone())[0].0, "Warning");
        assert_eq!(told(bad.clone(), bad.clone()), []);
        assert!(told(bad.clone(), worse)[0].1.ends_with("never"));
        assert_eq!(told(bad, good)[0].0, "Normal");
    }

    #[test]
    fn what_others_say_of_an_object_is_theirs_to_tell() {
        assert_eq!(told(Value::Null, parents(&[("other", "False", "no")])), []);
    }

    #[test]
    fn what_is_told_again_soon_is_a_series_and_later_another_event() {
        let event = |reason: &str| Event { reason: Some(reason.to_owned()), ..Event::default() };
        let (bad, other, now) = (event("Bad"), event("Other"), Instant::now());
        let mut told = Told::default();
        assert!(told.again(&bad, now).is_none());
        told.begin(&bad, now);
        let mut count = |event: &Event, at| told.again(event, at).map(|series| series.count);
        assert_eq!((count(&bad, now), count(&bad, now), count(&other, now)), (Some(2), Some(3), None));
        let later = now + SERIES / 2;
        assert_eq!((count(&bad, later), count(&bad, later + SERIES)), (Some(4), None));
    }

    #[test]
    fn a_long_note_is_cut_between_letters() {
        let note = shortened("ä".repeat(2000));
        assert!(note.len() <= LONGEST_NOTE && note.ends_with('…'));
    }
}
