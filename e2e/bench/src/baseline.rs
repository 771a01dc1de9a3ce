//! Envoy's own filters for the jobs of ours.

use serde_json::{Value, json};

use crate::variant::Filter;

/// Sets one request header from another.
pub(crate) fn header_mutation() -> Filter {
    let mutations = header_mutations();
    Filter {
        listener: typed("header_mutation", "HeaderMutation", json!({"mutations": mutations})),
        route: None,
    }
}

/// The same, configured by the route.
pub(crate) fn header_mutation_per_route() -> Filter {
    let route = typed("header_mutation", "HeaderMutationPerRoute", json!({"mutations": header_mutations()}));
    Filter { listener: typed("header_mutation", "HeaderMutation", json!({})), route: Some(route) }
}

fn header_mutations() -> Value {
    json!({"request_mutations": [set("x-out", "%REQ(x-in)%-suffix")]})
}

fn set(name: &str, value: &str) -> Value {
    json!({"append": {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}})
}

/// The same in a script.
pub(crate) fn lua() -> Filter {
    let script = "function envoy_on_request(handle)
        local headers = handle:headers()
        headers:replace('x-out', headers:get('x-in') .. '-suffix')
    end";
    let config = json!({"default_source_code": {"inline_string": script}});
    Filter { listener: typed("lua", "Lua", config), route: None }
}

/// Holds a request until its body is complete.
pub(crate) fn buffer() -> Filter {
    Filter { listener: typed("buffer", "Buffer", json!({"max_request_bytes": 1 << 20})), route: None }
}

/// Sets a header from a field of the request's JSON, and merges `body` into it (`MERGE`) or puts it in its place
/// (`REPLACE`).
pub(crate) fn transform(header: &str, action: &str, body: &Value) -> Filter {
    let config = json!({"request_transformation": {
        "headers_mutations": [set("x-out", header)],
        "body_transformation": {"body_format": {"json_format": body}, "action": action},
    }});
    Filter { listener: typed("transform", "TransformConfig", config), route: None }
}

/// Keeps requests for an hour.
pub(crate) fn delay() -> Filter {
    let config = json!({"delay": {"fixed_delay": "3600s", "percentage": {"numerator": 100}}});
    Filter { listener: typed("fault", "HTTPFault", config), route: None }
}

/// Calls a function of Lambda by an event, or by the body as it is.
pub(crate) fn aws_lambda(passthrough: bool) -> Filter {
    let config = json!({
        "arn": "arn:aws:lambda:us-east-1:123456789012:function:measured",
        "payload_passthrough": passthrough,
        "credentials": {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI"},
    });
    Filter { listener: typed("aws_lambda", "Config", config), route: None }
}

/// Signs requests to a service.
pub(crate) fn aws_request_signing(unsigned_payload: bool) -> Filter {
    let config = json!({
        "service_name": "execute-api", "region": "us-east-1", "use_unsigned_payload": unsigned_payload,
        "credential_provider": {"inline_credential": {
            "access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI"}},
    });
    Filter { listener: typed("aws_request_signing", "AwsRequestSigning", config), route: None }
}

/// Keeps responses in memory.
pub(crate) fn cache() -> Filter {
    let storage = extension("http.cache.simple_http_cache.v3.SimpleHttpCacheConfig");
    Filter { listener: typed("cache", "CacheConfig", json!({"typed_config": storage})), route: None }
}

/// Its successor.
pub(crate) fn cache_v2() -> Filter {
    let storage = extension("http.cache_v2.simple_http_cache.v3.SimpleHttpCacheV2Config");
    Filter { listener: typed("cache_v2", "CacheV2Config", json!({"typed_config": storage})), route: None }
}

fn extension(message: &str) -> Value {
    json!({"@type": format!("type.googleapis.com/envoy.extensions.{message}")})
}

fn typed(filter: &str, message: &str, mut config: Value) -> Value {
    config["@type"] =
        format!("type.googleapis.com/envoy.extensions.filters.http.{filter}.v3.{message}").into();
    config
}
