//! What is said of a call, for people.

use std::io::{self, Write};

use ferrule_kit::FieldLines;
use serde_json::Value;

use super::Signer;
use super::endpoint;
use super::target::Target;
use crate::exchange::Outcome;
use crate::message::{Given, print_body, print_field};

/// Fields of the filter's configuration that have a row of their own.
const TOLD: [&str; 8] = [
    "functionName",
    "functions",
    "qualifier",
    "invocationMode",
    "payloadMode",
    "endpointURL",
    "host",
    "credentials",
];

/// Prints where the request goes and as whose, a row a fact.
pub(super) fn target(target: &Target, signer: Option<&Signer>, out: &mut impl Write) -> io::Result<()> {
    let config = &target.call.outbound.config;
    let mut row = |name: &str, value: &str| writeln!(out, "{name:<12} {value}");
    row("route", &target.route.to_string())?;
    row("rule", &target.rule)?;
    row("backend", &format!("backendRefs[{}], {}", target.call.place, target.call.backend))?;
    if let Some(policy) = &target.call.policy {
        row("policy", &policy.to_string())?;
    }
    function(config, &mut row)?;
    if let Some(endpoint) = &target.call.outbound.endpoint {
        row("endpoint", &endpoint::url(endpoint))?;
    }
    if let Some(signer) = signer {
        row("signed by", &signer.told)?;
    }
    for skipped in &target.skipped {
        row("not run", skipped)?;
    }
    Ok(())
}

/// Tells which function is called, and how.
fn function(config: &Value, row: &mut impl FnMut(&str, &str) -> io::Result<()>) -> io::Result<()> {
    let text = |field: &str| config[field].as_str();
    match (text("functionName"), config["functions"].as_array()) {
        (Some(template), Some(listed)) => {
            let listed: Vec<&str> = listed.iter().filter_map(Value::as_str).collect();
            row("function", &format!("{template}, one of {}", listed.join(", ")))?;
        }
        (Some(name), None) => row("function", name)?,
        (None, _) => row("function", "that of the URL, which gets the request as it is")?,
    }
    if text("functionName").is_some() {
        row("qualifier", text("qualifier").unwrap_or("none, which is $LATEST"))?;
        row("invocation", text("invocationMode").unwrap_or("RequestResponse"))?;
        row("payload", text("payloadMode").unwrap_or("Envoy"))?;
    }
    for (field, value) in config.as_object().into_iter().flatten() {
        if !TOLD.contains(&field.as_str()) {
            row(field, &value.as_str().map_or_else(|| value.to_string(), str::to_owned))?;
        }
    }
    Ok(())
}

/// Prints the request that goes to AWS.
pub(super) fn request(lines: &FieldLines, body: &[u8], out: &mut impl Write) -> io::Result<()> {
    if let Some((_, authorization)) = lines.iter().find(|(name, _)| name == "authorization") {
        let text = String::from_utf8_lossy(authorization);
        let signed = text.split_once("SignedHeaders=").map(|(_, rest)| rest.split(',').next());
        let signed = signed.flatten().unwrap_or_default();
        writeln!(out, "{:<12} {}, and {}", "signed", signed.replace(';', ", "), what_of(body, lines))?;
    }
    writeln!(out)?;
    for (name, value) in lines {
        print_field('>', name, &shown(name, value), out)?;
    }
    print_body(body, out)
}

/// What the signature says of the body.
fn what_of(body: &[u8], lines: &FieldLines) -> String {
    let is_unsigned =
        |(name, value): &(String, Vec<u8>)| name == "x-amz-content-sha256" && value == b"UNSIGNED-PAYLOAD";
    match lines.iter().any(is_unsigned) {
        true => "not the body".to_owned(),
        false => format!("the digest of {} bytes", body.len()),
    }
}

/// A value without what would let others repeat the call.
fn shown(name: &str, value: &[u8]) -> Vec<u8> {
    const HIDDEN: &str = "[redacted]";
    match name {
        "x-amz-security-token" => HIDDEN.into(),
        "authorization" => {
            let text = String::from_utf8_lossy(value);
            let known = text.split_once("Signature=").map_or("", |(known, _)| known);
            format!("{known}Signature={HIDDEN}").into_bytes()
        }
        _ => value.to_vec(),
    }
}

/// Prints what AWS has answered, but for the body, which follows as the client's.
pub(super) fn answer(answer: &Given, out: &mut impl Write) -> io::Result<()> {
    writeln!(out)?;
    answer.lines.iter().try_for_each(|(name, value)| print_field('<', name, value, out))?;
    writeln!(out, "  ({} bytes)\n", answer.body.len())
}

/// Prints what the client gets.
pub(super) fn response(lines: &FieldLines, body: &[u8], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "the client gets:")?;
    lines.iter().try_for_each(|(name, value)| print_field(' ', name, value, out))?;
    print_body(body, out)
}

/// Prints what the client gets in the place of a function's answer.
pub(super) fn refusal(what: &str, outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    match outcome {
        Outcome::Answered(response) => {
            writeln!(out, "{what}; the client gets {} ({}):", response.status, response.details)?;
            print_body(&response.body, out)
        }
        _ => writeln!(out, "{what}; the client's stream is reset"),
    }
}
