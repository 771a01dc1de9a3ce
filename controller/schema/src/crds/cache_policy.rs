//! `CachePolicy`: how responses are cached (filters/cache/src/config.rs).

use super::shape::{Field, Shape, boolean, integer, large, list, map, object, optional, required, text};
use super::traffic_policy::{target_refs, target_selectors};
use super::{FERRULE, Kind, columns, status};

pub(super) fn kind() -> Kind {
    Kind {
        group: FERRULE,
        name: "CachePolicy",
        plural: "cachepolicies",
        short: "cachepolicy",
        description: "How responses to requests of Gateways, ListenerSets and routes are cached.",
        spec: spec(),
        status: status::policy(),
        columns: columns(&[("Accepted", ".status.ancestors[*].conditions[?(@.type=='Accepted')].status")]),
        is_policy: true,
    }
}

fn spec() -> Shape {
    object([
        optional("targetRefs", target_refs()),
        optional("targetSelectors", target_selectors()),
        optional("disable", object([]).about("Nothing is cached here, whatever is said further out.")),
        optional(
            "name",
            text().length(1, 64).pattern("^[-_.a-zA-Z0-9]+$").about("Name in Cache-Status (RFC 9211)."),
        ),
        optional("key", key()),
        optional("ttl", ttl()),
        optional("stale", stale()),
        optional(
            "clientDirectives",
            text().one_of(&["Honour", "Ignore"]).about("Whether Cache-Control and Pragma of requests count."),
        ),
        optional(
            "targetedFields",
            names().about("Targeted cache-control fields in order of precedence (RFC 9213)."),
        ),
        optional(
            "setCookie",
            text().one_of(&["Store", "Skip"]).about("Whether responses with Set-Cookie are stored."),
        ),
        optional("post", post()),
        optional("bypass", matchers().about("Requests that pass by: those that one of these holds for.")),
        optional(
            "tagFields",
            names().about("Fields that name a response's tags; they are taken out of answers."),
        ),
        optional(
            "normalize",
            map(list(text().length(1, 128)).items(0, 64))
                .entries(0, 32)
                .about("By field: its words that select variants; others are as if they were not there."),
        ),
        optional(
            "purge",
            object([required("allow", matchers().about("Requests that may."))]).about("Who may send PURGE."),
        ),
        optional("observe", observe()),
        optional("collapse", collapse()),
        optional("storage", storage()),
    ])
}

fn names() -> Shape {
    list(text().length(1, 256)).items(0, 64)
}

fn seconds(name: &'static str, about: &str) -> Field {
    optional(name, integer().from(0).about(about))
}

fn key() -> Shape {
    let parameters = || list(text().length(1, 256)).items(0, 256);
    let query = object([
        optional("allow", parameters().about("These parameters alone; a final `*` stands for any end.")),
        optional("deny", parameters().about("All parameters but these; a final `*` stands for any end.")),
        optional("sort", boolean().about("Parameters count in any order.")),
    ]);
    object([
        optional("ignoreHost", boolean().about("All hosts share what is stored.")),
        optional("query", query.about("Which parameters of the query count.")),
        optional("headers", names().about("Fields of requests that count.")),
        optional("cookies", names().about("Cookies that count.")),
    ])
    .about("What a response is stored under besides its URL.")
}

fn ttl() -> Shape {
    object([
        seconds(
            "defaultSeconds",
            "Of responses whose status may be stored without being told (RFC 9110 §15.1).",
        ),
        optional("byStatus", map(integer().from(0)).entries(0, 64).about("By status, seconds.")),
        seconds("heuristicLimitSeconds", "The longest that is guessed from Last-Modified; a day by default."),
    ])
    .about("Lifetimes where the origin says none.")
}

fn stale() -> Shape {
    object([
        seconds("whileRevalidateSeconds", "While they are validated (RFC 5861 §3)."),
        seconds("ifErrorSeconds", "When the origin fails (RFC 5861 §4)."),
    ])
    .about("How long stale responses are served where the origin does not say.")
}

fn observe() -> Shape {
    let metadata = boolean().about("Sets dynamic metadata `ferrule.cache` of each request.");
    object([optional("metadata", metadata)]).about("What access logs can show.")
}

fn post() -> Shape {
    let bytes = integer().from(0).to(16 << 20);
    object([optional(
        "contentBytes",
        bytes.about("Bytes of content that are held for it; larger requests pass by. 65536 by default."),
    )])
    .about(
        "Present: responses to POST answer requests with equal content. Where POST asks and changes nothing.",
    )
}

fn matchers() -> Shape {
    let header = object([
        required("name", text().length(1, 256)),
        optional("value", text().at_most(4096).about("The whole value; any by default.")),
    ]);
    let matcher = object([
        optional("method", text().length(1, 64).about("The method, as it is.")),
        optional("pathPrefix", text().length(1, 1024).about("What the path begins with.")),
        optional("header", header.about("A field.")),
        optional("cookie", text().length(1, 256).about("Name of a cookie that is there.")),
    ]);
    list(matcher.rule(
        "has(self.method) || has(self.pathPrefix) || has(self.header) || has(self.cookie)",
        "at least one condition must be set",
    ))
    .items(1, 32)
}

fn collapse() -> Shape {
    object([
        optional(
            "waitMilliseconds",
            integer()
                .from(0)
                .about("The longest wait for another's header section; 5000 by default, 0 for never."),
        ),
        optional("waiters", integer().from(0).about("The most that wait for one; 1024 by default.")),
    ])
    .about("How requests for one key wait for each other.")
}

fn storage() -> Shape {
    object([
        optional(
            "name",
            text().length(1, 256).about(
                "Policies of one name and the same sizes share what is stored; by default a policy's own.",
            ),
        ),
        optional("bytes", large().from(65_536).about("Bytes of memory in each proxy; 64 MiB by default.")),
        optional("objectBytes", large().from(0).about("Bytes of one body; an eighth of all by default.")),
        optional(
            "variants",
            integer().from(1).about("Responses under one key, told apart by Vary; 32 by default."),
        ),
        optional("redis", redis()),
    ])
    .about("Where responses are kept.")
}

fn redis() -> Shape {
    let milliseconds = |name, most, about: &str| optional(name, integer().from(1).to(most).about(about));
    let secret = object([required(
        "name",
        text().length(1, 253).about("Name of the Secret, in the policy's namespace."),
    )]);
    let password = object([
        required("secretRef", secret.about("The Secret.")),
        required("key", text().length(1, 253).about("Which of its values.")),
    ]);
    let breaker = object([
        optional("failures", integer().from(1).about("Failures one after the other; 5 by default.")),
        milliseconds("coolDownMilliseconds", 3_600_000, "Before it is tried again; 5000 by default."),
    ]);
    object([
        required("address", text().length(3, 300).about("host:port of one server.")),
        optional("database", integer().from(0).about("The database's number; 0 by default.")),
        optional("username", text().length(1, 256).about("Who logs in, where there is a password.")),
        optional("password", password.about("The password.")),
        optional("keyPrefix", text().length(1, 256).about("What keys begin with; `ferrule:` by default.")),
        optional("bytes", large().from(1_048_576).about("Bytes of its memory; 1 GiB by default.")),
        milliseconds("timeoutMilliseconds", 10_000, "The longest that a request waits; 100 by default."),
        milliseconds("connectTimeoutMilliseconds", 60_000, "The longest for a connection; 1000 by default."),
        optional("breaker", breaker.about("When Redis is left alone.")),
    ])
    .rule("!has(self.username) || has(self.password)", "username needs password")
    .about("A second level in Redis or Valkey, which proxies share. Not for filters on wasm.")
}
