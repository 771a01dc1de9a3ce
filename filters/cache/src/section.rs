//! A host's field sections as the policy reads them.

use std::borrow::Cow;

use ferrule_kit::{Fields, Host};

use crate::policy::field::Section;

/// One section of a stream.
pub(crate) struct HostSection<'a>(pub(crate) &'a dyn Host, pub(crate) Fields);

impl Section for HostSection<'_> {
    fn values(&self, name: &str) -> Vec<Cow<'_, [u8]>> {
        self.0.field_values(self.1, name)
    }
}

/// The request's header section.
pub(crate) fn request(host: &dyn Host) -> HostSection<'_> {
    HostSection(host, Fields::RequestHeaders)
}

/// The response's header section.
pub(crate) fn response(host: &dyn Host) -> HostSection<'_> {
    HostSection(host, Fields::ResponseHeaders)
}
