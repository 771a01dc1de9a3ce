//! Ferrule's filters as an Envoy dynamic module, `libferrule.so`.
//!
//! There is nothing in it but the list: the adapter is `ferrule_module`, so that a crate of one's own filters is made the
//! same way, and both can be built in one go without each other's hooks.

ferrule_catalog::filters!(ferrule_module::export);
