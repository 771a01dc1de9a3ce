//! Kubernetes' quantities (`resource.Quantity`), as far as amounts of memory need them.

use serde_json::Value;

/// Bytes of a quantity such as `512Mi`, `1.5G`, `1e9` or `128974848`; `None` for what is none, or less than 1.
pub(crate) fn bytes(quantity: &Value) -> Option<u64> {
    let text = match quantity {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = match &text.as_bytes()[end..] {
        [b'e' | b'E', b'0'..=b'9' | b'+' | b'-', ..] => (text.as_str(), 1.0),
        _ => (&text[..end], factor(&text[end..])?),
    };
    let bytes = number.parse::<f64>().ok()? * unit;
    (bytes.is_finite() && bytes >= 1.0).then_some(bytes as u64)
}

fn factor(unit: &str) -> Option<f64> {
    let (base, powers) = match unit.strip_suffix('i') {
        Some(prefix) if !prefix.is_empty() => (1024_f64, prefix),
        _ => (1000_f64, unit),
    };
    match powers {
        "" => Some(1.0),
        "m" if base == 1000.0 => Some(0.001),
        "k" if base == 1000.0 => Some(base),
        "K" if base == 1024.0 => Some(base),
        "M" => Some(base.powi(2)),
        "G" => Some(base.powi(3)),
        "T" => Some(base.powi(4)),
        "P" => Some(base.powi(5)),
        "E" => Some(base.powi(6)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        for (quantity, expected) in [
            (json!("512Mi"), Some(512 << 20)),
            (json!("1.5G"), Some(1_500_000_000)),
            (json!("1e9"), Some(1_000_000_000)),
            (json!("1E"), Some(1_000_000_000_000_000_000)),
            (json!("2000m"), Some(2)),
            (json!(128_974_848), Some(128_974_848)),
            (json!("1Ki"), Some(1024)),
            (json!("1ki"), None),
            (json!("i"), None),
            (json!("-1"), None),
            (json!("nan"), None),
            (json!(""), None),
            (json!(null), None),
        ] {
            assert_eq!(bytes(&quantity), expected, "{quantity}");
        }
    }
}
