//! What a failing case prints: enough to mend it without running it again.

use std::fmt;

use similar::{ChangeTag, TextDiff};

use crate::case::{Case, Exchange};
use crate::check::Mismatch;
use crate::seen::Seen;

/// Log lines that a report shows.
const LOG_LINES: usize = 30;

/// A case that failed; displays as the whole report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    report: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// The case could not even be played.
    pub fn unplayable(case: &Case, reason: impl fmt::Display) -> Self {
        Self { report: format!("{}\n{reason}\n{}", heading(case), config(case)) }
    }

    /// An exchange went otherwise than expected; `at` counts exchanges from 0.
    pub fn mismatches(case: &Case, at: usize, seen: &Seen, mismatches: &[Mismatch]) -> Self {
        let mut report = heading(case);
        if case.exchanges().len() > 1 {
            report += &format!("in exchange {} of {}\n", at + 1, case.exchanges().len());
        }
        mismatches.iter().for_each(|mismatch| report += &format!("\n{}", diff(mismatch)));
        report += &format!("\n{}", config(case));
        if let Some(exchange) = case.exchanges().get(at) {
            report += &section("sent", &sent(exchange));
        }
        report += &what_was_seen(seen);
        Self { report }
    }
}

fn heading(case: &Case) -> String {
    format!("{}: {}\n", case.path.display(), case.about)
}

fn config(case: &Case) -> String {
    let configs = case.routes.iter().map(|route| match &route.config {
        Some(config) => format!("{}: {config:#}\n", route.name),
        None => format!("{}: (filter off)\n", route.name),
    });
    section("config", &configs.collect::<String>())
}

fn sent(exchange: &Exchange) -> String {
    let request = &exchange.request;
    let lines = request.lines();
    let body = request.body.as_ref().map(|body| body.bytes()).unwrap_or_default();
    let (method, path, host) = (request.method().to_owned(), request.path.clone(), request.host.clone());
    let (trailers, complete) = (request.trailers.clone(), true);
    crate::SeenRequest { method, path, host, headers: lines, body, trailers, complete }.to_string()
}

fn what_was_seen(seen: &Seen) -> String {
    let upstream = seen.upstream.as_ref().map_or("(no request)\n".to_owned(), ToString::to_string);
    let mut report = section("the upstream saw", &upstream);
    report += &section("the client saw", &seen.client.to_string());
    for (cluster, request) in &seen.callouts {
        report += &section(&format!("callout cluster {cluster} saw"), &request.to_string());
    }
    if let Some(details) = &seen.details {
        report += &section("response-code details", details);
    }
    let skipped = seen.log.len().saturating_sub(LOG_LINES);
    if !seen.log.is_empty() {
        report += &section("log", &seen.log[skipped..].join("\n"));
    }
    report
}

fn section(title: &str, text: &str) -> String {
    let indented = text.trim_end().lines().map(|line| format!("    {line}\n"));
    format!("  {title}:\n{}", indented.collect::<String>())
}

fn diff(mismatch: &Mismatch) -> String {
    let diff = TextDiff::from_lines(&mismatch.wanted, &mismatch.seen);
    let mut text = format!("  {} (- wanted, + seen)\n", mismatch.what);
    for change in diff.iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        text += &format!("    {sign} {}\n", change.value().trim_end_matches('\n'));
    }
    text
}
