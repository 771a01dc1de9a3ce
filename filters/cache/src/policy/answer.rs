//! What of a stored response answers a request: all of it, a part, or that the client has it already (RFC 9110 §13.2.2, §14.2).

use super::conditional::is_not_modified;
use super::field::Section;
use super::method::Method;
use super::range::{Part, if_range, select};
use super::stored::Stored;
use super::time::Time;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The stored status, fields and body.
    Whole,
    /// 206 with these bytes, the last one included.
    Part {
        /// First byte.
        first: u64,
        /// Last byte.
        last: u64,
    },
    /// 304.
    NotModified,
    /// 416.
    Unsatisfiable,
}

/// Chooses the form, in the order of RFC 9110 §13.2.2. `length` is that of the whole body; none while that is not known, when a
/// range cannot be cut.
pub fn answer(
    method: Method,
    request: &(impl Section + ?Sized),
    stored: &Stored,
    etag: Option<&[u8]>,
    length: Option<u64>,
    now: Time,
) -> Answer {
    // §13.1.2, §13.1.3: 304 is for GET and HEAD.
    if matches!(method, Method::Get | Method::Head) && is_not_modified(request, stored, etag, now) {
        return Answer::NotModified;
    }
    // §14.2: Range is for GET alone, and for what would be a 200.
    let (Method::Get, 200, Some(length)) = (method, stored.status, length) else { return Answer::Whole };
    let Some(range) = request.combined("range") else { return Answer::Whole };
    // §13.1.5: where If-Range does not hold, Range is ignored.
    let part = select(&range, length);
    if part == Part::Whole || !if_range(request, stored, etag) {
        return Answer::Whole;
    }
    match part {
        Part::Bytes { first, last } => Answer::Part { first, last },
        Part::Whole | Part::Unsatisfiable => Answer::Unsatisfiable,
    }
}
