//! Header modifiers -> `HeaderValueOption`.

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};

use crate::api::http_route::{HTTPHeader, HTTPHeaderFilter};

/// Fields to add or overwrite, and fields to remove, in Envoy's form.
#[derive(Default)]
pub(crate) struct HeaderEdits {
    pub(crate) add: Vec<HeaderValueOption>,
    pub(crate) remove: Vec<String>,
}

impl HeaderEdits {
    /// Appends the edits of one filter.
    ///
    /// # Errors
    /// Field of the filter, and why Envoy cannot do it.
    pub(crate) fn push(&mut self, filter: &HTTPHeaderFilter) -> Result<(), (String, String)> {
        let at = |list: &str, place: usize, why: String| (format!("{list}[{place}]"), why);
        for (place, header) in filter.set.iter().enumerate() {
            let set = option(header, HeaderAppendAction::OverwriteIfExistsOrAdd);
            self.add.push(set.map_err(|why| at("set", place, why))?);
        }
        for (place, header) in filter.add.iter().enumerate() {
            let added = option(header, HeaderAppendAction::AppendIfExistsOrAdd);
            self.add.push(added.map_err(|why| at("add", place, why))?);
        }
        for (place, name) in filter.remove.iter().enumerate() {
            self.remove.push(editable(name).map_err(|why| at("remove", place, why))?);
        }
        Ok(())
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
