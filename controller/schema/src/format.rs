//! Formats of strings and numbers, as `k8s.io/kube-openapi/pkg/validation/strfmt` understands them.

use std::net::IpAddr;

use chrono::{DateTime, FixedOffset};

/// The formats that schemas here use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    DateTime,
    Ipv4,
    Ipv6,
    Int32,
    Int64,
}

impl Format {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "date-time" => Self::DateTime,
            "ipv4" => Self::Ipv4,
            "ipv6" => Self::Ipv6,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DateTime => "date-time",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
        }
    }

    /// Whether a text has this format; one of numbers asks nothing of texts.
    pub(crate) fn takes(self, text: &str) -> bool {
        match self {
            Self::DateTime => date_time(text).is_some(),
            Self::Ipv4 => text.contains('.') && text.parse::<IpAddr>().is_ok(),
            Self::Ipv6 => text.contains(':') && text.parse::<IpAddr>().is_ok(),
            Self::Int32 | Self::Int64 => true,
        }
    }

    /// The integers that fit.
    pub(crate) fn range(self) -> (i64, i64) {
        match self {
            Self::Int32 => (i32::MIN.into(), i32::MAX.into()),
            _ => (i64::MIN, i64::MAX),
        }
    }
}

/// RFC 3339.
pub(crate) fn date_time(text: &str) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_go_parses() {
        for (text, v4, v6) in [
            ("10.0.0.1", true, false),
            ("::1", false, true),
            ("::ffff:1.2.3.4", true, true),
            ("010.0.0.1", false, false),
            ("10.0.0", false, false),
            ("fe80::1%eth0", false, false),
            ("", false, false),
        ] {
            assert_eq!((Format::Ipv4.takes(text), Format::Ipv6.takes(text)), (v4, v6), "{text}");
        }
    }

    #[test]
    fn times_have_a_zone() {
        assert!(
            Format::DateTime.takes("2026-01-02T03:04:05Z")
                && Format::DateTime.takes("2026-01-02T03:04:05.1+01:00")
        );
        assert!(
            !Format::DateTime.takes("2026-01-02T03:04:05") && !Format::DateTime.takes("2026-13-02T03:04:05Z")
        );
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for format in [Format::DateTime, Format::Ipv4, Format::Ipv6, Format::Int32, Format::Int64] {
            assert_eq!(Format::named(format.name()), Some(format));
        }
        assert_eq!(Format::named("email"), None);
    }
}
