//! The configurations of this process that cache.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::Compiled;

/// Those that were registered, some of which may be gone, and how many may be before they are looked through.
static REGISTERED: Mutex<(Vec<Weak<Compiled>>, usize)> = Mutex::new((Vec::new(), LEAST));

const LEAST: usize = 64;

/// Has orders reach what this configuration stores, for as long as it lives.
pub(crate) fn register(compiled: &Arc<Compiled>) {
    let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    let (all, most) = &mut *registered;
    if all.len() >= *most {
        all.retain(|one| one.strong_count() > 0);
        *most = LEAST.max(all.len() * 2);
    }
    all.push(Arc::downgrade(compiled));
}

/// Those that are alive, one for all that agree on what they store under which key and how they use it; where a storage is named, of
/// that alone.
pub(super) fn compiled(storage: Option<&str>) -> Vec<Arc<Compiled>> {
    let alive: Vec<_> = {
        let registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
        registered.0.iter().filter_map(Weak::upgrade).collect()
    };
    let mut distinct: Vec<Arc<Compiled>> = Vec::new();
    for one in alive {
        let is_meant = storage.is_none_or(|name| one.storage_name.as_deref() == Some(name));
        if is_meant && !distinct.iter().any(|known| known.agrees(&one)) {
            distinct.push(one);
        }
    }
    distinct
}
