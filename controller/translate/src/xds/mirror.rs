//! `HTTPRequestMirrorFilter` -> `RequestMirrorPolicy`.

use envoy_types::pb::envoy::config::core::v3::RuntimeFractionalPercent;
use envoy_types::pb::envoy::config::route::v3::route_action::RequestMirrorPolicy;
use envoy_types::pb::envoy::r#type::v3::FractionalPercent;
use envoy_types::pb::envoy::r#type::v3::fractional_percent::DenominatorType;

use super::Unsupported;
use crate::api::http_filter::{Fraction, HTTPRequestMirrorFilter};

/// Envoy's finest share.
const MILLION: u64 = 1_000_000;

/// Copies requests to `cluster`, under the host name that they have.
///
/// # Errors
/// Field of the filter, and what is wrong with it.
pub(crate) fn lower(
    mirror: &HTTPRequestMirrorFilter,
    cluster: String,
) -> Result<RequestMirrorPolicy, Unsupported> {
    Ok(RequestMirrorPolicy {
        cluster,
        runtime_fraction: share(mirror)?.map(of_million),
        disable_shadow_host_suffix_append: true,
        ..RequestMirrorPolicy::default()
    })
}

/// A share in millionths.
pub(crate) fn of_million(numerator: u32) -> RuntimeFractionalPercent {
    let share = FractionalPercent { numerator, denominator: DenominatorType::Million.into() };
    RuntimeFractionalPercent { default_value: Some(share), ..RuntimeFractionalPercent::default() }
}

/// `None` for all requests.
fn share(mirror: &HTTPRequestMirrorFilter) -> Result<Option<u32>, Unsupported> {
    let wrong = |field: &str, why: &str| Err((field.to_owned(), why.to_owned()));
    match (mirror.percent, &mirror.fraction) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => wrong("fraction", "excludes percent"),
        (Some(percent), None) => match u32::try_from(percent) {
            Ok(percent @ 0..=100) => Ok(Some(percent * 10_000)),
            _ => wrong("percent", "must be 0 to 100"),
        },
        (None, Some(fraction)) => match millionths(fraction) {
            Some(share) => Ok(Some(share)),
            None => wrong("fraction", "must be at least 0 and at most 1"),
        },
    }
}

fn millionths(fraction: &Fraction) -> Option<u32> {
    let numerator = u64::try_from(fraction.numerator).ok()?;
    let denominator = u64::try_from(fraction.denominator.unwrap_or(100)).ok().filter(|d| *d > 0)?;
    let share = numerator * MILLION / denominator;
    u32::try_from(share).ok().filter(|_| numerator <= denominator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: serde_json::Value) -> Result<Option<u32>, Unsupported> {
        let mut filter = serde_json::json!({"backendRef": {"name": "b"}});
        filter.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
        share(&serde_json::from_value(filter).unwrap())
    }

    #[test]
    fn shares_are_millionths() {
        use serde_json::json;
        assert_eq!(of(json!({})), Ok(None));
        assert_eq!(of(json!({"percent": 35})), Ok(Some(350_000)));
        assert_eq!(of(json!({"fraction": {"numerator": 25, "denominator": 50}})), Ok(Some(500_000)));
        assert_eq!(of(json!({"fraction": {"numerator": 1}})), Ok(Some(10_000)));
        let full = json!({"fraction": {"numerator": i32::MAX, "denominator": i32::MAX}});
        assert_eq!(of(full), Ok(Some(1_000_000)));
        for bad in [
            json!({"percent": 101}),
            json!({"percent": -1}),
            json!({"percent": 1, "fraction": {"numerator": 1}}),
            json!({"fraction": {"numerator": 2, "denominator": 1}}),
            json!({"fraction": {"numerator": 0, "denominator": 0}}),
            json!({"fraction": {"numerator": -1}}),
        ] {
            assert!(of(bad.clone()).is_err(), "{bad}");
        }
    }
}
