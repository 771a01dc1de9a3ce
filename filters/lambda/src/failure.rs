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
    /// Only where it is the client's own body.
    #[error("Lambda refuses the body: {reason}")]
    Rejected { status: u16, reason: Reason },
    #[error("Lambda knows no such function: {0}")]
    NotFound(Reason),
    #[error("Lambda refuses the credentials or the signature: {0}")]
    Refused(Reason),
    #[error("{0}")]
    Credentials(IdentityError),
    #[error("Lambda answered {status} {reason}")]
    Service { status: u16, reason: Reason },
    /// Envoy's own answer goes to the client.
    #[error("no whole answer of Lambda: {status} {details}")]
    Unanswered { status: u16, details: String },
    #[error("no such function is listed")]
    Unlisted,
    #[error("an upgrade cannot be answered by a function")]
    Upgrade,
    #[error("{0}")]
    Callout(CalloutError),
}

impl Failure {
    /// That of a result that broke off.
    pub(crate) fn of_stream(broken: Broken) -> Self {
        match broken {
            Broken::Function(reason) if reason.is_timeout() => Self::TimedOut,
            broken => Self::Broken(broken),
        }
    }

    /// Whether clients bring it about at will, so that it is no news for an operator.
    pub(crate) fn is_clients(&self) -> bool {
        matches!(self, Self::TooLarge | Self::Rejected { .. } | Self::Unlisted | Self::Upgrade)
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
            Self::NotFound(_) => stats::NOT_FOUND,
            Self::Unlisted => stats::UNLISTED,
            Self::Refused(_) | Self::Credentials(_) => stats::CREDENTIAL_ERROR,
            Self::Service { .. } | Self::Unanswered { .. } | Self::Callout(_) => stats::SERVICE_ERROR,
            Self::Upgrade | Self::Rejected { .. } => stats::REFUSED,
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
            Self::TimedOut | Self::Service { status: 408 | 504, .. } => 504,
            Self::Unanswered { status, .. } | Self::Rejected { status, .. } => *status,
            _ => 502,
        }
    }

    /// What a client reads.
    fn text(&self) -> &'static str {
        match self {
            Self::Upgrade => "upgrades are not possible here\n",
            Self::Unlisted => "no such function\n",
            Self::TooLarge => "the request is larger than a function takes\n",
            Self::Rejected { .. } => "the request's body is none that a function takes\n",
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
            Self::Rejected { reason, .. } => told("body_refused", reason),
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
