//! How a request joins others' fetches: under which key, and whether there is anything left to fetch.

use std::sync::Arc;

use ferrule_kit::Host;

use crate::asked::Asked;
use crate::collapse::Role;
use crate::policy::key;
use crate::storage::FlightHead;
use crate::store::codec::Head;
use crate::store::{Lookup, Object};
use crate::{Cache, now, section};

impl Cache {
    /// The key under which a request's fetch is shared: who wants another variant does not wait for it.
    pub(crate) fn lane(&self, host: &dyn Host, asked: &Asked) -> Vec<u8> {
        match self.storage.store.variants(&asked.key).first() {
            Some(object) => self.lane_beside(host, asked, &object.head()),
            None => asked.flight_key(),
        }
    }

    /// The same where the response with that head is the last that is known.
    pub(crate) fn lane_beside(&self, host: &dyn Host, asked: &Asked, head: &Head<'_>) -> Vec<u8> {
        let (request, mut lane) = (section::request(host), asked.flight_key());
        for (name, _) in head.selectors() {
            key::part(&mut lane, "v", name, self.selecting(&request, name).as_deref());
        }
        lane
    }

    /// What another fetch has stored between the look that found nothing that serves and the flight that was then begun.
    pub(crate) fn came_meanwhile(
        &self,
        host: &dyn Host,
        asked: &Asked,
        selected: Option<&Arc<Object>>,
    ) -> Option<Arc<Object>> {
        let Lookup::Found(object) = self.find(host, &asked.key) else { return None };
        selected.is_none_or(|known| !Arc::ptr_eq(known, &object)).then_some(object)
    }

    pub(crate) fn join(&self, key: &[u8], host: &mut dyn Host) -> Role<FlightHead, ferrule_kit::Waker> {
        let (flights, at) = (&self.storage.flights, now(host));
        match flights.join(key, None, at) {
            Role::Busy if !self.wait.is_zero() => match host.waker() {
                Some(waker) => flights.join(key, Some(waker), at),
                None => Role::Apart,
            },
            role => role,
        }
    }
}
