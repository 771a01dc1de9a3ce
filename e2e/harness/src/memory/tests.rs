use ferrule_kit::{
    Callout, CalloutError, CalloutId, ConfigError, Counter, Fields, Flow, Level, Message, Reply, Response,
};
use serde::Deserialize;

use super::*;

/// Does with each message what its configuration says.
struct Puppet(Strings);

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Strings {
    request: Option<String>,
    response: Option<String>,
    refuse: bool,
}

impl Filter for Puppet {
    const NAME: &'static str = "puppet";
    const COUNTERS: &'static [&'static str] = &["bodies"];
    type Config = Strings;
    type Stream = ();

    fn compile(config: Strings) -> Result<Self, ConfigError> {
        if config.refuse { Err(ConfigError::new("refuse", "is set")) } else { Ok(Self(config)) }
    }

    fn on_headers(&self, (): &mut (), host: &mut dyn ferrule_kit::Host, message: Message, _: bool) -> Flow {
        let said = if message == Message::Request { &self.0.request } else { &self.0.response };
        match said.as_deref() {
            None => Flow::Continue,
            Some("hold") => Flow::AwaitBody,
            Some("wait") => Flow::AwaitReply,
            Some("reset") => Flow::Reset,
            Some("respond") => Flow::Respond(Response::text(418, "teapot", "short and stout")),
            Some("call") => {
                let fields = [(":method", "GET"), (":path", "/check"), (":authority", "auth")];
                let fields = fields.map(|(name, value)| (name.to_owned(), value.into())).to_vec();
                let timeout = std::time::Duration::from_secs(1);
                let callout = Callout { cluster: "auth".to_owned(), fields, body: Vec::new(), timeout };
                host.callout(callout).map_or(Flow::Reset, |_| Flow::AwaitReply)
            }
            Some(value) => {
                host.set_field(message.headers(), "x-puppet", value.as_bytes());
                host.log(Level::Info, "x-puppet is set");
                Flow::Continue
            }
        }
    }

    fn on_body(&self, (): &mut (), host: &mut dyn ferrule_kit::Host, message: Message) -> Flow {
        let length = host.body_len(message);
        host.count(Counter(0), 1);
        host.set_metadata("puppet", "length", &length.to_string().as_str().into());
        host.set_field(message.headers(), "x-length", length.to_string().as_bytes());
        Flow::Continue
    }

    fn on_reply(
        &self,
        (): &mut (),
        host: &mut dyn ferrule_kit::Host,
        _: CalloutId,
        reply: Result<Reply<'_>, CalloutError>,
    ) -> Flow {
        match reply {
            Ok(reply) => {
                host.set_field(Fields::RequestHeaders, "x-reply", &reply.body.concat());
                Flow::Continue
            }
            Err(_) => Flow::Respond(Response::text(503, "no_reply", "")),
        }
    }
}

fn play(text: &str) -> Result<(), String> {
    let case = Case::parse(Path::new("case.yaml"), &format!("about: x\n{text}")).unwrap();
    run::<Puppet>(&case).map_err(|failure| failure.to_string())
}

#[track_caller]
fn holds(text: &str) {
    play(text).unwrap_or_else(|report| panic!("{report}"));
}

#[test]
fn a_message_that_nobody_holds_reaches_the_upstream_and_comes_back() {
    holds(
        "config: {request: a, response: b}
exchange:
  request: {path: /p?q, headers: {x-in: '1'}, body: {chunks: [ab, c]}, trailers: {t: '1'}}
  upstream: {status: 201, body: hello, trailers: {u: '2'}}
  expect:
    upstream: {method: POST, path: /p?q, headers: {x-puppet: a, x-in: '1'}, body: abc, trailers: {t: '1'}}
    client: {status: 201, headers: {x-puppet: b}, body: hello, trailers: {u: '2'}}
    details: via_upstream
    log: [x-puppet is set]",
    );
}

#[test]
fn a_held_body_is_whole_and_counted() {
    holds(
        "config: {request: hold}
exchange:
  request: {body: {chunks: [ab, c]}}
  expect: {upstream: {headers: {x-length: '3'}, body: abc}, metrics: {bodies: 1}, metadata: {puppet: {length: '3'}}}",
    );
}

#[test]
fn a_body_over_the_limit_is_refused_before_the_upstream() {
    holds(
        "config: {request: hold}
buffer_limit: 8
exchange: {request: {body: {repeat: x, times: 9}}, expect: {upstream: none, client: {status: 413}}}",
    );
    holds(
        "config: {response: hold}
buffer_limit: 8
exchange: {request: {}, upstream: {body: 123456789}, expect: {client: {status: 502}}}",
    );
}

#[test]
fn answers_of_envoy_itself_pass_the_filter() {
    for (route, upstream, status, details) in [
        (
            "",
            "{reset: before_headers}",
            503,
            "upstream_reset_before_response_started{connection_termination}",
        ),
        ("", "{silent: true}", 504, "response_timeout"),
        (", direct_response: {status: 429, body: slow}", "{}", 429, "direct_response"),
    ] {
        holds(&format!(
            "routes: [{{prefix: /, config: {{response: seen}}{route}}}]
exchange:
  request: {{}}
  upstream: {upstream}
  expect: {{client: {{status: {status}, headers: {{x-puppet: seen}}}}, details: '{details}'}}"
        ));
    }
}

#[test]
fn the_filters_own_answers_and_resets_end_the_exchange() {
    holds(
        "config: {request: respond}
exchange: {request: {body: abc}, expect: {upstream: none, client: {status: 418, body: short and stout}, details: teapot}}",
    );
    holds("config: {request: reset}\nexchange: {request: {}, expect: {upstream: none, client: reset}}");
    holds("config: {response: reset}\nexchange: {request: {}, expect: {upstream: {}, client: reset}}");
}

#[test]
fn a_callout_is_answered_by_the_script() {
    holds(
        "config: {request: call}
exchange:
  request: {body: {chunks: [ab, c]}}
  callouts: [{cluster: auth, answer: {body: alice}}]
  expect:
    upstream: {headers: {x-reply: alice}, body: abc}
    callouts: [{cluster: auth, method: GET, path: /check, host: auth}]",
    );
    holds(
        "config: {request: call}
exchange:
  request: {}
  callouts: [{cluster: auth, answer: {reset: before_headers}}]
  expect: {upstream: none, client: {status: 503}}",
    );
}

#[test]
fn an_upstream_that_breaks_off_resets_the_client() {
    holds(
        "config: {}\nexchange: {request: {}, upstream: {body: ab, reset: after_body}, expect: {client: reset}}",
    );
    for (protocol, status, reason) in [("http1", 502, "protocol_error"), ("http2", 503, "remote_reset")] {
        let details = format!("upstream_reset_after_response_started{{{reason}}}");
        holds(&format!(
            "config: {{response: hold}}
upstream_protocol: {protocol}
exchange:
  request: {{}}
  upstream: {{body: ab, reset: after_body}}
  expect: {{client: {{status: {status}, headers: {{x-length: null}}}}, details: '{details}'}}"
        ));
    }
}

#[test]
fn a_client_that_goes_away_leaves_a_request_cut_short() {
    holds(
        "config: {}\nexchange: {request: {body: ab, abort: before_end}, expect: {upstream: {body: ab, complete: false}}}",
    );
}

#[test]
fn each_route_has_its_own_configuration() {
    holds(
        "routes: [{path: /a, config: {request: a}}, {prefix: /b, config: {request: b}}, {prefix: /}]
exchanges:
  - {request: {path: '/a?x'}, expect: {upstream: {headers: {x-puppet: a}}}}
  - {request: {path: /b/c}, expect: {upstream: {headers: {x-puppet: b}}}}
  - {request: {path: /a/b}, expect: {upstream: {headers: {x-puppet: null}}}}",
    );
    holds(
        "routes: [{path: /a}]\nexchange: {request: {path: /b}, expect: {upstream: none, client: {status: 404}}}",
    );
}

#[test]
fn a_refused_configuration_is_refused_with_that_text() {
    holds("config: {refuse: true}\nconfig_error: 'refuse: is set'");
    holds("config: {unknown: true}\nconfig_error: 'unknown field'");
    let report = play("config: {refuse: true}\nconfig_error: another").unwrap_err();
    assert!(report.contains("refuse: is set") && report.contains("lacks \"another\""), "{report}");
    let report = play("config: {}\nconfig_error: another").unwrap_err();
    assert!(report.contains("not refused"), "{report}");
    let report =
        play("config: {refuse: true}\nexchange: {request: {}, expect: {client: reset}}").unwrap_err();
    assert!(report.contains("refused: refuse: is set"), "{report}");
}

#[test]
fn a_wrong_expectation_yields_a_report_with_everything_in_it() {
    let report = play(
        "config: {request: a}
exchanges:
  - {request: {}, expect: {client: {status: 200}}}
  - request: {path: /sent, headers: {x-sent: yes}, body: the body}
    upstream: {body: \"one\\ntwo\"}
    expect: {upstream: {headers: {x-puppet: b}}, client: {body: \"one\\n2\"}}",
    )
    .unwrap_err();
    let parts = [
        "case.yaml: x",
        "in exchange 2 of 2",
        "upstream.headers.x-puppet (- wanted, + seen)\n    - b\n    + a\n",
        "client.body (- wanted, + seen)\n      one\n    - 2\n    + two\n",
        "\"request\": \"a\"",
        "POST /sent",
        "x-sent: yes",
        "the upstream saw:",
        "the client saw:",
        "x-puppet is set",
    ];
    let missing: Vec<_> = parts.into_iter().filter(|part| !report.contains(part)).collect();
    assert!(missing.is_empty(), "{missing:?} are not in\n{report}");
}

#[test]
fn a_filter_that_waits_for_nothing_is_a_hang() {
    let report =
        play("config: {request: wait}\nexchange: {request: {}, expect: {upstream: none}}").unwrap_err();
    assert!(report.contains("an end of the exchange"), "{report}");
}

#[test]
fn a_tunnel_flows_both_ways() {
    holds(
        "config: {request: a, response: b}
exchange:
  request: {headers: {connection: upgrade, upgrade: websocket}, body: {chunks: [ping, pong]}}
  upstream: {status: 101, headers: {connection: upgrade, upgrade: websocket}, body: hello}
  expect:
    upstream: {headers: {x-puppet: a, transfer-encoding: null}, body: pingpong}
    client: {status: 101, headers: {x-puppet: b, content-length: null}, body: hello}",
    );
}

#[test]
fn filters_see_of_the_environment_what_the_operator_allows() {
    let text = "about: x
environment: {POD_NAME: p, REGION: eu, SECRET: s, FERRULE_ENV_ALLOW: 'ZONE, REGION'}
config: {}
exchange: {request: {}, expect: {upstream: none}}";
    let case = Case::parse(Path::new("case.yaml"), text).unwrap();
    let host = view::host(&case, &case.exchanges()[0], None);
    let seen =
        ["POD_NAME", "REGION", "SECRET", "FERRULE_ENV_ALLOW"].map(|name| ferrule_kit::Host::env(&host, name));
    assert_eq!(seen, [Some("p".to_owned()), Some("eu".to_owned()), None, None]);
}
