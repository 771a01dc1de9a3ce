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
    pub(crate) fn push(&mut self, filter: &HTTPHeaderFilter) {
        let set = filter.set.iter().map(|h| option(h, HeaderAppendAction::OverwriteIfExistsOrAdd));
        self.add.extend(set);
        self.add.extend(filter.add.iter().map(|h| option(h, HeaderAppendAction::AppendIfExistsOrAdd)));
        self.remove.extend(filter.remove.iter().map(|name| name.to_ascii_lowercase()));
    }
}

fn option(header: &HTTPHeader, action: HeaderAppendAction) -> HeaderValueOption {
    // Envoy reads % as the start of a format command.
    let value = header.value.replace('%', "%%");
    let header = HeaderValue { key: header.name.to_ascii_lowercase(), value, raw_value: Vec::new() };
    HeaderValueOption { header: Some(header), append_action: action.into(), ..HeaderValueOption::default() }
}
