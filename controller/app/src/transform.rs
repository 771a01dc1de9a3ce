//! `ferrule transform`: a transformation tried on messages that are made up, by the code that Envoy runs, without Envoy.
//!
//! Invariant: nothing but the command line decides the outcome: no clock, no environment, the same randomness each time.

mod config;
mod exchange;
mod report;

#[cfg(test)]
mod tests;

use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use ferrule_kit::{FieldLines, Message};
use ferrule_transformation::Transformation;

use crate::cli::TransformArgs;
use config::{Configured, Origin};
use exchange::{Exchange, Given};

/// Exit code where the configuration does not compile or a message could not be transformed.
const FAILED: u8 = 1;

/// Prints what becomes of the messages on `out`, and what goes wrong on `complaints`.
///
/// # Errors
/// A file cannot be read, or an argument makes no sense.
pub(crate) fn transform(
    args: &TransformArgs,
    out: &mut impl Write,
    complaints: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let (request, response) = given(args)?;
    let body = if args.response { &response.body } else { &request.body };
    let Configured { json, origin, secrets } = match config::read(args, body)? {
        Ok(configured) => configured,
        Err(line) => {
            writeln!(complaints, "{line}")?;
            return Ok(ExitCode::from(FAILED));
        }
    };
    let filter = match ferrule_kit::compile::<Transformation>(json.to_string().as_bytes()) {
        Ok(filter) => Arc::new(filter),
        Err(error) => {
            writeln!(complaints, "{}", origin.place(&error.field, &error.reason))?;
            return Ok(ExitCode::from(FAILED));
        }
    };
    let mut exchange = Exchange::new(Arc::clone(&filter), secrets);
    let mut is_over = false;
    for (message, given) in [(Message::Request, request), (Message::Response, response)] {
        let is_shown = json.get(report::name(message)).is_some();
        let outcome = exchange.pass(message, &given);
        is_over = outcome.is_answer();
        if is_shown || is_over {
            report::message(&filter, message, &given, &outcome, out)?;
        }
        if is_over {
            break;
        }
    }
    let host = exchange.end();
    report::effects(&host, out)?;
    let wrong = complain(&host, &origin, complaints)?;
    Ok(if wrong || is_over { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

/// Says what the filter logged, with the places of its fields; returns whether that was anything.
fn complain(host: &ferrule_kit::MemoryHost, origin: &Origin, to: &mut impl Write) -> anyhow::Result<bool> {
    let logged = host.logged.borrow();
    for line in logged.iter() {
        // Which route and which filter it was is known here.
        let text = line.line.split_once("\": ").map_or(line.line.as_str(), |(_, text)| text);
        match text.split_once(": ") {
            Some((field, reason)) => writeln!(to, "{}", origin.place(field, reason))?,
            None => writeln!(to, "{text}")?,
        }
    }
    Ok(!logged.is_empty())
}

/// Request and response as the command line gives them.
fn given(args: &TransformArgs) -> anyhow::Result<(Given, Given)> {
    let lines = fields(&args.headers, "--header")?;
    let body = args.body.as_deref().map(contents).transpose()?.unwrap_or_default();
    let (sent, answered) = if args.response {
        (Given::default(), Given { lines, body })
    } else {
        let lines_back = fields(&args.response_headers, "--response-header")?;
        let body_back = args.response_body.as_deref().map(contents).transpose()?.unwrap_or_default();
        (Given { lines, body }, Given { lines: lines_back, body: body_back })
    };
    let method = match (&args.method, sent.body.is_empty()) {
        (Some(method), _) => method.as_str(),
        (None, true) => "GET",
        (None, false) => "POST",
    };
    let pseudo =
        [(":method", method), (":path", &args.path), (":scheme", "http"), (":authority", "localhost")];
    let status = args.status.to_string();
    Ok((sent.under(&pseudo), answered.under(&[(":status", &status)])))
}

fn fields(written: &[String], option: &str) -> anyhow::Result<FieldLines> {
    let parse = |line: &String| {
        let (name, value) =
            line.split_once(':').with_context(|| format!("{option} {line:?}: wanted is 'name: value'"))?;
        Ok((name.trim().to_ascii_lowercase(), value.trim().as_bytes().to_vec()))
    };
    written.iter().map(parse).collect()
}

/// The bytes of a file; `-` is standard input.
fn contents(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("stdin")?;
        return Ok(bytes);
    }
    std::fs::read(file).with_context(|| file.display().to_string())
}
