//! What can go wrong with a call, and what client, log and counters are told of it.
//!
//! Invariant: nobody is told anything of an event, of a result, or of an error's text; its type is all there is.

use std::borrow::Cow;

use ferrule_aws::IdentityError;
use ferrule_json::{Document, Kind};
use ferrule_kit::{CalloutError, Response};

use crate::answer::Malformed;
use crate::stats;
use crate::streaming::Broken;

/// Why a client does not get what a function returned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("function error {0}")]
    Function(String),
    #[error("the function ran out of time")]
    TimedOut,
    #[error("the function's answer {0}")]
    Malformed(Malformed),
    #[error("the function's answer broke off: {0}")]
    Broken(Broken),
    #[error("the answer is larger than the buffer limit")]
    AnswerTooLarge,
    #[error("throttled by Lambda: {kind}")]
    Throttled { kind: String, retry_after: Option<Vec<u8>> },
    #[error("the event is larger than Lambda takes")]
    TooLarge,
    #[error("Lambda knows no such function: {0}")]
    NotFound(String),
    #[error("Lambda refuses the credentials or the signature: {0}")]
    Refused(String),
    #[error("{0}")]
    Credentials(IdentityError),
    #[error("Lambda answered {status} {kind}")]
    Service { status: u16, kind: String },
    #[error("no such function is listed")]
    Unlisted,
    #[error("an upgrade cannot be answered by a function")]
    Upgrade,
    #[error("{0}")]
    Callout(CalloutError),
}

impl Failure {
    /// That of an answer of the API with this status (Lambda API reference, Invoke, "Errors").
    pub(crate) fn of_api(status: u16, kind: String, retry_after: Option<Vec<u8>>) -> Self {
        match status {
            401 | 403 => Self::Refused(kind),
            404 => Self::NotFound(kind),
            413 => Self::TooLarge,
            429 => Self::Throttled { kind, retry_after },
            status => Self::Service { status, kind },
        }
    }

    /// That of a function's error, `{"errorType": …, "errorMessage": …}`.
    pub(crate) fn of_function(json: &[u8]) -> Self {
        let names = ["errorType".to_owned(), "errorMessage".to_owned()];
        let Ok(document) = Document::parse(json, &names) else { return Self::Function(String::new()) };
        let text = |place| match document.member(place).map(ferrule_json::Node::kind) {
            Some(Kind::String(text)) => text,
            _ => "",
        };
        let (kind, message) = (text(0), text(1));
        if kind == "Sandbox.Timedout" || message.contains("Task timed out after ") {
            return Self::TimedOut;
        }
        Self::Function(word(kind.as_bytes()))
    }

    pub(crate) fn counter(&self) -> ferrule_kit::Counter {
        match self {
            Self::Function(_) => stats::FUNCTION_ERROR,
            Self::TimedOut => stats::TIMED_OUT,
            Self::Malformed(_) | Self::AnswerTooLarge => stats::MALFORMED_ANSWER,
            Self::Broken(Broken::Function(_)) => stats::FUNCTION_ERROR,
            Self::Broken(_) => stats::BROKEN_STREAM,
            Self::Throttled { .. } => stats::THROTTLED,
            Self::TooLarge => stats::TOO_LARGE,
            Self::NotFound(_) | Self::Unlisted => stats::NOT_FOUND,
            Self::Refused(_) | Self::Credentials(_) => stats::CREDENTIAL_ERROR,
            Self::Service { .. } | Self::Callout(_) => stats::SERVICE_ERROR,
            Self::Upgrade => stats::REFUSED,
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Upgrade => 400,
            Self::Unlisted => 404,
            Self::TooLarge => 413,
            Self::Throttled { .. } => 429,
            Self::Refused(_) | Self::Credentials(_) => 500,
            Self::Service { status: 503, .. }
            | Self::Callout(CalloutError::Refused | CalloutError::UnknownCluster) => 503,
            Self::TimedOut | Self::Service { status: 504, .. } => 504,
            _ => 502,
        }
    }

    /// What a client reads.
    fn text(&self) -> &'static str {
        match self {
            Self::Upgrade => "upgrades are not possible here\n",
            Self::Unlisted => "no such function\n",
            Self::TooLarge => "the request is larger than a function takes\n",
            Self::Throttled { .. } => "the function is called too often\n",
            Self::Refused(_) | Self::Credentials(_) => "the function could not be called\n",
            Self::TimedOut => "the function ran out of time\n",
            _ => "the function failed\n",
        }
    }

    /// Response-code details; types of errors in braces, as Envoy has them.
    fn details(&self) -> Cow<'static, str> {
        let typed = |name: &str, kind: &str| {
            let kind = if kind.is_empty() { String::new() } else { format!("{{{kind}}}") };
            Cow::Owned(format!("lambda_filter_{name}{kind}"))
        };
        match self {
            Self::Function(kind) | Self::Broken(Broken::Function(kind)) => typed("function_error", kind),
            Self::TimedOut => "lambda_filter_function_timeout".into(),
            Self::Malformed(_) => "lambda_filter_malformed_answer".into(),
            Self::Broken(_) => "lambda_filter_broken_stream".into(),
            Self::AnswerTooLarge => "lambda_filter_answer_too_large".into(),
            Self::Throttled { kind, .. } => typed("throttled", kind),
            Self::TooLarge => "lambda_filter_too_large".into(),
            Self::NotFound(kind) => typed("function_not_found", kind),
            Self::Refused(kind) => typed("credentials_refused", kind),
            Self::Credentials(error) => Cow::Owned(format!("lambda_filter_credentials_{}", error.word())),
            Self::Service { kind, .. } => typed("service_error", kind),
            Self::Unlisted => "lambda_filter_unlisted_function".into(),
            Self::Upgrade => "lambda_filter_upgrade".into(),
            Self::Callout(_) => "lambda_filter_callout_failed".into(),
        }
    }

    /// What a client gets.
    pub(crate) fn response(self) -> Response {
        let mut response = Response::text(self.status(), self.details(), self.text());
        if let Self::Throttled { retry_after: Some(seconds), .. } = self {
            response.fields.push(("retry-after".to_owned(), seconds));
        }
        response
    }
}

/// An error's type, as it may stand in a log: a word up to its first colon, or nothing.
pub(crate) fn word(kind: &[u8]) -> String {
    let kind = kind.split(|byte| *byte == b':').next().unwrap_or_default();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if kind.len() > 64 || !kind.iter().all(plain) {
        return String::new();
    }
    String::from_utf8_lossy(kind).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_functions_tell_their_type_alone() {
        let of = |json: &str| Failure::of_function(json.as_bytes());
        assert_eq!(
            of(r#"{"errorType": "TypeError", "errorMessage": "secret"}"#),
            Failure::Function("TypeError".into())
        );
        assert_eq!(of(r#"{"errorMessage": "x Task timed out after 3.00 seconds"}"#), Failure::TimedOut);
        assert_eq!(of(r#"{"errorType": "Sandbox.Timedout"}"#), Failure::TimedOut);
        for other in ["", "[]", "{\"errorType\": 5}", "{\"errorType\": \"two words\"}"] {
            assert_eq!(of(other), Failure::Function(String::new()), "{other}");
        }
        assert_eq!(of("{\"errorType\": \"E\"}").response().details, "lambda_filter_function_error{E}");
    }

    #[test]
    fn answers_of_the_api_are_mapped() {
        let mapped = |status| {
            Failure::of_api(status, word(b"KindException:http://x/"), Some(b"7".to_vec())).response()
        };
        for (status, wanted) in [
            (400, 502),
            (401, 500),
            (403, 500),
            (404, 502),
            (413, 413),
            (429, 429),
            (500, 502),
            (503, 503),
            (504, 504),
        ] {
            let response = mapped(status);
            assert_eq!(response.status, wanted, "{status}");
            let waits = response.fields.contains(&("retry-after".to_owned(), b"7".to_vec()));
            assert_eq!(waits, status == 429);
        }
        assert_eq!(mapped(404).details, "lambda_filter_function_not_found{KindException}");
    }
}
