//! Questions to a world that more than one stage has.

use std::sync::Arc;

use crate::api::reference_grant::ReferenceGrant;
use crate::kinds::World;
use crate::object::{Key, ObjectRef};

impl World {
    /// Whether an object of group and kind `from` in `namespace` may refer to `to`: always inside one namespace,
    /// else where a ReferenceGrant in the namespace of `to` says so (GEP-709).
    pub fn may_refer(&self, from: (&str, &str), namespace: &str, to: &ObjectRef) -> bool {
        namespace == &*to.namespace
            || self.grants_of(&to.namespace).any(|grant| grants(grant, from, namespace, to))
    }

    fn grants_of(&self, namespace: &str) -> impl Iterator<Item = &ReferenceGrant> {
        let first: Key = (namespace.into(), "".into());
        let owned = Arc::clone(&first.0);
        self.reference_grants
            .range(first..)
            .take_while(move |(key, _)| key.0 == owned)
            .map(|(_, grant)| &**grant)
    }
}

fn grants(grant: &ReferenceGrant, from: (&str, &str), namespace: &str, to: &ObjectRef) -> bool {
    let spec = &grant.spec;
    spec.from.iter().any(|f| f.group == from.0 && f.kind == from.1 && f.namespace == namespace)
        && spec.to.iter().any(|t| {
            t.group == *to.group
                && t.kind == *to.kind
                && t.name.as_ref().is_none_or(|name| **name == *to.name)
        })
}
