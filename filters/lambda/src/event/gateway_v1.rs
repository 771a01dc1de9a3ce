//! API Gateway's event of format 1.0 ("Input format of a Lambda function for proxy integration"): maps without members are null.

use super::{Circumstances, Incoming, Object, parameters, text};
use crate::config::{PayloadMode, RequestContext};

pub(super) fn write(
    context: &RequestContext,
    incoming: &Incoming<'_>,
    circumstances: &Circumstances,
    mut event: Object<'_>,
) {
    let path = text(incoming.path.into());
    let resource = context.resource_path.as_deref().unwrap_or(&path);
    event.text("version", "1.0");
    event.text("resource", resource);
    event.text("path", &path);
    event.text("httpMethod", &incoming.method);
    write_headers(incoming, &mut event);
    write_query(incoming, &mut event);
    write_context(context, incoming, circumstances, event.object("requestContext"));
    event.null("pathParameters");
    event.null("stageVariables");
    if incoming.is_empty() {
        event.null("body");
        event.truth("isBase64Encoded", false);
    } else {
        incoming.write_body(PayloadMode::ApiGatewayV1, "isBase64Encoded", &mut event);
    }
}

fn write_headers(incoming: &Incoming<'_>, event: &mut Object<'_>) {
    let mut headers = event.object("headers");
    for (name, lines) in incoming.grouped() {
        headers.text(name, lines.last().map_or("", |(_, value)| value));
    }
    headers.text("host", &incoming.host);
    drop(headers);
    let mut headers = event.object("multiValueHeaders");
    for (name, lines) in incoming.grouped() {
        headers.list(name, lines.iter().map(|(_, value)| &**value));
    }
    headers.list("host", std::iter::once(&*incoming.host));
}

fn write_query(incoming: &Incoming<'_>, event: &mut Object<'_>) {
    let decoded = parameters::decoded(incoming.query);
    if decoded.is_empty() {
        event.null("queryStringParameters");
        return event.null("multiValueQueryStringParameters");
    }
    let mut query = event.object("queryStringParameters");
    for (name, group) in parameters::grouped(&decoded) {
        query.text(name, parameters::values(group).next_back().unwrap_or_default());
    }
    drop(query);
    let mut query = event.object("multiValueQueryStringParameters");
    for (name, group) in parameters::grouped(&decoded) {
        query.list(name, parameters::values(group));
    }
}

fn write_context(
    context: &RequestContext,
    incoming: &Incoming<'_>,
    circumstances: &Circumstances,
    mut out: Object<'_>,
) {
    let path = text(incoming.path.into());
    let domain = super::gateway_v2::domain(&incoming.host);
    out.text("accountId", context.account_id.as_deref().unwrap_or("anonymous"));
    out.text("apiId", &context.api_id);
    out.text("domainName", domain);
    out.text("domainPrefix", domain.split('.').next().unwrap_or_default());
    out.text("extendedRequestId", &circumstances.request_id);
    out.text("httpMethod", &incoming.method);
    let mut identity = out.object("identity");
    identity.text("sourceIp", &circumstances.source_ip);
    match incoming.line("user-agent") {
        Some(agent) => identity.text("userAgent", agent),
        None => identity.null("userAgent"),
    }
    drop(identity);
    out.text("path", &path);
    out.text("protocol", &circumstances.protocol);
    out.text("requestId", &circumstances.request_id);
    out.text("requestTime", &circumstances.log_time());
    out.number("requestTimeEpoch", circumstances.epoch_milliseconds());
    out.null("resourceId");
    out.text("resourcePath", context.resource_path.as_deref().unwrap_or(&path));
    out.text("stage", context.stage.as_deref().unwrap_or("$default"));
}
