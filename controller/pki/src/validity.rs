//! When a certificate is valid.

use std::time::{Duration, SystemTime};

use x509_parser::certificate::X509Certificate;
use x509_parser::time::ASN1Time;

/// Clocks may differ by this much: a certificate is valid that long before it was issued.
const SKEW: Duration = Duration::from_secs(300);

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First moment.
    pub not_before: SystemTime,
    /// Last second.
    pub not_after: SystemTime,
}

impl Validity {
    /// What is issued `now` for `life`, but not beyond `end`.
    pub(crate) fn starting(now: SystemTime, life: Duration, end: Option<SystemTime>) -> Self {
        let not_after = end.map_or(now + life, |end| end.min(now + life));
        Self { not_before: now.checked_sub(SKEW).unwrap_or(now), not_after }
    }

    pub(crate) fn of(certificate: &X509Certificate<'_>) -> Self {
        let validity = certificate.validity();
        Self { not_before: system_time(validity.not_before), not_after: system_time(validity.not_after) }
    }

    /// When it was issued.
    #[must_use]
    pub fn issued(&self) -> SystemTime {
        self.not_before + SKEW
    }

    /// When half of its life is over, which is when it is replaced.
    #[must_use]
    pub fn half(&self) -> SystemTime {
        let life = self.not_after.duration_since(self.issued()).unwrap_or_default();
        self.issued() + life / 2
    }
}

/// The epoch for what is before it.
fn system_time(time: ASN1Time) -> SystemTime {
    let seconds = u64::try_from(time.timestamp()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}
