//! Fields that are not a message's own: proxies set, change or remove them once their filters have seen it.

/// Fields of a connection or a message's frame (RFC 9110 §7.6.1, RFC 9112 §6).
const OF_CONNECTIONS: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Those by which tracers of Envoy's tell the next one of a span.
const OF_TRACES: [&str; 6] =
    ["b3", "sw8", "traceparent", "tracestate", "x-amzn-trace-id", "x-cloud-trace-context"];

/// Beginnings of names of the same.
const PREFIXES: [&str; 4] = ["x-envoy-", "x-b3-", "x-datadog-", "x-ot-"];

/// Whether fields of that name, in lower case, are a connection's or a message's frame, and so the proxy's alone to set.
pub fn is_of_connection(name: &str) -> bool {
    OF_CONNECTIONS.contains(&name)
}

/// Whether a proxy sets, changes or removes fields of that name, in lower case, once its filters have seen a request: a signature of
/// such a one would be wrong.
pub fn changes_on_its_way(name: &str) -> bool {
    let begins = || PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    // A proxy may meet `expect` itself.
    is_of_connection(name) || ["expect", "host"].contains(&name) || OF_TRACES.contains(&name) || begins()
}
