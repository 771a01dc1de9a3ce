//! Regions, their partitions, and the hosts of services in them.

/// Partitions by the beginnings of their regions' names, with the ends of their hosts' (botocore, `partitions.json`).
const PARTITIONS: [(&str, &str, &str); 8] = [
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
    ("us-gov-", "aws-us-gov", "amazonaws.com"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("", "aws", "amazonaws.com"),
];

/// Partition of a region, as ARNs have it, and the domain of its services.
pub fn partition(region: &str) -> (&'static str, &'static str) {
    let found = PARTITIONS.iter().find(|(prefix, ..)| region.starts_with(prefix));
    found.map_or(("aws", "amazonaws.com"), |(_, name, domain)| (name, domain))
}

/// Whether a text may stand for a region or a service in a signature: lower-case letters, digits and hyphens, at most 63.
pub fn is_scope_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(plain)
}

/// Whether a text may be the authority of a request: a host and maybe a port (RFC 3986 §3.2), without user information.
pub fn is_authority(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_%".contains(&byte);
    !text.is_empty() && text.bytes().all(plain)
}

/// The region that the host of a function URL, or of the Lambda API, names; none for any other host.
pub fn lambda_region(authority: &str) -> Option<&str> {
    let host = authority.split(':').next().unwrap_or_default();
    if let Some(url) = host.strip_suffix(".on.aws") {
        return url.split_once(".lambda-url.").map(|(_, region)| region);
    }
    let (region, domain) = host.strip_prefix("lambda.")?.split_once('.')?;
    (partition(region).1 == domain).then_some(region)
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn every_partition_has_its_name_and_domain() {
        for (region, name, domain) in [
            ("us-east-1", "aws", "amazonaws.com"),
            ("eu-west-1", "aws", "amazonaws.com"),
            ("mx-central-1", "aws", "amazonaws.com"),
            ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
            ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
            ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
            ("us-iso-east-1", "aws-iso", "c2s.ic.gov"),
            ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"),
            ("us-isof-south-1", "aws-iso-f", "csp.hci.ic.gov"),
            ("eu-isoe-west-1", "aws-iso-e", "cloud.adc-e.uk"),
        ] {
            assert_eq!(partition(region), (name, domain), "{region}");
        }
    }

    #[test]
    fn hosts_of_lambda_name_their_region() {
        for (host, region) in [
            ("abc.lambda-url.eu-west-1.on.aws", Some("eu-west-1")),
            ("abc.lambda-url.eu-west-1.on.aws:443", Some("eu-west-1")),
            ("lambda.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("lambda.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("lambda.eu-west-1.example.com", None),
            ("vpce-1.lambda.eu-west-1.vpce.amazonaws.com", None),
            ("127.0.0.1:4566", None),
            ("x.on.aws", None),
        ] {
            assert_eq!(lambda_region(host), region, "{host}");
        }
    }

    #[test]
    fn names_and_authorities_have_no_other_characters() {
        assert!(is_scope_name("us-east-1") && is_authority("[::1]:80") && is_authority("a-b.example"));
        for wrong in ["", "US", "a b", "a/b"] {
            assert!(!is_scope_name(wrong), "{wrong}");
        }
        for wrong in ["", "a/b", "a@b", "a b"] {
            assert!(!is_authority(wrong), "{wrong}");
        }
    }
}
