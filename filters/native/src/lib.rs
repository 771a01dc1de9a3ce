//! Ferrule's filters as an Envoy dynamic module, `libferrule.so`.
//!
//! There is nothing in it but the lists: the adapter is `ferrule_module`, so that a crate of one's own filters is made the
//! same way, and both can be built in one go without each other's hooks.

/// The catalog's filters, and what chooses route tables: only native modules can.
macro_rules! export_all {
    ($($filter:ty),* $(,)?) => {
        ferrule_module::export!($($filter,)* ferrule_scope::Scope);
    };
}

ferrule_catalog::filters!(export_all);
ferrule_module::export_early!(ferrule_scope::ScopeKey);
