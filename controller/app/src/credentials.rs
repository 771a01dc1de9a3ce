//! The credentials that translations ask for, fetched and put into the next one.

use std::collections::BTreeSet;

use ferrule_credentials::{Aws, keep};
use ferrule_translate::{Identity, Translation};
use tokio::sync::watch;

use crate::watch::Update;

/// Who is wanted.
pub(crate) struct Wishes(watch::Sender<BTreeSet<Identity>>);

impl Wishes {
    /// Begins to fetch, and to tell of it, until the pipeline is gone.
    pub(crate) fn start(mut tell: impl FnMut(Update) -> bool + Send + 'static) -> Self {
        let (wishes, wanted) = watch::channel(BTreeSet::new());
        tokio::spawn(keep(Aws::default(), wanted, move |known| tell(Update::of_credentials(known))));
        Self(wishes)
    }

    /// Takes over whom a translation needs.
    pub(crate) fn follow(&self, translation: &Translation) {
        self.0.send_if_modified(|known| {
            let differs = *known != translation.identities;
            known.clone_from(&translation.identities);
            differs
        });
    }
}
