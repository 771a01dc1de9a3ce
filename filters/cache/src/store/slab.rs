//! Places of objects, in pages that never move, and the queues that run through them.

use std::sync::Arc;

use super::object::Object;

/// No place.
pub(super) const NONE: u32 = u32::MAX;
/// Places in a page.
const PAGE: usize = 128;

/// Which queue a place is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// Objects that were not yet asked for again.
    Small,
    /// Objects that were.
    Main,
}

/// A place.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) object: Option<Arc<Object>>,
    pub(super) hash: u64,
    /// Nearer to the head of its queue.
    before: u32,
    /// Nearer to the tail, or the next free place.
    after: u32,
    /// The next object under the same key.
    pub(super) sibling: u32,
    /// How often it was asked for since it came to the head, 3 at most.
    pub(super) asked: u8,
    pub(super) queue: Queue,
}

impl Slot {
    const FREE: Self = Self {
        object: None,
        hash: 0,
        before: NONE,
        after: NONE,
        sibling: NONE,
        asked: 0,
        queue: Queue::Small,
    };

    /// Whether someone holds the object, so that it would stay where it is.
    pub(super) fn is_read(&self) -> bool {
        self.object.as_ref().is_some_and(|object| Arc::strong_count(object) > 1 || object.body().is_shared())
    }
}

/// A queue: objects come in at the head and leave at the tail.
#[derive(Debug)]
struct Ends {
    head: u32,
    tail: u32,
    bytes: usize,
}

/// All places of a shard.
#[derive(Debug)]
pub(super) struct Slab {
    pages: Vec<Box<[Slot]>>,
    free: u32,
    used: usize,
    queues: [Ends; 2],
}

impl Default for Slab {
    fn default() -> Self {
        let ends = || Ends { head: NONE, tail: NONE, bytes: 0 };
        Self { pages: Vec::new(), free: NONE, used: 0, queues: [ends(), ends()] }
    }
}

impl Slab {
    pub(super) fn len(&self) -> usize {
        self.used
    }

    pub(super) fn places(&self) -> usize {
        self.pages.len() * PAGE
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.places() * size_of::<Slot>() + self.pages.capacity() * size_of::<Box<[Slot]>>()
    }

    pub(super) fn get(&self, place: u32) -> Option<&Slot> {
        let place = place as usize;
        self.pages.get(place / PAGE)?.get(place % PAGE)
    }

    pub(super) fn get_mut(&mut self, place: u32) -> Option<&mut Slot> {
        let place = place as usize;
        self.pages.get_mut(place / PAGE)?.get_mut(place % PAGE)
    }

    pub(super) fn object(&self, place: u32) -> Option<&Arc<Object>> {
        self.get(place)?.object.as_ref()
    }

    /// Bytes of the objects in a queue.
    pub(super) fn queued(&self, queue: Queue) -> usize {
        self.queues[queue as usize].bytes
    }

    pub(super) fn tail(&self, queue: Queue) -> u32 {
        self.queues[queue as usize].tail
    }

    /// Puts an object into a free place, which is in no queue yet.
    pub(super) fn add(&mut self, object: Arc<Object>, hash: u64) -> u32 {
        if self.free == NONE {
            self.grow();
        }
        let place = self.free;
        if let Some(slot) = self.get_mut(place) {
            let next = slot.after;
            *slot = Slot { object: Some(object), hash, ..Slot::FREE };
            self.free = next;
            self.used += 1;
        }
        place
    }

    fn grow(&mut self) {
        let first = self.places() as u32;
        let slot = |at: usize| Slot {
            after: if at + 1 < PAGE { first + at as u32 + 1 } else { NONE },
            ..Slot::FREE
        };
        self.pages.push((0..PAGE).map(slot).collect());
        self.free = first;
    }

    /// Frees a place that is in no queue any more.
    pub(super) fn free(&mut self, place: u32) -> Option<Arc<Object>> {
        let next = self.free;
        let slot = self.get_mut(place)?;
        let object = slot.object.take()?;
        *slot = Slot { after: next, ..Slot::FREE };
        self.free = place;
        self.used -= 1;
        Some(object)
    }

    /// Puts a place at the head of a queue.
    pub(super) fn push(&mut self, queue: Queue, place: u32) {
        let bytes = self.weight(place);
        let ends = &mut self.queues[queue as usize];
        let head = std::mem::replace(&mut ends.head, place);
        ends.bytes += bytes;
        if ends.tail == NONE {
            ends.tail = place;
        }
        if let Some(slot) = self.get_mut(place) {
            (slot.before, slot.after, slot.queue) = (NONE, head, queue);
        }
        if let Some(old) = self.get_mut(head) {
            old.before = place;
        }
    }

    /// Takes a place out of its queue.
    pub(super) fn unlink(&mut self, place: u32) {
        let bytes = self.weight(place);
        let Some(slot) = self.get(place) else { return };
        let (before, after, queue) = (slot.before, slot.after, slot.queue);
        match self.get_mut(before) {
            Some(slot) => slot.after = after,
            None => self.queues[queue as usize].head = after,
        }
        match self.get_mut(after) {
            Some(slot) => slot.before = before,
            None => self.queues[queue as usize].tail = before,
        }
        self.queues[queue as usize].bytes -= bytes;
    }

    /// Puts another object into a place, which keeps its rank.
    pub(super) fn replace(&mut self, place: u32, object: Arc<Object>) -> Option<Arc<Object>> {
        let (old, new) = (self.weight(place), weight(&object));
        let slot = self.get_mut(place)?;
        let queue = slot.queue;
        let replaced = slot.object.replace(object);
        let ends = &mut self.queues[queue as usize];
        ends.bytes = ends.bytes - old + new;
        replaced
    }

    fn weight(&self, place: u32) -> usize {
        self.object(place).map_or(0, |object| weight(object))
    }
}

fn weight(object: &Object) -> usize {
    object.head_bytes().len() + usize::try_from(object.body().len()).unwrap_or(usize::MAX >> 8)
}
