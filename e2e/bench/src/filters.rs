//! What our filters add to a request, beside Envoy's own filter for the same job.

use std::path::Path;

use anyhow::Result;
use serde_json::json;

use crate::baseline::header_mutation;
use crate::figure::Figure;
use crate::ours::Ours;
use crate::rounds::{self, Costs};
use crate::traffic::Traffic;
use crate::transformation::header_template;
use crate::variant::Variant;

const ROUNDS: usize = 60;

/// Runs the area and gives its figures.
///
/// # Errors
/// Envoy does not start, or a request fails.
pub(crate) fn run(artefacts: &Path) -> Result<Vec<Figure>> {
    Ok(figures(&rounds::measure(variants(&Ours::of(artefacts)), ROUNDS)?))
}

fn variants(ours: &Ours) -> Vec<Variant> {
    let template = header_template();
    let traffic = Traffic::get(2_000);
    let chain = |name: &str, filter| Variant::chain(name, &filter, "no_filter", &traffic);
    let sets = |name: &str, filter| chain(name, filter).sets("some-value-suffix");
    vec![
        Variant::bare("no_filter", &traffic),
        sets("header_mutation", header_mutation()),
        chain("native_noop", ours.native(&json!({}))),
        sets("native_header", ours.native(&template)),
        chain("wasm_noop", ours.wasm(&json!({}))),
        sets("wasm_header", ours.wasm(&template)),
    ]
}

fn figures(costs: &Costs) -> Vec<Figure> {
    let bare = costs.of("no_filter");
    let noop = bare + costs.added("native_noop");
    let one_noop = Figure::new("filters/noop-request", 1.1, noop, ("no_filter", bare), "us");
    vec![
        one_noop,
        costs.figure("filters/header-template", 2.0, "native_header", "header_mutation"),
        costs.figure("filters/wasm-noop", 3.0, "wasm_noop", "native_noop"),
        costs.figure("filters/wasm-header-template", 3.0, "wasm_header", "native_header"),
    ]
}
