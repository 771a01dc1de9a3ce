//! API Gateway's event of format 2.0 ("Create AWS Lambda proxy integrations for HTTP APIs"), which function URLs have, too:
//! what has no members is left out, and cookies have a list of their own.

use super::{Circumstances, Incoming, Object, parameters, text};
use crate::config::{PayloadMode, RequestContext};

pub(super) fn write(
    context: &RequestContext,
    incoming: &Incoming<'_>,
    circumstances: &Circumstances,
    mut event: Object<'_>,
) {
    event.text("version", "2.0");
    event.text("routeKey", "$default");
    event.text("rawPath", &text(incoming.path.into()));
    event.text("rawQueryString", &text(incoming.query.into()));
    write_headers(incoming, &mut event);
    let decoded = parameters::decoded(incoming.query);
    if !decoded.is_empty() {
        let mut query = event.object("queryStringParameters");
        for (name, group) in parameters::grouped(&decoded) {
            query.joined(name, ",", parameters::values(group));
        }
    }
    write_context(context, incoming, circumstances, event.object("requestContext"));
    if incoming.is_empty() {
        event.truth("isBase64Encoded", false);
    } else {
        incoming.write_body(PayloadMode::ApiGatewayV2, "isBase64Encoded", &mut event);
    }
}

fn write_headers(incoming: &Incoming<'_>, event: &mut Object<'_>) {
    let cookies = incoming.lines.iter().filter(|(name, _)| name == "cookie");
    let mut cookies =
        cookies.flat_map(|(_, value)| value.split(';')).map(str::trim).filter(|it| !it.is_empty()).peekable();
    if cookies.peek().is_some() {
        event.list("cookies", cookies);
    }
    let mut headers = event.object("headers");
    for (name, lines) in incoming.grouped().filter(|(name, _)| *name != "cookie") {
        headers.joined(name, ",", lines.iter().map(|(_, value)| &**value));
    }
    headers.text("host", &incoming.host);
}

fn write_context(
    context: &RequestContext,
    incoming: &Incoming<'_>,
    circumstances: &Circumstances,
    mut out: Object<'_>,
) {
    let domain = domain(&incoming.host);
    out.text("accountId", context.account_id.as_deref().unwrap_or("anonymous"));
    out.text("apiId", &context.api_id);
    out.text("domainName", domain);
    out.text("domainPrefix", domain.split('.').next().unwrap_or_default());
    let mut http = out.object("http");
    http.text("method", &incoming.method);
    http.text("path", &text(incoming.path.into()));
    http.text("protocol", &circumstances.protocol);
    http.text("sourceIp", &circumstances.source_ip);
    http.text("userAgent", incoming.line("user-agent").unwrap_or_default());
    drop(http);
    out.text("requestId", &circumstances.request_id);
    out.text("routeKey", "$default");
    out.text("stage", context.stage.as_deref().unwrap_or("$default"));
    out.text("time", &circumstances.log_time());
    out.number("timeEpoch", circumstances.epoch_milliseconds());
}

/// The host's name without a port.
pub(super) fn domain(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
