//! What of the stored responses a request selects, and whether it is enough.

use crate::Compiled;
use crate::policy::field::Section;
use crate::policy::method::Method;
use crate::policy::validation::Validators;
use crate::policy::vary::selecting_value;
use crate::store::Object;
use crate::store::codec::Head;

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
