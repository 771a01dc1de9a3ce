//! Compares what happened with what a case expects.

use serde_json::Value;

use crate::case::{
    BodyMatch, ClientExpect, Expect, LineExpect, Lines, LinesExpect, RequestExpect, ResponseExpect,
    UpstreamExpect, shown,
};
use crate::seen::{ClientSaw, Seen, SeenRequest, SeenResponse};

/// One thing that was not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Which part of `expect`, such as `client.headers.x-a`.
    pub what: String,
    /// What the case wants.
    pub wanted: String,
    /// What was there.
    pub seen: String,
}

/// Collects mismatches under a path.
struct Checker {
    found: Vec<Mismatch>,
}

/// All that was not as expected, in the order of the case's keys.
pub fn check(expect: &Expect, seen: &Seen) -> Vec<Mismatch> {
    let mut checker = Checker { found: Vec::new() };
    checker.upstream(expect, seen);
    checker.client(expect, seen);
    checker.callouts(expect, seen);
    checker.metrics(expect, seen);
    checker.metadata(expect, seen);
    if let Some(details) = &expect.details {
        let seen = seen.details.as_deref().unwrap_or("(none)");
        checker.equal("details", details, seen);
    }
    for text in &expect.log {
        let found = seen.log.iter().any(|line| line.contains(text));
        checker.hold(found, "log", &format!("a line with {text:?}"), "no such line");
    }
    checker.found
}

impl Checker {
    fn hold(&mut self, holds: bool, what: &str, wanted: &str, seen: &str) {
        if !holds {
            let (what, wanted, seen) = (what.to_owned(), wanted.to_owned(), seen.to_owned());
            self.found.push(Mismatch { what, wanted, seen });
        }
    }

    fn equal(&mut self, what: &str, wanted: &str, seen: &str) {
        self.hold(wanted == seen, what, wanted, seen);
    }

    fn upstream(&mut self, expect: &Expect, seen: &Seen) {
        match (&expect.upstream, &seen.upstream) {
            (None, _) | (Some(UpstreamExpect::None), None) => {}
            (Some(UpstreamExpect::None), Some(request)) => {
                self.hold(false, "upstream", "no request", &request.to_string());
            }
            (Some(UpstreamExpect::Request(_)), None) => {
                self.hold(false, "upstream", "a request", "no request");
            }
            (Some(UpstreamExpect::Request(expect)), Some(request)) => {
                self.request("upstream", expect, request)
            }
        }
    }

    fn request(&mut self, at: &str, expect: &RequestExpect, seen: &SeenRequest) {
        let parts = [
            ("method", &expect.method, &seen.method),
            ("path", &expect.path, &seen.path),
            ("host", &expect.host, &seen.host),
        ];
        for (part, wanted, seen) in parts {
            if let Some(wanted) = wanted {
                self.equal(&format!("{at}.{part}"), wanted, seen);
            }
        }
        self.lines(&format!("{at}.headers"), &expect.headers, &seen.headers);
        self.body(&format!("{at}.body"), expect.body.as_ref(), &seen.body);
        self.lines(&format!("{at}.trailers"), &expect.trailers, &seen.trailers);
        #[cfg(feature = "sigv4")]
        if let Some(signature) = &expect.signature {
            let outcome = signature.verify(seen);
            let found = outcome.as_ref().map_or_else(String::as_str, |()| "");
            self.hold(outcome.is_ok(), &format!("{at}.signature"), "a valid signature", found);
        }
        let complete = expect.complete.unwrap_or(true);
        self.hold(
            complete == seen.complete,
            &format!("{at}.complete"),
            &complete.to_string(),
            &seen.complete.to_string(),
        );
    }

    fn client(&mut self, expect: &Expect, seen: &Seen) {
        match (&expect.client, &seen.client) {
            (_, ClientSaw::Hang) => self.hold(false, "client", "an end of the exchange", "none came"),
            (None, _) | (Some(ClientExpect::Reset), ClientSaw::Reset(_)) => {}
            (Some(ClientExpect::Reset), saw) => self.hold(false, "client", "reset", &saw.to_string()),
            (Some(ClientExpect::Response(expect)), ClientSaw::Response(seen)) => self.response(expect, seen),
            (Some(ClientExpect::Response(_)), saw) => {
                self.hold(false, "client", "a response", &saw.to_string())
            }
        }
    }

    fn response(&mut self, expect: &ResponseExpect, seen: &SeenResponse) {
        if let Some(status) = expect.status {
            self.equal("client.status", &status.to_string(), &seen.status.to_string());
        }
        self.lines("client.headers", &expect.headers, &seen.headers);
        self.body("client.body", expect.body.as_ref(), &seen.body);
        self.lines("client.trailers", &expect.trailers, &seen.trailers);
    }

    fn callouts(&mut self, expect: &Expect, seen: &Seen) {
        let Some(wanted) = &expect.callouts else { return };
        let clusters = |all: Vec<&String>| format!("{all:?}");
        let wanted_clusters = clusters(wanted.iter().map(|callout| &callout.cluster).collect());
        let seen_clusters = clusters(seen.callouts.iter().map(|(cluster, _)| cluster).collect());
        self.equal("callouts", &wanted_clusters, &seen_clusters);
        for (at, (wanted, (_, seen))) in wanted.iter().zip(&seen.callouts).enumerate() {
            let request = RequestExpect {
                method: wanted.method.clone(),
                path: wanted.path.clone(),
                host: wanted.host.clone(),
                headers: wanted.headers.clone(),
                body: wanted.body.clone(),
                ..RequestExpect::default()
            };
            self.request(&format!("callouts[{at}]"), &request, seen);
        }
    }

    fn metrics(&mut self, expect: &Expect, seen: &Seen) {
        for (name, wanted) in &expect.metrics {
            let seen = seen.metrics.get(name).map_or("no such counter".to_owned(), u64::to_string);
            self.equal(&format!("metrics.{name}"), &wanted.to_string(), &seen);
        }
    }

    fn metadata(&mut self, expect: &Expect, seen: &Seen) {
        for (namespace, keys) in &expect.metadata {
            for (key, wanted) in keys {
                let seen =
                    seen.metadata.get(namespace).and_then(|values| values.get(key)).unwrap_or(&Value::Null);
                // Members of a struct have no order.
                let at = format!("metadata.{namespace}.{key}");
                self.hold(wanted == seen, &at, &wanted.to_string(), &seen.to_string());
            }
        }
    }

    fn body(&mut self, at: &str, expect: Option<&BodyMatch>, seen: &[u8]) {
        if let Some(expect) = expect {
            self.hold(expect.is(seen), at, &expect.wanted(), &expect.seen(seen));
        }
    }

    fn lines(&mut self, at: &str, expect: &LinesExpect, seen: &Lines) {
        for (name, wanted) in &expect.0 {
            let values = seen.values(name);
            let holds = line_holds(name, wanted, &values);
            self.hold(holds, &format!("{at}.{name}"), &wanted_line(wanted), &seen_line(&values));
        }
    }
}

fn line_holds(name: &str, wanted: &LineExpect, seen: &[&[u8]]) -> bool {
    match wanted {
        LineExpect::Absent => seen.is_empty(),
        LineExpect::Matches(regex) => matches!(seen, [one] if regex.is_match(one)),
        LineExpect::Values(values) => {
            let wanted: Vec<&[u8]> = values.iter().map(|value| value.0.as_slice()).collect();
            // RFC 9110 §5.3: lines may be joined, but for Set-Cookie.
            wanted == seen || (name != "set-cookie" && !wanted.is_empty() && joined(&wanted) == joined(seen))
        }
    }
}

fn joined(values: &[&[u8]]) -> Option<Vec<u8>> {
    (!values.is_empty()).then(|| values.join(&b','))
}

fn wanted_line(wanted: &LineExpect) -> String {
    match wanted {
        LineExpect::Absent => "(absent)".to_owned(),
        LineExpect::Matches(regex) => format!("(one line that matches {regex})"),
        LineExpect::Values(values) => {
            seen_line(&values.iter().map(|value| value.0.as_slice()).collect::<Vec<_>>())
        }
    }
}

fn seen_line(values: &[&[u8]]) -> String {
    if values.is_empty() {
        return "(absent)".to_owned();
    }
    values.iter().map(|value| shown(value)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
