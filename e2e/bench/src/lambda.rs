//! What calling a function and signing add to a request, beside Envoy's own filters in the same mode, before a service on the
//! loopback address.
//!
//! A call changes what it is made of, so a chain of equal filters means nothing here: each variant has one filter.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use crate::baseline::{aws_lambda, aws_request_signing};
use crate::figure::Figure;
use crate::ours::Ours;
use crate::rounds::{self, Costs};
use crate::traffic::{Traffic, order};
use crate::variant::{Filter, Variant};
use crate::{endpoint, soak};

const ROUNDS: usize = 60;
/// Calls of a soak where none are asked for.
pub(crate) const CALLS: usize = 5_000_000;

const KIB: usize = 1 << 10;
/// Header lines that clients send besides the fewest.
const MORE: usize = 14;

/// Services by what they answer.
struct Services {
    /// A small body.
    plain: SocketAddr,
    /// An answer of a function with a small body.
    wrapped: SocketAddr,
    /// The same with one of 64 KiB.
    wrapped_large: SocketAddr,
}

impl Services {
    fn start() -> Result<Self> {
        let kind = "content-type: application/json\r\n";
        let answer = |body: Value| {
            json!({"statusCode": 200, "headers": {"content-type": "application/json", "x-out": "called"},
                   "body": body.to_string(), "isBase64Encoded": false})
        };
        let small = json!({"answer": "x".repeat(200)});
        Ok(Self {
            plain: endpoint::start(kind, &small.to_string())?,
            wrapped: endpoint::start(kind, &answer(small).to_string())?,
            wrapped_large: endpoint::start(kind, &answer(order(64 * KIB)).to_string())?,
        })
    }
}

/// Runs the area and gives its figures.
///
/// # Errors
/// Envoy does not start, or a request fails.
pub(crate) fn run(artefacts: &Path) -> Result<Vec<Figure>> {
    let services = Services::start()?;
    let lambda = Ours::named(artefacts, "lambda");
    let signing = Ours::named(artefacts, "aws_signing");
    let mut variants = Vec::new();
    for (size, traffic) in sizes() {
        variants.extend(calls(&lambda, &services, size, &traffic));
        variants.extend(signatures(&signing, &services, size, &traffic));
    }
    variants.extend(answers(&lambda, &services));
    variants.extend(more_headers(&lambda, &services));
    Ok(figures(&rounds::measure(variants, ROUNDS)?))
}

fn sizes() -> [(&'static str, Traffic); 2] {
    let posts = |size, requests| Traffic::post(order(size).to_string(), requests);
    [("1k", posts(KIB, 400)), ("64k", posts(64 * KIB, 60))]
}

/// Our configuration of a call.
fn call(payload_mode: &str) -> Value {
    json!({"functionName": "measured", "region": "us-east-1", "payloadMode": payload_mode,
           "credentials": credentials()})
}

fn credentials() -> Value {
    json!({"static": {"accessKey": "AKIDEXAMPLE", "secretKey": "wJalrXUtnFEMI"}})
}

/// Our configuration of a signature.
fn signature(payload: &str) -> Value {
    json!({"region": "us-east-1", "service": "execute-api", "payload": payload, "credentials": credentials()})
}

fn calls(ours: &Ours, services: &Services, size: &str, traffic: &Traffic) -> Vec<Variant> {
    let (plain, wrapped) = (format!("plain_{size}"), format!("plain_wrapped_{size}"));
    let through = |name: &str, filter: Filter| {
        let variant = Variant::of(&format!("{name}_{size}"), vec![filter], &plain, traffic);
        variant.sets("signed").before(services.plain)
    };
    let event = |name: &str, filter: Filter| {
        let variant = Variant::of(&format!("{name}_{size}"), vec![filter], &wrapped, traffic);
        variant.sets("called").before(services.wrapped)
    };
    vec![
        Variant::bare(&plain, traffic).before(services.plain),
        through("aws_lambda_passthrough", aws_lambda(true)),
        through("native_passthrough", ours.native(&call("None"))),
        through("wasm_passthrough", ours.wasm(&call("None"))),
        Variant::bare(&wrapped, traffic).before(services.wrapped),
        event("aws_lambda_event", aws_lambda(false)),
        event("native_event", ours.native(&call("Envoy"))),
        event("wasm_event", ours.wasm(&call("Envoy"))),
    ]
}

fn signatures(ours: &Ours, services: &Services, size: &str, traffic: &Traffic) -> Vec<Variant> {
    let signs = |name: &str, filter: Filter| {
        let base = format!("plain_{size}");
        let variant = Variant::of(&format!("{name}_{size}"), vec![filter], &base, traffic);
        variant.sets("signed").before(services.plain)
    };
    vec![
        signs("aws_request_signing", aws_request_signing(false)),
        signs("native_signing", ours.native(&signature("Hash"))),
        signs("wasm_signing", ours.wasm(&signature("Hash"))),
        signs("aws_request_signing_unsigned", aws_request_signing(true)),
        signs("native_signing_unsigned", ours.native(&signature("Unsigned"))),
    ]
}

/// A small request whose answer is large.
fn answers(ours: &Ours, services: &Services) -> Vec<Variant> {
    let traffic = Traffic::post(order(KIB).to_string(), 60);
    let event = |name: &str, filter| {
        let variant = Variant::of(name, vec![filter], "plain_answer", &traffic);
        variant.sets("called").before(services.wrapped_large)
    };
    vec![
        Variant::bare("plain_answer", &traffic).before(services.wrapped_large),
        event("aws_lambda_answer", aws_lambda(false)),
        event("native_answer", ours.native(&call("Envoy"))),
    ]
}

/// Bodies as they are, from clients that send more header lines.
fn more_headers(ours: &Ours, services: &Services) -> Vec<Variant> {
    let traffic = Traffic::post(order(KIB).to_string(), 400).with_more_headers(MORE);
    let through = |name: &str, filter| {
        let variant = Variant::of(name, vec![filter], "plain_more", &traffic);
        variant.sets("signed").before(services.plain)
    };
    vec![
        Variant::bare("plain_more", &traffic).before(services.plain),
        through("aws_lambda_more", aws_lambda(true)),
        through("native_more", ours.native(&call("None"))),
    ]
}

fn figures(costs: &Costs) -> Vec<Figure> {
    let figure = |name: &str, goal, ours: &str, baseline: &str| {
        costs.figure(&format!("lambda/{name}"), goal, ours, baseline)
    };
    vec![
        figure("passthrough-1k", 0.6, "native_passthrough_1k", "aws_lambda_passthrough_1k"),
        figure("passthrough-64k", 0.9, "native_passthrough_64k", "aws_lambda_passthrough_64k"),
        figure("event-1k", 0.4, "native_event_1k", "aws_lambda_event_1k"),
        figure("event-64k", 0.2, "native_event_64k", "aws_lambda_event_64k"),
        figure("answer-64k", 0.2, "native_answer", "aws_lambda_answer"),
        figure("signing-1k", 0.6, "native_signing_1k", "aws_request_signing_1k"),
        figure("signing-64k", 0.9, "native_signing_64k", "aws_request_signing_64k"),
        figure(
            "signing-unsigned-64k",
            0.6,
            "native_signing_unsigned_64k",
            "aws_request_signing_unsigned_64k",
        ),
        headers(costs),
        figure("wasm-passthrough-1k", 3.0, "wasm_passthrough_1k", "native_passthrough_1k"),
        figure("wasm-event-1k", 3.0, "wasm_event_1k", "native_event_1k"),
        figure("wasm-signing-1k", 3.0, "wasm_signing_1k", "native_signing_1k"),
    ]
}

/// What more header lines cost a call: each of ours is read and dropped, each of the baseline's is signed and sent.
fn headers(costs: &Costs) -> Figure {
    let grown = |with: &str, without: &str| costs.added(with) - costs.added(without);
    let ours = grown("native_more", "native_passthrough_1k");
    let against = grown("aws_lambda_more", "aws_lambda_passthrough_1k");
    Figure::new("lambda/14-more-headers", 0.1, ours, ("aws_lambda_more", against), "us")
}

/// Makes so many calls, and says whether memory grew.
///
/// # Errors
/// Envoy does not start, or a request fails.
pub(crate) fn soak(artefacts: &Path, calls: usize) -> Result<Vec<Figure>> {
    let (services, ours) = (Services::start()?, Ours::named(artefacts, "lambda"));
    let traffic = Traffic::post(order(KIB).to_string(), calls);
    let variant = Variant::of("native", vec![ours.native(&call("Envoy"))], "native", &traffic);
    let variant = variant.sets("called").before(services.wrapped);
    Ok(vec![soak::resident("lambda-soak", &variant)?])
}
