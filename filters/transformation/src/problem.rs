//! Why a message could not be transformed.
//!
//! Invariant: nothing here tells of a message's content.

use crate::field::ValueError;
use crate::merge::MergeError;
use crate::template::Failure;
use crate::wrap::NoText;
use ferrule_json::JsonError;

/// Why a message could not be transformed, and the field of the configuration concerned. Tells nothing of the message's
/// content.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {cause}")]
pub(crate) struct Problem {
    pub(crate) path: String,
    pub(crate) cause: Cause,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    #[error("the body is no JSON: {0}")]
    Json(JsonError),
    #[error(transparent)]
    Render(Failure),
    #[error(transparent)]
    Value(ValueError),
    #[error(transparent)]
    Merge(MergeError),
    #[error(transparent)]
    Wrap(NoText),
    #[error("the metadata {0}")]
    Metadata(&'static str),
    #[error(
        "the body is encoded (content-encoding), so it can be neither read nor replaced; see body.decompress"
    )]
    Encoding,
}
