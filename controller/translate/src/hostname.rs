//! Host names as Gateway API compares them: exact, `*.` wildcards, and none at all.

/// The more specific of two host names if one covers the other. An empty string stands for every host.
pub(crate) fn intersection<'a>(listener: &'a str, route: &'a str) -> Option<&'a str> {
    if covers(listener, route) {
        Some(route)
    } else if covers(route, listener) {
        Some(listener)
    } else {
        None
    }
}

/// Whether every host that `narrow` stands for is one of `wide`.
pub(crate) fn covers(wide: &str, narrow: &str) -> bool {
    match wide.strip_prefix('*') {
        _ if wide.is_empty() => true,
        Some(suffix) => {
            narrow.trim_start_matches('*').len() >= suffix.len() + usize::from(!narrow.starts_with('*'))
                && ends_with(narrow, suffix)
        }
        None => wide.eq_ignore_ascii_case(narrow),
    }
}

fn ends_with(host: &str, suffix: &str) -> bool {
    let start = host.len().checked_sub(suffix.len());
    start.and_then(|start| host.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}

/// How specific a host name is: exact ones first, then the longer one.
pub(crate) fn specificity(host: &str) -> (bool, usize) {
    (!host.is_empty() && !host.starts_with('*'), host.len())
}

/// What is wrong with a host name: RFC 1123, with `*` allowed as the whole first label, and no IP address (Hostname of
/// Gateway API).
pub(crate) fn fault(host: &str) -> Option<&'static str> {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let is_label = |label: &str| {
        let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        plain && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    if host.len() > 253 || !name.split('.').all(is_label) {
        Some("is no host name: letters, digits and '-' in labels, `*.` in front where wanted")
    } else if name.parse::<std::net::IpAddr>().is_ok() {
        Some("must not be an IP address")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_specific_name_is_the_intersection() {
        assert_eq!(intersection("", "a.example.com"), Some("a.example.com"));
        assert_eq!(intersection("*.example.com", "a.example.com"), Some("a.example.com"));
        assert_eq!(intersection("a.b.example.com", "*.example.com"), Some("a.b.example.com"));
        assert_eq!(intersection("*.example.com", "*.b.example.com"), Some("*.b.example.com"));
        assert_eq!(intersection("*.example.com", ""), Some("*.example.com"));
    }

    #[test]
    fn a_wildcard_covers_no_bare_domain_and_no_lookalike() {
        assert_eq!(intersection("*.example.com", "example.com"), None);
        assert_eq!(intersection("*.example.com", "a.notexample.com"), None);
        assert_eq!(intersection("a.example.com", "b.example.com"), None);
    }

    #[test]
    fn exact_names_are_more_specific_than_longer_wildcards() {
        assert!(specificity("a.io") > specificity("*.example.com"));
        assert!(specificity("*.b.example.com") > specificity("*.example.com"));
        assert!(specificity("*.io") > specificity(""));
    }

    #[test]
    fn what_is_no_host_name_is_told() {
        for good in ["example.com", "*.example.com", "a", "a-b.c", "Example.COM"] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in [
            "",
            "*",
            "*.",
            "a..b",
            "a b",
            "-a",
            "a-",
            "a.*.b",
            "*a.b",
            "1.2.3.4",
            "a.com:80",
            "a_b",
            &"a".repeat(254),
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }
}
