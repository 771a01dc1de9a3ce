//! An error that the Lambda API answers with, and which failure of the call it is.
//!
//! Types decide before statuses do: refused credentials, throttling and a function's file system share 400 and 403 (Lambda API
//! reference: Invoke, "Errors", and "Common errors").

use crate::failure::Failure;
use crate::reason::Reason;

/// What the head of an answer says of an error.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// A function's own, and whether the function handled it.
    Function(Reason),
    /// Lambda's.
    Service { status: u16, reason: Reason, retry_after: Option<Vec<u8>> },
}

impl ApiError {
    /// The failure that it is by what the answer's body says of it; `is_clients` says that the call's body was the client's.
    pub(crate) fn explained_by(self, json: &[u8], is_clients: bool) -> Failure {
        let told = Reason::read(json);
        match self {
            Self::Function(_) if told.is_timeout() => Failure::TimedOut,
            Self::Function(reason) => Failure::Function(told.or(reason)),
            Self::Service { status, reason, retry_after } => {
                of_service(status, reason.or(told), retry_after, is_clients)
            }
        }
    }
}

fn of_service(status: u16, reason: Reason, retry_after: Option<Vec<u8>>, is_clients: bool) -> Failure {
    match (reason.kind(), status) {
        (
            "AccessDeniedException"
            | "ExpiredTokenException"
            | "IncompleteSignature"
            | "InvalidSignatureException"
            | "MissingAuthenticationTokenException"
            | "NotAuthorized"
            | "OptInRequired"
            | "RequestExpired"
            | "UnrecognizedClientException",
            _,
        ) => Failure::Refused(reason),
        ("ThrottlingException" | "TooManyRequestsException", _) => Failure::Throttled { reason, retry_after },
        ("InvalidRequestContentException", _) if is_clients => Failure::Rejected { status: 400, reason },
        ("UnsupportedMediaTypeException", _) if is_clients => Failure::Rejected { status: 415, reason },
        ("UnknownOperationException", _) => Failure::Service { status, reason },
        // Of EFS and S3 Files: the function's file system, not the caller's rights.
        (kind, 403) if kind.ends_with("MountFailureException") => Failure::Service { status, reason },
        (_, 401 | 403) => Failure::Refused(reason),
        (_, 404) => Failure::NotFound(reason),
        (_, 413) => Failure::TooLarge,
        (_, 429) => Failure::Throttled { reason, retry_after },
        _ => Failure::Service { status, reason },
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn of_function(json: &str) -> Failure {
        ApiError::Function(Reason::default()).explained_by(json.as_bytes(), false)
    }

    fn service(status: u16, kind: &str, json: &str, is_clients: bool) -> Failure {
        let reason = Reason::of_kind(kind.as_bytes());
        let error = ApiError::Service { status, reason, retry_after: Some(b"7".to_vec()) };
        error.explained_by(json.as_bytes(), is_clients)
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
    fn answers_of_no_known_type_are_mapped_by_their_status() {
        let mapped = |status| {
            let failure = service(status, "KindException:http://x/", r#"{"message": "why"}"#, false);
            failure.response()
        };
        for (status, wanted) in [
            (400, 502),
            (401, 500),
            (403, 500),
            (404, 502),
            (408, 504),
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

    #[test]
    fn types_say_more_than_statuses() {
        for (status, kind, word, wanted) in [
            (400, "ThrottlingException", "throttled", 429),
            (400, "RequestExpired", "credentials_refused", 500),
            (400, "IncompleteSignature", "credentials_refused", 500),
            (403, "EFSMountFailureException", "service_error", 502),
            (403, "S3FilesMountFailureException", "service_error", 502),
            (404, "UnknownOperationException", "service_error", 502),
            (404, "ResourceNotFoundException", "function_not_found", 502),
            (408, "EFSMountTimeoutException", "service_error", 504),
            (408, "SnapStartTimeoutException", "service_error", 504),
            (400, "InvalidRequestContentException", "service_error", 502),
        ] {
            let response = service(status, kind, "", false).response();
            assert_eq!(
                (response.status, &*response.details),
                (wanted, &*format!("lambda_filter_{word}{{{kind}}}"))
            );
            // Where the head has no type, the body may.
            let member = service(status, "", &format!(r#"{{"__type": "com.amazon.x#{kind}"}}"#), false);
            assert_eq!(member.response(), response);
        }
    }

    #[test]
    fn a_body_that_lambda_cannot_read_is_the_clients_where_it_is_its_own() {
        for (kind, status) in
            [("InvalidRequestContentException", 400), ("UnsupportedMediaTypeException", 415)]
        {
            let response = service(status, kind, "", true).response();
            assert_eq!(
                (response.status, &*response.details),
                (status, &*format!("lambda_filter_body_refused{{{kind}}}"))
            );
            assert_eq!(service(status, kind, "", false).response().status, 502);
        }
    }
}
