//! Header modifiers -> `HeaderValueOption`.

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};

use crate::api::http_route::{HTTPHeader, HTTPHeaderFilter};

/// Fields to add or overwrite, and fields to remove, in Envoy's form.
///
/// Envoy removes first, and then adds in the order of the list.
#[derive(Clone, Default)]
pub(crate) struct HeaderEdits {
    pub(crate) add: Vec<HeaderValueOption>,
    pub(crate) remove: Vec<String>,
}

impl HeaderEdits {
    /// Appends the edits of one filter, which come after those that are here: what it removes or sets takes back what
    /// was done to the field before.
    ///
    /// # Errors
    /// Field of the filter, and why Envoy cannot do it.
    pub(crate) fn push(&mut self, filter: &HTTPHeaderFilter) -> Result<(), (String, String)> {
        let at = |list: &str, place: usize, why: String| (format!("{list}[{place}]"), why);
        for (place, name) in filter.remove.iter().enumerate() {
            let name = editable(name).map_err(|why| at("remove", place, why))?;
            self.forget(&name);
            self.remove.push(name);
        }
        for (place, header) in filter.set.iter().enumerate() {
            let set = option(header, HeaderAppendAction::OverwriteIfExistsOrAdd);
            let set = set.map_err(|why| at("set", place, why))?;
            self.forget(set.header.as_ref().map_or("", |header| &header.key));
            self.add.push(set);
        }
        for (place, header) in filter.add.iter().enumerate() {
            let added = option(header, HeaderAppendAction::AppendIfExistsOrAdd);
            self.add.push(added.map_err(|why| at("add", place, why))?);
        }
        Ok(())
    }

    fn forget(&mut self, name: &str) {
        self.add.retain(|added| added.header.as_ref().is_none_or(|header| header.key != name));
    }
}

fn option(header: &HTTPHeader, action: HeaderAppendAction) -> Result<HeaderValueOption, String> {
    let key = editable(&header.name)?;
    if header.value.is_empty() {
        return Err("has no value".to_owned());
    }
    if let Some(why) = unprintable(&header.value) {
        return Err(why);
    }
    // Envoy reads % as the start of a format command.
    let value = header.value.replace('%', "%%");
    let header = HeaderValue { key, value, raw_value: Vec::new() };
    Ok(HeaderValueOption {
        header: Some(header),
        append_action: action.into(),
        ..HeaderValueOption::default()
    })
}

/// The name of a field in lower case (RFC 9110 section 5.1).
pub(crate) fn name(name: &str) -> Result<String, String> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    match !name.is_empty() && name.bytes().all(is_token) {
        true => Ok(name.to_ascii_lowercase()),
        false => Err(format!("{name:?} is no name of a header field")),
    }
}

/// Envoy refuses edits of Host, because routing has used it already.
fn editable(header: &str) -> Result<String, String> {
    match name(header)?.as_str() {
        "host" => Err("Host cannot be edited here; use hostname of a URLRewrite filter".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// What a field's value, a path or a host name must not hold (RFC 9110 section 5.5).
pub(crate) fn unprintable(value: &str) -> Option<String> {
    let bad = value.chars().find(|c| c.is_control() && *c != '\t')?;
    Some(format!("holds the control character {bad:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(name: &str, value: &str) -> Result<HeaderEdits, (String, String)> {
        let header = HTTPHeader { name: name.to_owned(), value: value.to_owned() };
        let mut edits = HeaderEdits::default();
        edits.push(&HTTPHeaderFilter { set: vec![header], ..HTTPHeaderFilter::default() }).map(|()| edits)
    }

    #[test]
    fn later_filters_take_back_what_earlier_ones_did_to_a_field() {
        let filter = |json: serde_json::Value| serde_json::from_value::<HTTPHeaderFilter>(json).unwrap();
        let header = |value: &str| serde_json::json!([{"name": "X", "value": value}]);
        let mut edits = HeaderEdits::default();
        edits.push(&filter(serde_json::json!({"add": header("1"), "remove": ["y"]}))).unwrap();
        edits.push(&filter(serde_json::json!({"set": header("2")}))).unwrap();
        let values = |edits: &HeaderEdits| -> Vec<String> {
            edits.add.iter().map(|added| added.header.clone().unwrap().value).collect()
        };
        assert_eq!(values(&edits), ["2"]);
        edits.push(&filter(serde_json::json!({"remove": ["x"]}))).unwrap();
        assert_eq!((values(&edits), edits.remove), (vec![], vec!["y".to_owned(), "x".to_owned()]));
    }

    #[test]
    fn percent_signs_are_no_format_commands() {
        let header = edits("X-Rate", "100% %REQ(x)%").ok().unwrap().add.remove(0).header.unwrap();
        assert_eq!((header.key.as_str(), header.value.as_str()), ("x-rate", "100%% %%REQ(x)%%"));
    }

    #[test]
    fn what_envoy_would_refuse_is_refused() {
        for (name, value) in
            [("host", "a"), ("Host", "a"), (":path", "/"), ("a b", "c"), ("", "c"), ("x", ""), ("x", "a\nb")]
        {
            assert_eq!(
                edits(name, value).err().map(|(field, _)| field).as_deref(),
                Some("set[0]"),
                "{name}: {value}"
            );
        }
    }
}
