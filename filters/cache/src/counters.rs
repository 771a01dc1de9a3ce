//! What is counted.

use ferrule_kit::Counter;

/// Names, by place.
pub(crate) const NAMES: &[&str] = &[
    "hit",
    "stale",
    "miss",
    "validated",
    "collapsed",
    "bypass",
    "stored",
    "unstorable",
    "invalidated",
    "purged",
    "refreshed",
    "resumed",
    "redis_hit",
    "redis_miss",
    "redis_error",
    "redis_timeout",
    "redis_open",
    "redis_dropped",
];

/// Answered from the store.
pub(crate) const HIT: Counter = Counter(0);
/// Of the hits, those with a stale response.
pub(crate) const STALE: Counter = Counter(1);
/// Sent to the origin, because nothing stored answers.
pub(crate) const MISS: Counter = Counter(2);
/// Answered from the store once the origin has confirmed it.
pub(crate) const VALIDATED: Counter = Counter(3);
/// Waited for another request's fetch.
pub(crate) const COLLAPSED: Counter = Counter(4);
/// Not handled.
pub(crate) const BYPASS: Counter = Counter(5);
/// Responses stored.
pub(crate) const STORED: Counter = Counter(6);
/// Responses that could not be.
pub(crate) const UNSTORABLE: Counter = Counter(7);
/// Stored responses invalidated by unsafe requests.
pub(crate) const INVALIDATED: Counter = Counter(8);
/// Stored responses purged by requests.
pub(crate) const PURGED: Counter = Counter(9);
/// Requests sent off to refresh a stale response that was served.
pub(crate) const REFRESHED: Counter = Counter(10);
/// Requests sent off for the rest of a response whose client has gone.
pub(crate) const RESUMED: Counter = Counter(11);
/// Found on the second level.
pub(crate) const REDIS_HIT: Counter = Counter(12);
/// Not found there.
pub(crate) const REDIS_MISS: Counter = Counter(13);
/// It refused, or could not be reached.
pub(crate) const REDIS_ERROR: Counter = Counter(14);
/// It took too long.
pub(crate) const REDIS_TIMEOUT: Counter = Counter(15);
/// It was not asked, because it failed too often or has too much to do.
pub(crate) const REDIS_OPEN: Counter = Counter(16);
/// Responses that it was not given to keep, or could not keep.
pub(crate) const REDIS_DROPPED: Counter = Counter(17);
