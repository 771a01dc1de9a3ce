//! A part on its way into the store: beside what is there of the same representation, or in the place of what is not (RFC 9111 §3.4).

use std::sync::Arc;

use crate::policy::partial::{Identity, Runs, Span};
use crate::policy::response_fields::{is_updated, updated};
use crate::policy::stored::Stored;
use crate::storage::Shared;
use crate::store::codec::{Head, Parts, parts};
use crate::store::pieces::{Joined, are_equal};
use crate::store::{Body, Charge, Chunk, Object, Store};

/// A part, all of which has come.
pub(crate) struct Part {
    /// The metadata of the response that brought it.
    pub(crate) stored: Stored,
    /// Its head.
    pub(crate) head: Box<[u8]>,
    /// Which bytes it has.
    pub(crate) span: Span,
    /// These bytes.
    pub(crate) chunks: Vec<Chunk>,
    /// What has been paid for them.
    pub(crate) charge: Option<Charge>,
}

impl Part {
    /// What is stored once it has come; none where there is no room.
    pub(crate) fn into_object(self, storage: &Shared) -> Option<Arc<Object>> {
        match self.known(&storage.store) {
            Some(known) => self.join(&known, &storage.store),
            None => self.alone(&storage.store),
        }
    }

    /// What is stored of the same representation, for the same requests.
    fn known(&self, store: &Store) -> Option<Arc<Object>> {
        let head = Head::new(&self.head);
        let mut variants = store.variants(head.key()).into_iter();
        let known = variants.find(|object| object.head().has_selectors_of(&head))?;
        let new = identity(&head, self.span.complete);
        let is_same = known.stored().status == 200
            && new.is_of(&identity(&known.head(), known.body().complete()))
            && self.agrees(known.body());
        (is_same && self.fits(known.body(), store)).then_some(known)
    }

    /// Whether what both have is the same: a tag is the origin's word, and bytes are facts.
    fn agrees(&self, known: &Body) -> bool {
        let whole = [(0, known.complete())];
        let runs = known.runs().map_or(&whole[..], Runs::list);
        let common = runs.iter().map(|(from, to)| (self.span.first.max(*from), self.span.end.min(*to)));
        common.filter(|(from, to)| from < to).all(|(from, to)| {
            let here = from - self.span.first..to - self.span.first;
            are_equal((&self.chunks, here), (known.chunks(), known.place(from..to)))
        })
    }

    fn fits(&self, known: &Body, store: &Store) -> bool {
        let bytes = known.len().saturating_add(self.span.length());
        known.runs().is_none() || bytes.min(self.span.complete) <= store.limits().object_bytes as u64
    }

    fn alone(self, store: &Store) -> Option<Arc<Object>> {
        let body = body(Runs::of(self.span), self.chunks, self.charge, store)?;
        object(self.stored, self.head, body, store)
    }

    fn join(self, known: &Object, store: &Store) -> Option<Arc<Object>> {
        let old = known.stored().last_modified;
        let stored = Stored { last_modified: self.stored.last_modified.or(old), ..self.stored };
        let head = Head::encode(&updated_parts(known.parts(), parts(&Head::new(&self.head))));
        let body = match known.body().runs() {
            None => known.body().clone(),
            Some(runs) => {
                let joined = runs.with(self.span);
                let chunks = join_chunks(&joined, known.body(), self.span, &self.chunks);
                body(joined, chunks, self.charge, store)?
            }
        };
        object(stored, head, body, store)
    }
}

fn identity<'a>(head: &Head<'a>, complete: u64) -> Identity<'a> {
    Identity { etag: head.line("etag"), encoding: head.line("content-encoding"), complete }
}

/// §3.4: "a cache MUST update the stored response header fields using the header fields provided in the new response, as per
/// Section 3.2". A part that was asked for by If-Range says less of the content than another (RFC 9110 §15.3.7).
fn updated_parts(known: Parts, new: Parts) -> Parts {
    let has: Vec<String> = known.lines.iter().map(|(name, _)| name.clone()).collect();
    let changes = |name: &str| is_updated(name) || !has.iter().any(|known| known == name);
    let tags = if new.tags.is_empty() { known.tags } else { new.tags };
    Parts { lines: updated(known.lines.into_iter(), new.lines, changes), tags, ..new }
}

/// The bytes of `runs`: of `known` what it has, and the new ones.
fn join_chunks(runs: &Runs, known: &Body, span: Span, new: &[Chunk]) -> Vec<Chunk> {
    let mut joined = Joined::default();
    for (from, to) in runs.list().iter().copied() {
        if from <= span.first && span.end <= to {
            joined.push(known.chunks(), known.place(from..span.first));
            joined.push(new, 0..span.length());
            joined.push(known.chunks(), known.place(span.end..to));
        } else {
            joined.push(known.chunks(), known.place(from..to));
        }
    }
    joined.finish()
}

fn body(runs: Runs, chunks: Vec<Chunk>, charge: Option<Charge>, store: &Store) -> Option<Body> {
    let is_whole = runs.is_whole();
    let cost = if is_whole { Body::cost(&chunks) } else { Body::partial_cost(&runs, &chunks) };
    let charge = just(charge, cost, store)?;
    Some(if is_whole { Body::new(chunks, charge) } else { Body::partial(runs, chunks, charge) })
}

fn object(stored: Stored, head: Box<[u8]>, body: Body, store: &Store) -> Option<Arc<Object>> {
    let charge = store.reserve(Object::cost(&head))?;
    Some(Arc::new(Object::new(stored, head, body, charge)))
}

/// A charge of just so many bytes, made of one that there is; none where there is no room.
pub(crate) fn just(charge: Option<Charge>, bytes: usize, store: &Store) -> Option<Charge> {
    let Some(mut charge) = charge else { return store.reserve(bytes) };
    if let Some(missing) = bytes.checked_sub(charge.bytes()) {
        charge.add(store.reserve(missing)?);
    }
    charge.shrink_to(bytes);
    Some(charge)
}
