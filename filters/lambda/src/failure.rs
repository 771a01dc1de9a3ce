//! What can go wrong with a call, and what client, log and counters are told of it.
//!
//! Invariant: nobody is told anything of an event or a result; clients are told nothing of an error's type and text either.

use std::borrow::Cow;

use ferrule_aws::IdentityError;
use ferrule_kit::{CalloutError, Response};

use crate::answer::Malformed;
use crate::reason::Reason;
use crate::stats;
use crate::streaming::Broken;

/// Why a client does not get what a function returned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("function error {0}")]
    Function(Reason),
    #[error("the function ran out of time")]
    TimedOut,
    #[error("the function's answer {0}")]
    Malformed(Malformed),
    #[error("the function's answer broke off: {0}")]
    Broken(Broken),
    #[error("the answer is larger than the buffer limit")]
    AnswerTooLarge,
    #[error("throttled by Lambda: {reason}")]
    Throttled { reason: Reason, retry_after: Option<Vec<u8>> },
    #[error("the event is larger than Lambda takes")]
    TooLarge,
    #[error("Lambda knows no such function: {0}")]
    NotFound(Reason),
    #[error("Lambda refuses the credentials or the signature: {0}")]
    Refused(Reason),
    #[error("{0}")]
    Credentials(IdentityError),
    #[error("Lambda answered {status} {reason}")]
    Service { status: u16, reason: Reason },
    /// Envoy's own answer goes to the client.
    #[error("no answer of Lambda: {status} {details}")]
    Unanswered { status: u16, details: String },
    #[error("no such function is listed")]
    Unlisted,
    #[error("an upgrade cannot be answered by a function")]
    Upgrade,
    #[error("{0}")]
    Callout(CalloutError),
}

impl Failure {
    /// That of an answer of the API with this status (Lambda API reference, Invoke, "Errors").
    pub(crate) fn of_api(status: u16, reason: Reason, retry_after: Option<Vec<u8>>) -> Self {
        match status {
            401 | 403 => Self::Refused(reason),
            404 => Self::NotFound(reason),
            413 => Self::TooLarge,
            429 => Self::Throttled { reason, retry_after },
            status => Self::Service { status, reason },
        }
    }

    /// The same failure with what the answer's body says of it.
    pub(crate) fn explained_by(mut self, json: &[u8]) -> Self {
        let told = Reason::read(json);
        match &mut self {
            Self::Function(_) if told.is_timeout() => return Self::TimedOut,
            Self::Function(reason)
            | Self::Throttled { reason, .. }
            | Self::NotFound(reason)
            | Self::Refused(reason)
            | Self::Service { reason, .. } => *reason = std::mem::take(reason).or(told),
            _ => {}
        }
        self
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
            Self::Service { .. } | Self::Unanswered { .. } | Self::Callout(_) => stats::SERVICE_ERROR,
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
            Self::Unanswered { status, .. } => *status,
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

    /// Response-code details; what an error says of itself in braces, as Envoy has it.
    fn details(&self) -> Cow<'static, str> {
        let told =
            |name: &str, reason: &Reason| Cow::Owned(format!("lambda_filter_{name}{}", reason.in_details()));
        match self {
            Self::Function(reason) | Self::Broken(Broken::Function(reason)) => told("function_error", reason),
            Self::TimedOut => "lambda_filter_function_timeout".into(),
            Self::Malformed(_) => "lambda_filter_malformed_answer".into(),
            Self::Broken(Broken::Exception(reason)) => told("broken_stream", reason),
            Self::Broken(_) => "lambda_filter_broken_stream".into(),
            Self::AnswerTooLarge => "lambda_filter_answer_too_large".into(),
            Self::Throttled { reason, .. } => told("throttled", reason),
            Self::TooLarge => "lambda_filter_too_large".into(),
            Self::NotFound(reason) => told("function_not_found", reason),
            Self::Refused(reason) => told("credentials_refused", reason),
            Self::Credentials(error) => Cow::Owned(format!("lambda_filter_credentials_{}", error.word())),
            Self::Service { reason, .. } => told("service_error", reason),
            Self::Unlisted => "lambda_filter_unlisted_function".into(),
            Self::Upgrade => "lambda_filter_upgrade".into(),
            Self::Unanswered { details, .. } => Cow::Owned(details.clone()),
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

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn of_function(json: &str) -> Failure {
        Failure::Function(Reason::default()).explained_by(json.as_bytes())
    }

    #[test]
    fn errors_of_functions_are_told_to_logs_and_not_to_clients() {
        let failure = of_function(r#"{"errorType": "TypeError", "errorMessage": "no such field"}"#);
        assert_eq!(failure.to_string(), "function error TypeError: no such field");
        let response = failure.response();
        assert_eq!(response.details, "lambda_filter_function_error{TypeError:no_such_field}");
        assert_eq!((response.status, &*response.body), (502, &b"the function failed\n"[..]));
        for timeout in [
            r#"{"errorMessage": "x Task timed out after 3.00 seconds"}"#,
            r#"{"errorType": "Sandbox.Timedout"}"#,
        ] {
            assert_eq!(of_function(timeout), Failure::TimedOut);
        }
        for other in ["", "[]", "{\"errorType\": 5}", "{\"errorType\": \"two words\"}"] {
            assert_eq!(of_function(other), Failure::Function(Reason::default()), "{other}");
        }
    }

    #[test]
    fn answers_of_the_api_are_mapped() {
        let mapped = |status| {
            let reason = Reason::of_kind(b"KindException:http://x/");
            let failure = Failure::of_api(status, reason, Some(b"7".to_vec()));
            failure.explained_by(br#"{"message": "why"}"#).response()
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
        assert_eq!(mapped(404).details, "lambda_filter_function_not_found{KindException:why}");
    }
}
