//! The store's books against the allocator's: what is charged is what is used.

#![allow(unsafe_code, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use ferrule_cache::policy::stored::Stored;
use ferrule_cache::policy::time::Time;
use ferrule_cache::store::codec::{Head, Parts};
use ferrule_cache::store::{Body, Chunk, Limits, Object, Purge, Store};

/// What an entry may take besides its fields and its body, bytes; its key is no field.
const OVERHEAD: usize = 300;

/// Counts the bytes that a thread has allocated and not freed.
struct Counting;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.set(LIVE.get().wrapping_add(layout.size()));
        // SAFETY: the caller vouches for the layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get().wrapping_sub(layout.size()));
        // SAFETY: the caller vouches for both.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const STORED: Stored = Stored {
    status: 200,
    no_cache: false,
    must_revalidate: false,
    response_time: Time(0),
    initial_age: 0,
    lifetime: 60,
    date: 0,
    last_modified: None,
    stale_while_revalidate: 0,
    stale_if_error: 0,
};

const LINES: [(&str, &str); 4] = [
    ("content-type", "text/html; charset=utf-8"),
    ("etag", "\"33a64df551425fcc55e4d42a148795d9f25f89d4\""),
    ("cache-control", "max-age=60"),
    ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
];

/// Stores an object and says how many of its bytes are fields and body.
fn put(store: &Store, n: usize, length: usize) -> usize {
    let lines = LINES.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec();
    let key = format!("https://shop.example/products/{n:08}?lang=en").into_bytes();
    let head = Head::encode(&Parts { key, lines, ..Parts::default() });
    let chunks: Vec<Chunk> = vec![vec![b'x'; length].into()];
    let body = Body::new(chunks.clone(), store.reserve(Body::cost(&chunks)).unwrap());
    let charge = store.reserve(Object::cost(&head)).unwrap();
    store.insert(Arc::new(Object::new(STORED, head, body, charge)), store.epoch());
    length + LINES.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
}

#[test]
fn an_entry_takes_little_besides_fields_and_body() {
    const ENTRIES: usize = 200_000;
    let store = Store::new(Limits { bytes: 1 << 30, ..Limits::default() });
    let before = LIVE.get();
    let content: usize = (0..ENTRIES).map(|n| put(&store, n, 1024)).sum();
    let used = LIVE.get() - before;
    assert_eq!(store.objects(), ENTRIES);
    let overhead = (used - content) / ENTRIES;
    println!("{overhead} bytes an entry");
    assert!(overhead <= OVERHEAD, "{overhead} bytes an entry");
}

#[test]
fn the_books_are_those_of_the_allocator_and_memory_is_returned() {
    let before = LIVE.get();
    let store = Store::new(Limits { bytes: 8 << 20, ..Limits::default() });
    for n in 0..50_000 {
        put(&store, n, n % 3_000);
        if n % 1_000 == 0 {
            let (used, charged) = (LIVE.get() - before, store.bytes());
            assert!(used <= charged + 64 * 1024, "{used} used, {charged} charged");
            assert!(charged <= used + 64 * 1024, "{used} used, {charged} charged");
            assert!(charged <= 8 << 20, "{charged}");
        }
    }
    store.purge(&Purge::Everything, false);
    assert!(LIVE.get() - before < 2 << 20, "{} bytes left", LIVE.get() - before);
    drop(store);
    assert_eq!(LIVE.get(), before);
}
