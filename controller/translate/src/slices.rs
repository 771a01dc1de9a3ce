//! EndpointSlices by their Service, kept up from one world to the next.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::api::endpoint_slice::{EndpointSlice, SERVICE_NAME};
use crate::changes::differing;
use crate::kinds::Store;
use crate::object::Key;

/// The slices of the last world.
#[derive(Default)]
pub(crate) struct Slices {
    seen: Store<EndpointSlice>,
    /// Slices of a Service, in the order of their own names. Most have one, and there are thousands.
    by_service: HashMap<Key, Vec<(Key, Arc<EndpointSlice>)>>,
}

impl Slices {
    /// Takes over all of `now`; returns the Services that are concerned.
    pub(crate) fn update(&mut self, now: &Store<EndpointSlice>) -> BTreeSet<Key> {
        let changed: Vec<Key> = differing(&self.seen, now).collect();
        self.update_some(now, changed.iter())
    }

    /// Takes over the slices of these keys, which are all that differ. Returns the Services that are concerned.
    pub(crate) fn update_some<'k>(
        &mut self,
        now: &Store<EndpointSlice>,
        keys: impl Iterator<Item = &'k Key>,
    ) -> BTreeSet<Key> {
        let seen = std::mem::replace(&mut self.seen, now.clone());
        let mut services = BTreeSet::new();
        for key in keys {
            if let Some(service) = seen.get(key).and_then(|slice| service_of(key, slice)) {
                let slices = self.by_service.entry(service.clone()).or_default();
                if let Ok(place) = find(slices, key) {
                    slices.remove(place);
                }
                services.insert(service);
            }
            let Some(slice) = now.get(key) else { continue };
            if let Some(service) = service_of(key, slice) {
                let slices = self.by_service.entry(service.clone()).or_insert_with(|| Vec::with_capacity(1));
                match find(slices, key) {
                    Ok(place) => slices[place].1 = Arc::clone(slice),
                    Err(place) => slices.insert(place, (key.clone(), Arc::clone(slice))),
                }
                services.insert(service);
            }
        }
        for service in &services {
            if self.by_service.get(service).is_some_and(Vec::is_empty) {
                self.by_service.remove(service);
            }
        }
        services
    }

    /// The slices of a Service.
    pub(crate) fn of(&self, service: &Key) -> Vec<&Arc<EndpointSlice>> {
        self.by_service.get(service).into_iter().flatten().map(|(_, slice)| slice).collect()
    }
}

fn find(slices: &[(Key, Arc<EndpointSlice>)], key: &Key) -> Result<usize, usize> {
    slices.binary_search_by(|(known, _)| known.cmp(key))
}

fn service_of(key: &Key, slice: &EndpointSlice) -> Option<Key> {
    let name = slice.metadata.labels.get(SERVICE_NAME)?;
    Some((Arc::clone(&key.0), name.as_str().into()))
}
