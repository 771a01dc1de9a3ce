//! What became of messages, for people.

use std::io::Write;

use ferrule_kit::{FieldLines, MemoryHost, Message, MetadataSource, Value};
use ferrule_transformation::Transformation;

use crate::exchange::Outcome;
use crate::message::{Given, print_body, print_field};

/// The message's name in the configuration.
pub(super) fn name(message: Message) -> &'static str {
    match message {
        Message::Request => "request",
        Message::Response => "response",
    }
}

/// Prints whether a message is held and why, its fields with what changed of them, and its body.
pub(super) fn message(
    filter: &Transformation,
    message: Message,
    given: &Given,
    outcome: &Outcome,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let name = name(message);
    let reasons = filter.holds(message);
    match (reasons.is_empty(), outcome) {
        (true, _) => writeln!(out, "{name}: goes on as it comes; its body is not held")?,
        (false, Outcome::Passed { held: false, .. }) if !given.body.is_empty() => {
            writeln!(out, "{name}: goes on as it comes; others are held until their bodies are complete:")?;
        }
        (false, _) => writeln!(out, "{name}: held until its body is complete:")?,
    }
    for reason in reasons {
        writeln!(out, "  {}: {}", reason.field, reason.because)?;
    }
    match outcome {
        Outcome::Passed { lines, body, .. } => {
            fields(&given.lines, lines, out)?;
            print_body(body, out)
        }
        Outcome::Answered(response) => {
            let (status, details) = (response.status, &response.details);
            writeln!(out, "{name}: cannot be transformed; the client gets {status} ({details}):")?;
            print_body(&response.body, out)
        }
        Outcome::Reset => writeln!(out, "{name}: the stream is reset"),
    }
}

/// Lines that are gone by `-`, those that are new by `+`.
fn fields(before: &FieldLines, after: &FieldLines, out: &mut impl Write) -> std::io::Result<()> {
    let mut kept: Vec<_> = before.iter().collect();
    let mut marked = Vec::new();
    for line in after {
        let place = kept.iter().position(|known| *known == line);
        marked.push((if place.is_some() { ' ' } else { '+' }, line));
        if let Some(place) = place {
            kept.remove(place);
        }
    }
    let gone = kept.into_iter().map(|line| ('-', line));
    for (mark, (name, value)) in gone.chain(marked) {
        print_field(mark, name, value, out)?;
    }
    Ok(())
}

/// Prints what was done besides the messages.
pub(super) fn effects(host: &MemoryHost, out: &mut impl Write) -> std::io::Result<()> {
    for ((source, namespace, key), value) in &host.metadata {
        if *source == MetadataSource::Dynamic {
            writeln!(out, "dynamic metadata: {namespace} {key} = {}", shown(value))?;
        }
    }
    if let Some(name) = &host.span_name {
        writeln!(out, "span name: {name}")?;
    }
    if host.route_cache_clears > 0 {
        writeln!(out, "the route is selected anew")?;
    }
    Ok(())
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => format!("{:?}", String::from_utf8_lossy(text)),
        Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Int(number) => number.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Map(members) => {
            let members = members.iter().map(|(key, value)| format!("{key:?}: {}", shown(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Null => "null".to_owned(),
    }
}
