//! What the transformation filter adds to a request, beside Envoy's own filters and Lua for the same job.
//!
//! What one filter adds is a small difference of two large costs. So ten equal filters are measured wherever each of them
//! does what a single one does, ours and the baseline's alike, and the difference is divided by ten:
//!
//! - A header is set anew by each filter from one that none of them changes.
//! - The JSON job (`json-1k`, beyond ten buffer filters) leaves a body that it finds again: the field it replaces depends on
//!   another one, so the first filter lengthens the body by ten bytes, and all others write the same bytes again. Counted in
//!   instructions, a filter of ours in the chain does 94 % of what a single one does, and `http.transform` 98 %: only the
//!   first one is shown the body and its end apart.
//! - A small new body is no input for a second filter, and ten trees of 64 KiB tell no more than one: these are measured
//!   with one filter (`json-field-*`, `*-64k`).
//!
//! The JSON job with one filter is shown, too (`json-1k-alone`): alone, a filter has been seen to cost more CPU time than in
//! a chain, for about the same instructions (in a chain 94 % of those alone). What the rest is spent on was not measured.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use crate::baseline::{buffer, header_mutation, header_mutation_per_route, lua, transform};
use crate::figure::Figure;
use crate::ours::Ours;
use crate::rounds::{self, Costs};
use crate::traffic::{Traffic, order};
use crate::variant::{Filter, Variant};

const ROUNDS: usize = 50;

/// Sizes of JSON bodies: name, bytes, requests a round, how much of the baseline's cost ours may be.
const SIZES: [(&str, usize, usize, f64); 2] = [("1k", 1 << 10, 600, 0.07), ("64k", 64 << 10, 30, 0.03)];
/// Requests a round for chains of JSON jobs.
const CHAINED: usize = 200;

/// Runs the area and gives its figures.
///
/// # Errors
/// Envoy does not start, or a request fails.
pub(crate) fn run(artefacts: &Path) -> Result<Vec<Figure>> {
    let ours = Ours::of(artefacts);
    let mut variants = header_variants(&ours);
    for (size, bytes, requests, _) in SIZES {
        variants.extend(body_variants(&ours, size, bytes, requests));
    }
    variants.extend(body_chains(&ours));
    Ok(figures(&rounds::measure(variants, ROUNDS)?))
}

fn header_variants(ours: &Ours) -> Vec<Variant> {
    let (template, empty) = (header_template(), json!({"request": {}}));
    let few = Traffic::get(1_000);
    let more = few.clone().with_more_headers(14);
    let chain = |name: &str, filter| Variant::chain(name, &filter, "no_filter", &few);
    let sets = |name: &str, filter| chain(name, filter).sets("some-value-suffix");
    vec![
        Variant::bare("no_filter", &few),
        sets("header_mutation", header_mutation()),
        sets("header_mutation_per_route", header_mutation_per_route()),
        sets("lua", lua()),
        chain("native_noop", ours.native(&json!({}))),
        chain("native_empty", ours.native(&empty)),
        chain("native_empty_per_route", ours.native_per_route(&empty)),
        sets("native_header", ours.native(&template)),
        sets("native_header_per_route", ours.native_per_route(&template)),
        sets("wasm_header", ours.wasm(&template)),
        Variant::bare("no_filter_more", &more),
        Variant::chain("native_header_more", &ours.native(&template), "no_filter_more", &more)
            .sets("some-value-suffix"),
    ]
}

/// Sets one request header from another.
pub(crate) fn header_template() -> Value {
    json!({"request": {"set": [{"name": "x-out", "value": "{{ header('x-in') }}-suffix"}]}})
}

/// Sets a header from one field of a JSON body, and replaces another field.
pub(crate) fn json_job() -> Value {
    json!({"request": {
        "set": [{"name": "x-out", "value": "{{ model }}"}],
        "body": {"parseAs": "AsJson"},
        "mergeJson": {"user.name": {"template": "{{ model }}-renamed"}},
    }})
}

/// Sets a header from one field of a JSON body, and makes a small body of another one.
fn field_job() -> Value {
    json!({"request": {
        "set": [{"name": "x-out", "value": "{{ model }}"}],
        "body": {"parseAs": "AsJson", "value": "{\"name\":\"{{ user.name }}\"}"},
    }})
}

/// One filter each.
fn body_variants(ours: &Ours, size: &str, bytes: usize, requests: usize) -> Vec<Variant> {
    let body = order(bytes);
    let small = json!({"name": "ann"}).to_string().len();
    let traffic = Traffic::post(body.to_string(), requests);
    let base = format!("buffer_{size}");
    let job = |name: &str, filter: Filter| {
        Variant::of(&format!("{name}_{size}"), vec![filter], &base, &traffic).sets("large")
    };
    let field = transform("%REQUEST_BODY(model)%", "REPLACE", &json!({"name": "%REQUEST_BODY(user:name)%"}));
    vec![
        Variant::of(&base, vec![buffer()], &base, &traffic),
        job("transform_json", transform_json()),
        job("transform_field", field),
        job("native_json", ours.native(&json_job())).resizes_to(renamed(&body)),
        job("native_field", ours.native(&field_job())).resizes_to(small),
        job("wasm_json", ours.wasm(&json_job())).resizes_to(renamed(&body)),
    ]
}

/// Chains of filters that do the JSON job at 1 KiB.
fn body_chains(ours: &Ours) -> Vec<Variant> {
    let body = order(1 << 10);
    let traffic = Traffic::post(body.to_string(), CHAINED);
    let chain = |name: &str, filter| Variant::chain(name, &filter, "buffer_chain", &traffic);
    let job = |name: &str, filter| chain(name, filter).sets("large");
    vec![
        chain("buffer_chain", buffer()),
        job("transform_json_chain", transform_json()),
        job("native_json_chain", ours.native(&json_job())).resizes_to(renamed(&body)),
        job("wasm_json_chain", ours.wasm(&json_job())).resizes_to(renamed(&body)),
    ]
}

/// The JSON job of the built-in filter.
fn transform_json() -> Filter {
    let body = json!({"user": {"name": "%REQUEST_BODY(model)%-renamed"}});
    transform("%REQUEST_BODY(model)%", "MERGE", &body)
}

/// How long `body` is once the JSON job has been done.
fn renamed(body: &Value) -> usize {
    let mut renamed = body.clone();
    renamed["user"]["name"] = "large-renamed".into();
    renamed.to_string().len()
}

fn figures(costs: &Costs) -> Vec<Figure> {
    let figure = |name: &str, goal, ours: &str, baseline: &str| {
        costs.figure(&format!("transformation/{name}"), goal, ours, baseline)
    };
    let mut figures = vec![
        figure("header-template", 1.3, "native_header", "header_mutation"),
        figure("header-template-vs-lua", 0.33, "native_header", "lua"),
        figure("header-template-14-more", 1.1, "native_header_more", "native_header"),
        figure("header-template-per-route", 1.3, "native_header_per_route", "header_mutation_per_route"),
        figure("empty-transform", 1.1, "native_empty", "native_noop"),
        figure("empty-transform-per-route", 1.1, "native_empty_per_route", "native_noop"),
        figure("wasm-header-template", 2.5, "wasm_header", "native_header"),
    ];
    figures.extend([
        figure("json-1k", 0.07, "native_json_chain", "transform_json_chain"),
        figure("wasm-json-1k", 2.5, "wasm_json_chain", "native_json_chain"),
    ]);
    for (size, .., goal) in SIZES {
        let (json, field) = (format!("native_json_{size}"), format!("native_field_{size}"));
        let alone = if size == "1k" { "-alone" } else { "" };
        figures.extend([
            figure(&format!("json-{size}{alone}"), goal, &json, &format!("transform_json_{size}")),
            figure(&format!("json-field-{size}"), goal, &field, &format!("transform_field_{size}")),
            figure(&format!("wasm-json-{size}{alone}"), 2.5, &format!("wasm_json_{size}"), &json),
        ]);
    }
    figures
}
