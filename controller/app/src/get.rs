//! `ferrule get`: asks a running controller for the status of its objects and prints it.

use std::io::Write;

use anyhow::{Context, bail};
use envoy_bootstrap::Admin;

use crate::cli::{GetArgs, Layout};
use crate::record::{Condition, Record};
use crate::yaml;

/// Prints what was asked for; fails when a named object does not exist.
pub(crate) fn get(args: &GetArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let asked = Admin::new(args.admin.clone()).get("/status").ok();
    let answer = asked.with_context(|| {
        format!(
            "no controller answers on {}; is `ferrule run` running, with another --admin perhaps?",
            args.admin
        )
    })?;
    if answer.status != 200 {
        bail!("{} answered {}; is it a ferrule controller?", args.admin, answer.status);
    }
    let all: Vec<Record> = serde_json::from_str(&answer.body)
        .with_context(|| format!("{} does not speak like this ferrule", args.admin))?;
    let known =
        args.kind.as_deref().is_none_or(|kind| is_kind(kind) || all.iter().any(|record| is_of(record, kind)));
    if !known {
        bail!("there is no kind {}", args.kind.as_deref().unwrap_or_default());
    }
    let chosen: Vec<&Record> = all.iter().filter(|record| is_chosen(record, args)).collect();
    if let (true, Some(name)) = (chosen.is_empty(), &args.name) {
        bail!("there is no {} {name}", args.kind.as_deref().unwrap_or_default());
    }
    print(&chosen, args.output, out)
}

fn print(records: &[&Record], layout: Layout, out: &mut impl Write) -> anyhow::Result<()> {
    match layout {
        Layout::Json => writeln!(out, "{}", serde_json::to_string_pretty(records)?)?,
        Layout::Yaml => out.write_all(yaml::documents(records)?.as_bytes())?,
        Layout::Table => {
            table(&["KIND", "NAMESPACE", "NAME", "STATUS"], records.iter().map(|r| line(r)).collect(), out)?
        }
        Layout::Wide => {
            let rows = records.iter().flat_map(|record| wide(record)).collect();
            table(&["KIND", "NAMESPACE", "NAME", "OF", "CONDITION", "REASON", "MESSAGE"], rows, out)?;
        }
    }
    Ok(())
}

fn line(record: &Record) -> Vec<String> {
    let conditions = record.conditions();
    let bad: Vec<String> = conditions.iter().filter(|condition| condition.is_bad()).map(brief).collect();
    let mut good: Vec<&str> = conditions.iter().map(|condition| condition.kind).collect();
    good.sort_unstable();
    good.dedup();
    let status = match (bad.is_empty(), good.is_empty()) {
        (_, true) => "-".to_owned(),
        (true, false) => "ok".to_owned(),
        (false, _) => bad.join("; "),
    };
    vec![record.kind.clone(), record.namespace.clone(), record.name.clone(), status]
}

fn brief(condition: &Condition<'_>) -> String {
    let of = if condition.of.is_empty() { String::new() } else { format!(" ({})", condition.of) };
    format!("{}={} {}{of}", condition.kind, condition.status, condition.reason)
}

fn wide(record: &Record) -> Vec<Vec<String>> {
    let row = |condition: Condition<'_>| {
        let state = format!("{}={}", condition.kind, condition.status);
        let (reason, message) = (condition.reason.to_owned(), condition.message.replace('\n', " "));
        vec![
            record.kind.clone(),
            record.namespace.clone(),
            record.name.clone(),
            condition.of,
            state,
            reason,
            message,
        ]
    };
    record.conditions().into_iter().map(row).collect()
}

/// Columns as wide as their widest cell; the last is not padded.
fn table(head: &[&str], rows: Vec<Vec<String>>, out: &mut impl Write) -> std::io::Result<()> {
    let titles = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(titles).chain(rows).collect();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let mut widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or(0)).collect();
    widths.pop();
    for row in &rows {
        let padded = row.iter().zip(widths.iter().chain([&0])).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(out, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

fn is_chosen(record: &Record, args: &GetArgs) -> bool {
    args.kind.as_deref().is_none_or(|kind| is_of(record, kind))
        && args.name.as_ref().is_none_or(|name| record.name == *name)
        && args.namespace.as_ref().is_none_or(|namespace| record.namespace == *namespace)
}

/// Short names as the CRDs define them.
const SHORT: [(&str, &str); 5] = [
    ("gc", "gatewayclass"),
    ("gtw", "gateway"),
    ("be", "backend"),
    ("tp", "trafficpolicy"),
    ("refgrant", "referencegrant"),
];

/// Kinds that may have no object.
const KINDS: [&str; 5] = ["gatewayclass", "gateway", "httproute", "backend", "trafficpolicy"];

fn is_kind(asked: &str) -> bool {
    KINDS.iter().any(|kind| is_named(kind, asked))
}

fn is_of(record: &Record, asked: &str) -> bool {
    is_named(&record.kind.to_lowercase(), asked)
}

/// Whether `asked` is the kind's name, its plural, or its short name; also with its group, as kubectl has it.
fn is_named(kind: &str, asked: &str) -> bool {
    let asked = asked.to_lowercase();
    let asked = asked.split('.').next().unwrap_or_default();
    let plural = match (kind.strip_suffix('y'), kind.ends_with('s')) {
        (Some(stem), _) if !kind.ends_with("ay") => format!("{stem}ies"),
        (_, true) => format!("{kind}es"),
        (_, false) => format!("{kind}s"),
    };
    asked == kind || asked == plural || SHORT.contains(&(asked, kind))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_go_by_singular_plural_and_short_name() {
        for (kind, asked) in [
            ("trafficpolicy", "TrafficPolicies"),
            ("gateway", "gateways"),
            ("gatewayclass", "gatewayclasses"),
            ("httproute", "HTTPRoute"),
            ("gateway", "gtw"),
            ("httproute", "httproutes.gateway.networking.k8s.io"),
        ] {
            assert!(is_named(kind, asked), "{asked}");
        }
        assert!(!is_named("gateway", "gatewayclass") && !is_named("backend", "gtw"));
    }

    #[test]
    fn a_table_shows_what_is_wrong() {
        let record = |name: &str, status: &str| Record {
            api_version: "g/v1".into(),
            kind: "GatewayClass".into(),
            namespace: String::new(),
            name: name.into(),
            status: json!({"conditions": [{"type": "Accepted", "status": status, "reason": "Why", "message": "m"}]}),
        };
        let (good, bad) = (record("a", "True"), record("long-name", "False"));
        let mut out = Vec::new();
        print(&[&good, &bad], Layout::Table, &mut out).unwrap();
        let expected = "KIND          NAMESPACE  NAME       STATUS\n\
                        GatewayClass             a          ok\n\
                        GatewayClass             long-name  Accepted=False Why\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
