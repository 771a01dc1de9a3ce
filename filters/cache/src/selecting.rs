//! What of the stored responses a request selects, and whether it is enough.

use ferrule_kit::{Fields, Host};

use crate::policy::field::Section;
use crate::policy::method::Method;
use crate::policy::validation::Validators;
use crate::policy::vary::selecting_value;
use crate::store::Object;
use crate::store::codec::Head;
use crate::{Compiled, section};

/// Whether what is stored is enough for a request (RFC 9111 §3.3).
pub(crate) fn has_for(object: &Object, method: Method, request: &(impl Section + ?Sized)) -> bool {
    let Some(runs) = object.body().runs() else { return true };
    method == Method::Get && runs.answer(request, object.stored(), object.head().line("etag"))
}

impl Compiled {
    /// What a request says in a field by which responses are selected, made coarser where the configuration says so.
    pub(crate) fn selecting(&self, request: &(impl Section + ?Sized), name: &str) -> Option<Vec<u8>> {
        match self.coarsening.get(name) {
            Some(coarsening) => request.combined(name).map(|value| coarsening.apply(&value)),
            None => selecting_value(request, name),
        }
    }

    /// Says to the origin what selects, and no more: its answer is for all who say that.
    pub(crate) fn coarsen(&self, host: &mut dyn Host) {
        for name in self.coarsening.keys() {
            let Some(value) = self.selecting(&section::request(host), name) else { continue };
            // Without the field, any coding would do (RFC 9110 §12.5.3).
            let accepts_none = value.is_empty() && name == "accept-encoding";
            let value = if accepts_none { b"identity".as_slice() } else { &value };
            host.set_field(Fields::RequestHeaders, name, value);
        }
    }

    /// RFC 9111 §4.1
    pub(crate) fn selects(&self, head: &Head<'_>, request: &(impl Section + ?Sized)) -> bool {
        head.selectors().all(|(name, value)| self.selecting(request, name).as_deref() == value)
    }
}

/// What validates a stored response.
pub(crate) fn validators(object: &Object) -> Validators<'_> {
    let head = object.head();
    let etag = head.line("etag").filter(|tag| crate::policy::entity_tag::EntityTag::parse(tag).is_some());
    // What is no date validates nothing (RFC 9110 §13.1.3).
    let last_modified = head.line("last-modified").filter(|_| object.stored().last_modified.is_some());
    Validators { etag: etag.map(Into::into), last_modified: last_modified.map(Into::into) }
}
