//! The runner on real Envoy, with filters that Envoy has built in: what must pass passes, and what must fail fails and says
//! why.

use std::path::Path;
use std::time::Duration;

use envoy_harness::Case;
use envoy_harness::envoy::{Builtin, Suite};
use serde_json::{Value, json};

/// Envoy's Lua filter; the configuration of a case is `{code: …}`.
fn lua() -> Builtin {
    const TYPE: &str = "type.googleapis.com/envoy.extensions.filters.http.lua.v3";
    Builtin {
        name: "envoy.filters.http.lua".to_owned(),
        typed_config: json!({"@type": format!("{TYPE}.Lua"), "stat_prefix": "script"}),
        per_route: |config: &Value| json!({"@type": format!("{TYPE}.LuaPerRoute"), "source_code": {"inline_string": config["code"]}}),
        counter_prefix: "http.site.lua.script.".to_owned(),
    }
}

/// Envoy's header mutation filter; the configuration of a case is its `mutations`.
fn header_mutation() -> Builtin {
    const TYPE: &str = "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3";
    Builtin {
        name: "envoy.filters.http.header_mutation".to_owned(),
        typed_config: json!({"@type": format!("{TYPE}.HeaderMutation")}),
        per_route: |config: &Value| json!({"@type": format!("{TYPE}.HeaderMutationPerRoute"), "mutations": config}),
        counter_prefix: String::new(),
    }
}

const NOTHING: &str = "config: {code: ''}";

/// Cases in Lua by name: YAML below `about:`, and parts of the report where the case must fail.
const LUA: &[(&str, &str, &[&str])] = &[
    (
        "everything_is_sent_and_seen_over_http1",
        "exchange:
  request: {method: PUT, path: /a?b, host: h.example, headers: {x-a: ['1', '2'], x-raw: {base64: /w==}}, body: {chunks: [ab, c]}, trailers: {t: '1'}}
  upstream: {status: 201, headers: {x-b: b}, body: {chunks: [d, ef]}, trailers: {u: '2'}}
  expect:
    upstream: {method: PUT, path: /a?b, host: h.example, headers: {x-a: ['1', '2'], x-raw: {base64: /w==}, transfer-encoding: chunked}, body: abc, trailers: {t: '1'}}
    client: {status: 201, headers: {x-b: b}, body: def, trailers: {u: '2'}}
    details: via_upstream",
        &[],
    ),
    (
        "everything_is_sent_and_seen_over_http2",
        "upstream_protocol: http2
exchange:
  request: {protocol: http2, path: /a?b, headers: {x-a: ['1', '2'], x-raw: {base64: /w==}}, body: {repeat: x, times: 300000}, trailers: {t: '1'}}
  upstream: {status: 201, headers: {x-b: b}, body: {repeat: y, times: 200000}, trailers: {u: '2'}}
  expect:
    upstream: {method: POST, path: /a?b, host: test.example, headers: {x-a: ['1', '2'], x-raw: {base64: /w==}}, body: {repeat: x, times: 300000}, trailers: {t: '1'}}
    client: {status: 201, headers: {x-b: b}, body: {length: 200000}, trailers: {u: '2'}}",
        &[],
    ),
    (
        "several_exchanges_go_one_after_the_other",
        "exchanges:
  - {request: {path: /1}, upstream: {status: 204}, expect: {upstream: {path: /1}, client: {status: 204, body: ''}}}
  - {request: {path: /2, method: HEAD}, upstream: {body: abc}, expect: {client: {status: 200, body: '', headers: {content-length: '3'}}}}
  - {request: {path: /3, method: PURGE}, expect: {upstream: {method: PURGE}, client: {status: 200}}}",
        &[],
    ),
    (
        "resets_and_silence_become_envoys_own_answers",
        "exchanges:
  - {request: {}, upstream: {reset: before_headers}, expect: {client: {status: 503}, details: 'upstream_reset_before_response_started{connection_termination}'}}
  - {request: {}, upstream: {body: ab, reset: after_body}, expect: {client: reset}}
  - {request: {}, upstream: {silent: true}, expect: {client: {status: 504}, details: response_timeout}}",
        &[],
    ),
    (
        "a_held_response_that_breaks_off_becomes_an_answer_past_the_filter",
        "config: {code: \"function envoy_on_response(h) h:body() h:headers():add('x-lua', '1') end\"}
exchanges:
  - {request: {}, upstream: {body: ab, reset: after_body}, expect: {client: {status: 502, headers: {x-lua: null}}, details: 'upstream_reset_after_response_started{protocol_error}'}}
  - {request: {}, upstream: {reset: before_headers}, expect: {client: {status: 503, headers: {x-lua: '1'}}}}",
        &[],
    ),
    (
        "a_body_over_the_limit_is_refused_by_envoy_itself",
        "config: {code: \"function envoy_on_request(h) h:body() end function envoy_on_response(h) h:headers():add('x-lua', '1') end\"}
buffer_limit: 1000
exchange:
  request: {body: {repeat: x, times: 3000}}
  expect: {upstream: none, client: {status: 413, headers: {x-lua: '1'}, body: Payload Too Large}, details: request_payload_too_large}",
        &[],
    ),
    (
        "an_upgrade_opens_a_tunnel",
        "exchange:
  request: {headers: {connection: upgrade, upgrade: websocket}, body: {chunks: [ping, pong]}}
  upstream: {status: 101, headers: {connection: upgrade, upgrade: websocket}, body: hello}
  expect:
    upstream: {headers: {upgrade: websocket, content-length: null, transfer-encoding: null}, body: pingpong}
    client: {status: 101, headers: {upgrade: websocket}, body: hello}",
        &[],
    ),
    (
        "a_client_that_goes_away_leaves_a_request_cut_short",
        "exchanges:
  - {request: {body: ab, abort: before_end}, expect: {upstream: {body: ab, complete: false}, details: downstream_remote_disconnect}}
  - {request: {body: ab, abort: before_end, protocol: http2}, expect: {upstream: {body: ab, complete: false}}}
  - {request: {abort: after_end}, upstream: {silent: true}, expect: {upstream: {complete: true}}}",
        &[],
    ),
    (
        "an_early_answer_comes_before_the_request_ends",
        "exchange:
  request: {body: {chunks: [a, b, c]}}
  upstream: {early: true, headers: {x-early: '1'}, body: done, delay_ms: 1}
  expect: {client: {status: 200, headers: {x-early: '1'}, body: done}}",
        &[],
    ),
    (
        "routes_have_configurations_of_their_own",
        "routes:
  - {path: /off}
  - {prefix: /direct, direct_response: {status: 418, body: teapot}, config: {code: ''}}
  - {prefix: /, config: {code: \"function envoy_on_request(h) h:headers():add('x-lua', '1') end\"}}
exchanges:
  - {request: {path: /off}, expect: {upstream: {headers: {x-lua: null}}}}
  - {request: {path: /direct/x}, expect: {upstream: none, client: {status: 418, body: teapot}, details: direct_response}}
  - {request: {path: /on}, expect: {upstream: {headers: {x-lua: '1'}}}}",
        &[],
    ),
    (
        "metadata_log_counters_and_callouts_are_seen",
        "config:
  code: |
    function envoy_on_request(h)
      h:streamInfo():dynamicMetadata():set('ns', 'k', 'v')
      h:logWarn('lua was here')
      local headers, body = h:httpCall('auth', {[':method'] = 'GET', [':path'] = '/check', [':authority'] = 'a'}, '', 1000)
      h:headers():add('x-auth', body .. headers['x-kind'])
      error('enough')
    end
exchanges:
  - request: {}
    callouts: [{cluster: auth, answer: {headers: {x-kind: admin}, body: 'alice:'}}]
    expect: &expect
      upstream: {headers: {x-auth: 'alice:admin'}}
      callouts: [{cluster: auth, method: GET, path: /check, host: a}]
      metadata: {ns: {k: v, other: null}}
      metrics: {errors: 1}
      log: [lua was here]
  - request: {}
    callouts: [{cluster: auth, answer: {headers: {x-kind: admin}, body: 'alice:'}}]
    expect: *expect",
        &[],
    ),
    ("a_refused_configuration_is_refused", "config: {code: 'function ('}\nconfig_error: script load error", &[]),
    (
        "a_configuration_that_is_not_refused_fails",
        "config: {code: ''}\nconfig_error: script load error",
        &["Envoy does not refuse it; wanted \"script load error\""],
    ),
    (
        "a_refusal_with_other_words_fails",
        "config: {code: 'function ('}\nconfig_error: other words",
        &["Envoy refuses it, but not with \"other words\"", "script load error"],
    ),
    (
        "a_refused_configuration_fails_its_exchanges",
        "config: {code: 'function ('}\nexchange: {request: {}, expect: {client: {status: 200}}}",
        &["Envoy refuses it", "script load error"],
    ),
    (
        "wrong_expectations_yield_a_report",
        "config: {code: \"function envoy_on_request(h) h:logWarn('a trace') h:headers():add('x-lua', 'seen') end\"}
exchange:
  request: {path: /sent, headers: {x-sent: '1'}}
  upstream: {body: hello}
  expect:
    upstream: {headers: {x-lua: wanted}}
    client: {status: 500}
    details: other
    metrics: {errors: 1, nonsense: 1}
    metadata: {ns: {k: v}}
    callouts: [{cluster: nowhere}]
    log: [never said]",
        &[
            "upstream.headers.x-lua (- wanted, + seen)\n    - wanted\n    + seen",
            "client.status (- wanted, + seen)\n    - 500\n    + 200",
            "callouts (",
            "metrics.errors (- wanted, + seen)\n    - 1\n    + 0",
            "metrics.nonsense (- wanted, + seen)\n    - 1\n    + no such counter",
            "metadata.ns.k",
            "details (- wanted, + seen)\n    - other\n    + via_upstream",
            "log (",
            "\"code\":",
            "GET /sent",
            "the upstream saw:",
            "the client saw:",
            "a trace",
        ],
    ),
    (
        "a_filter_that_never_goes_on_is_a_hang",
        "config: {code: \"function envoy_on_request(h) h:httpCall('slow', {[':method']='GET',[':path']='/',[':authority']='a'}, '', 60000) end\"}
exchange: {request: {}, callouts: [{cluster: slow, answer: {silent: true}}], expect: {upstream: none}}",
        &["an end of the exchange"],
    ),
];

#[allow(clippy::unwrap_used)]
fn case(name: &str, body: &str) -> Case {
    let config = if body.contains("config:") || body.contains("routes:") { "" } else { NOTHING };
    let text = format!("about: {name}\n{config}\n{body}\n");
    Case::parse(Path::new(&format!("{name}.yaml")), &text).unwrap()
}

#[test]
fn cases_pass_or_fail_as_they_should() {
    let mut suite = Suite::default().with_patience(Duration::from_secs(4));
    suite.add("lua", LUA.iter().map(|(name, body, _)| case(name, body)), lua());
    let outcomes = suite.run();
    assert_eq!(outcomes.len(), LUA.len());
    let mut wrong = Vec::new();
    for ((name, outcome), (_, _, parts)) in outcomes.into_iter().zip(LUA) {
        match outcome {
            Ok(()) if parts.is_empty() => {}
            Ok(()) => wrong.push(format!("{name} passed")),
            Err(report) if parts.is_empty() => wrong.push(format!("{name} failed:\n{report}")),
            Err(report) => {
                let report = report.to_string();
                let missing: Vec<_> = parts.iter().filter(|part| !report.contains(**part)).collect();
                if !missing.is_empty() {
                    wrong.push(format!("{name}: the report lacks {missing:?}:\n{report}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_filter_of_any_origin_is_tested() {
    let mut suite = Suite::default();
    let body = "config: {request_mutations: [{append: {header: {key: x-out, value: '%REQ(x-in)%'}}}]}
exchange: {request: {headers: {x-in: a}}, expect: {upstream: {headers: {x-out: a}}}}";
    suite.add("header_mutation", [case("a_header_is_copied", body)], header_mutation());
    for (name, outcome) in suite.run() {
        assert!(outcome.is_ok(), "{name}: {}", outcome.unwrap_err());
    }
}

#[test]
fn each_environment_gets_an_envoy_of_its_own() {
    let mut suite = Suite::default();
    let code = "function envoy_on_request(h) h:headers():add('x-a', os.getenv('HARNESS_A') or 'none') end";
    let with = |environment: &str, seen: &str| {
        let expect = format!("{{upstream: {{headers: {{x-a: '{seen}'}}}}}}");
        let exchange = format!("exchange: {{request: {{}}, expect: {expect}}}");
        case(seen, &format!("config: {{code: \"{code}\"}}\nenvironment: {environment}\n{exchange}"))
    };
    suite.add(
        "lua",
        [with("{HARNESS_A: 1}", "1"), with("{HARNESS_A: two}", "two"), with("{}", "none")],
        lua(),
    );
    for (name, outcome) in suite.run() {
        assert!(outcome.is_ok(), "{name}: {}", outcome.unwrap_err());
    }
}

#[test]
fn an_envoy_that_does_not_start_fails_every_case() {
    let mut suite = Suite::default().with_envoy("/no/such/envoy");
    suite.add("lua", [case("one", "config: {}\nconfig_error: x")], lua());
    let report = suite.run().remove(0).1.unwrap_err().to_string();
    assert!(report.contains("starting /no/such/envoy"), "{report}");
}
