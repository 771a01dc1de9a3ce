//! The event of an Application Load Balancer ("Lambda functions as targets"): queries are not decoded.

use super::{Format, Incoming, Object, parameters, text};
use crate::config::PayloadMode;

pub(super) fn write(format: &Format, incoming: &Incoming<'_>, mut event: Object<'_>) {
    let mut context = event.object("requestContext");
    context.object("elb").text("targetGroupArn", &format.context.target_group_arn);
    drop(context);
    event.text("httpMethod", &incoming.method);
    event.text("path", &text(incoming.path.into()));
    let sorted = parameters::sorted(incoming.query);
    if format.multi_value_headers {
        let mut query = event.object("multiValueQueryStringParameters");
        for (name, group) in parameters::grouped(&sorted) {
            query.list(name, parameters::values(group));
        }
        drop(query);
        let mut headers = event.object("multiValueHeaders");
        for (name, lines) in incoming.grouped() {
            headers.list(name, lines.iter().map(|(_, value)| &**value));
        }
        headers.list("host", std::iter::once(&*incoming.host));
    } else {
        let mut query = event.object("queryStringParameters");
        for (name, group) in parameters::grouped(&sorted) {
            query.text(name, parameters::values(group).next_back().unwrap_or_default());
        }
        drop(query);
        let mut headers = event.object("headers");
        for (name, lines) in incoming.grouped() {
            headers.text(name, lines.last().map_or("", |(_, value)| value));
        }
        headers.text("host", &incoming.host);
    }
    incoming.write_body(PayloadMode::Alb, "isBase64Encoded", &mut event);
}
