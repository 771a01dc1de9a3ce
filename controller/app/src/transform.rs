//! `ferrule transform`: a transformation tried on messages that are made up, by the code that Envoy runs, without Envoy.
//!
//! Invariant: nothing but the command line decides the outcome: no clock, no environment, the same randomness each time.

mod config;
mod report;

#[cfg(test)]
mod tests;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use ferrule_kit::{MemoryHost, Message};
use ferrule_transformation::Transformation;

use crate::cli::TransformArgs;
use crate::exchange::Exchange;
use crate::message::{Given, contents, fields};
use config::{Configured, Origin};

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
    let mut exchange = Exchange::new(Arc::clone(&filter), MemoryHost { secrets, ..MemoryHost::default() });
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
fn complain(host: &MemoryHost, origin: &Origin, to: &mut impl Write) -> anyhow::Result<bool> {
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
    let method = args.method.as_deref().unwrap_or(sent.usual_method());
    let pseudo =
        [(":method", method), (":path", &args.path), (":scheme", "http"), (":authority", "localhost")];
    let status = args.status.to_string();
    Ok((sent.under(&pseudo), answered.under(&[(":status", &status)])))
}
