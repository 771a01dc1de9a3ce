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
    "bypass_rule",
    "bypass_tunnel",
    "bypass_content",
    "bypass_method",
    "bypass_directive",
    "bypass_condition",
    "evicted",
    "objects_added",
    "objects_removed",
    "bytes_added",
    "bytes_removed",
    "bypass_target",
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
/// Not the cache's to answer, for one of the reasons that are counted below.
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
/// Passed by because the configuration says so.
pub(crate) const BYPASS_RULE: Counter = Counter(12);
/// Passed by because it is an upgrade or a tunnel.
pub(crate) const BYPASS_TUNNEL: Counter = Counter(13);
/// Passed by because of its content.
pub(crate) const BYPASS_CONTENT: Counter = Counter(14);
/// Passed by because of its method.
pub(crate) const BYPASS_METHOD: Counter = Counter(15);
/// Passed by because it says `no-store`.
pub(crate) const BYPASS_DIRECTIVE: Counter = Counter(16);
/// Passed by because its conditions are the origin's to evaluate.
pub(crate) const BYPASS_CONDITION: Counter = Counter(17);
/// Stored responses that made room for others.
pub(crate) const EVICTED: Counter = Counter(18);
/// Stored responses that came, and those that went, whatever the reason: what is there is the difference.
pub(crate) const OBJECTS: Pair = Pair { added: Counter(19), removed: Counter(20) };
/// The same of bytes of memory that are charged.
pub(crate) const BYTES: Pair = Pair { added: Counter(21), removed: Counter(22) };

/// Passed by because its target is no URI.
pub(crate) const BYPASS_TARGET: Counter = Counter(23);
/// Found on the second level.
pub(crate) const REDIS_HIT: Counter = Counter(24);
/// Not found there.
pub(crate) const REDIS_MISS: Counter = Counter(25);
/// It refused, or could not be reached.
pub(crate) const REDIS_ERROR: Counter = Counter(26);
/// It took too long.
pub(crate) const REDIS_TIMEOUT: Counter = Counter(27);
/// It was not asked, because it failed too often or has too much to do.
pub(crate) const REDIS_OPEN: Counter = Counter(28);
/// Responses that it was not given to keep, or could not keep.
pub(crate) const REDIS_DROPPED: Counter = Counter(29);

/// Counts what comes and what goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) added: Counter,
    pub(crate) removed: Counter,
}
