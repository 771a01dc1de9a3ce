//! The time at which cases begin, so that dates in them are near to it on every host.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first second in which a case of this process was read.
pub(crate) fn start() -> SystemTime {
    static START: LazyLock<SystemTime> = LazyLock::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UNIX_EPOCH + Duration::from_secs(since.as_secs())
    });
    *START
}
