//! What proxies say of orders, for people.

use std::io::Write;

use serde_json::Value;

use crate::orders::{Account, Standing, Word};

/// A line a proxy; for an inspection, what its caches say below it.
pub(super) fn account(account: &Account, out: &mut impl Write) -> std::io::Result<()> {
    if account.unheard > 0 {
        writeln!(
            out,
            "{} replicas of the controller have not said what their proxies made of it",
            account.unheard
        )?;
    }
    if account.proxies.is_empty() {
        return writeln!(out, "no proxy of a Gateway with a CachePolicy is connected");
    }
    account.proxies.iter().try_for_each(|word| {
        writeln!(out, "{} {}: {}", word.gateway, word.proxy, line(word))?;
        let caches = word.outcome.as_ref().and_then(|outcome| outcome["caches"].as_array());
        caches.into_iter().flatten().try_for_each(|one| cache(one, out))
    })
}

fn line(word: &Word) -> String {
    let outcome = word.outcome.as_ref().unwrap_or(&Value::Null);
    match word.standing {
        Standing::Answered => match (&outcome["purged"], &outcome["caches"]) {
            (Value::Number(count), _) => format!("purged {count}"),
            (_, Value::Array(caches)) if caches.is_empty() => "no cache".to_owned(),
            (_, Value::Array(caches)) => format!("caches: {}", caches.len()),
            _ => "done; its answer was too large".to_owned(),
        },
        Standing::Accepted => "accepted; wasm proxies do not say what came of it".to_owned(),
        Standing::Waiting => "missing: it has not answered in time".to_owned(),
        Standing::Gone => "missing: it is not connected any more".to_owned(),
    }
}

fn cache(cache: &Value, out: &mut impl Write) -> std::io::Result<()> {
    let (storage, request) = (text(&cache["storage"]), &cache["request"]);
    writeln!(out, "  storage {storage}, key {}", text(&cache["key"]))?;
    let (outcome, why) = (text(&request["outcome"]), text(&request["why"]));
    writeln!(out, "    the request: {outcome}, because {why}")?;
    writeln!(out, "    Cache-Status: {}", text(&request["cacheStatus"]))?;
    for stored in cache["stored"].as_array().into_iter().flatten() {
        response(stored, out)?;
    }
    match cache["unlisted"].as_u64() {
        Some(more) if more > 0 => writeln!(out, "    and {more} more"),
        _ => Ok(()),
    }
}

fn response(stored: &Value, out: &mut impl Write) -> std::io::Result<()> {
    let mark = if stored["selected"] == true { '*' } else { '-' };
    let seconds = |name: &str| stored[name].as_i64().unwrap_or_default();
    let (age, ttl) = (seconds("ageSeconds"), seconds("ttlSeconds"));
    let mut words = vec![format!("{} with {} bytes, age {age} s", stored["status"], stored["bodyBytes"])];
    words.push(if ttl > 0 { format!("fresh for {ttl} s") } else { format!("stale for {} s", -ttl) });
    let windows = [
        ("staleWhileRevalidateSeconds", "stale-while-revalidate"),
        ("staleIfErrorSeconds", "stale-if-error"),
    ];
    let windows = windows.into_iter().map(|(name, word)| (seconds(name), word));
    words
        .extend(windows.filter(|(length, _)| *length > 0).map(|(length, word)| format!("{word} {length} s")));
    let flags =
        [("mustValidate", "always validated"), ("neverStale", "never stale"), ("purged", "purged softly")];
    words.extend(flags.iter().filter(|(name, _)| stored[name] == true).map(|(_, word)| (*word).to_owned()));
    let fields = stored["selectedBy"].as_object().into_iter().flatten();
    words.extend(fields.map(|(name, value)| match value {
        Value::Null => format!("for requests without {name}"),
        value => format!("for {name}: {}", text(value)),
    }));
    if let Value::String(etag) = &stored["etag"] {
        words.push(format!("ETag {etag}"));
    }
    let tags: Vec<String> = stored["tags"].as_array().into_iter().flatten().map(text).collect();
    if !tags.is_empty() {
        words.push(format!("tags {}", tags.join(" ")));
    }
    writeln!(out, "    {mark} {}", words.join(", "))
}

/// Without what a terminal would take for more than text.
fn text(value: &Value) -> String {
    let text = value.as_str().unwrap_or("-");
    text.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn printed(standing: Standing, outcome: Value) -> String {
        let outcome = Some(outcome).filter(|outcome| !outcome.is_null());
        let word = Word { gateway: "d/g".into(), proxy: "p".into(), standing, outcome };
        let mut out = Vec::new();
        account(&Account { proxies: vec![word], unheard: 0 }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_proxy_has_a_line() {
        assert_eq!(printed(Standing::Answered, json!({"purged": 2})), "d/g p: purged 2\n");
        assert!(printed(Standing::Waiting, Value::Null).starts_with("d/g p: missing"));
        assert!(printed(Standing::Accepted, Value::Null).contains("wasm"));
        let mut out = Vec::new();
        account(&Account::default(), &mut out).unwrap();
        assert!(out.starts_with(b"no proxy"));
    }

    #[test]
    fn an_inspection_shows_what_is_stored_and_what_a_request_would_get() {
        let outcome = json!({"caches": [{
            "storage": "d/all", "key": "http://a/\u{1b}", "unlisted": 1,
            "request": {"outcome": "hit", "why": "what is stored is fresh", "cacheStatus": "ferrule; hit; ttl=5"},
            "stored": [{
                "selected": true, "status": 200, "bodyBytes": 3, "ageSeconds": 1, "ttlSeconds": 5,
                "staleIfErrorSeconds": 9, "purged": true, "etag": "\"x\"", "tags": ["t", "u"],
                "selectedBy": {"accept-encoding": "gzip", "accept-language": null},
            }],
        }]});
        let expected = "d/g p: caches: 1\n  storage d/all, key http://a/\u{fffd}\n    \
            the request: hit, because what is stored is fresh\n    Cache-Status: ferrule; hit; ttl=5\n    \
            * 200 with 3 bytes, age 1 s, fresh for 5 s, stale-if-error 9 s, purged softly, for accept-encoding: gzip, \
            for requests without accept-language, ETag \"x\", tags t u\n    and 1 more\n";
        assert_eq!(printed(Standing::Answered, outcome), expected);
    }
}
