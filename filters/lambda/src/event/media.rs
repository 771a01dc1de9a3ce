//! Which bodies are text in an event.

use crate::config::PayloadMode;

/// What AWS and Envoy's built-in filter take for text, besides `text/*`.
const TEXT: [&str; 3] = ["application/json", "application/javascript", "application/xml"];

/// Whether a body of that type is text; parameters of the type do not matter. What is encoded is not.
pub(super) fn is_textual(mode: PayloadMode, media_type: Option<&str>, encoding: Option<&str>) -> bool {
    if encoding.is_some_and(|encoding| !encoding.trim().eq_ignore_ascii_case("identity")) {
        return false;
    }
    let rest_api = mode == PayloadMode::ApiGatewayV1;
    let gateway = rest_api || mode == PayloadMode::ApiGatewayV2;
    let essence = media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is = |wanted: &&str| essence.eq_ignore_ascii_case(wanted);
    let begins = essence.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text/"));
    let suffix = |suffix: &str| {
        let start = essence.len().checked_sub(suffix.len());
        start.and_then(|start| essence.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
    };
    begins
        || TEXT.iter().any(is)
        || gateway && (suffix("+json") || suffix("+xml"))
        || rest_api && (essence.is_empty() || is(&"application/x-www-form-urlencoded"))
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn parameters_and_case_do_not_matter() {
        for text in [
            "application/json; charset=utf-8",
            "Text/Plain",
            "application/XML ;x=y",
            "application/javascript",
        ] {
            assert!(is_textual(PayloadMode::Envoy, Some(text), None), "{text}");
            assert!(is_textual(PayloadMode::Alb, Some(text), Some("identity")), "{text}");
            assert!(!is_textual(PayloadMode::Envoy, Some(text), Some("gzip")), "{text}");
        }
        for bytes in ["application/json5", "application/problem+json", "image/png", "", "text", "é/ü"] {
            assert!(!is_textual(PayloadMode::Envoy, Some(bytes), None), "{bytes}");
        }
        assert!(!is_textual(PayloadMode::ApiGatewayV2, None, None));
    }

    #[test]
    fn gateways_know_more_text() {
        let form = Some("application/x-www-form-urlencoded");
        assert!(is_textual(PayloadMode::ApiGatewayV2, Some("application/problem+JSON"), None));
        assert!(
            is_textual(PayloadMode::ApiGatewayV1, form, None)
                && !is_textual(PayloadMode::ApiGatewayV2, form, None)
        );
        assert!(is_textual(PayloadMode::ApiGatewayV1, None, None));
    }
}
