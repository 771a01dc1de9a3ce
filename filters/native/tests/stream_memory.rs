//! How much memory a stream holds while it lasts.

#![allow(unsafe_code, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use ferrule_catalog::Transformation;
use ferrule_kit::{Driver, Event, Fields, MemoryHost, Message, Step, compile};
use ferrule_module::Export;

/// What a header-only transformation may hold of a stream, bytes.
const BUDGET: usize = 512;

const HEADERS_ONLY: &str = r#"{
    "request": {"set": [{"name": "x-to", "value": "{{ header(\"x-from\") }}-{{ request_header(\":path\") }}"}]},
    "response": {"set": [{"name": "x-back", "value": "{{ request_header(\"x-from\") }}"}], "remove": ["server"]}
}"#;

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

/// One exchange; says how many bytes the stream held on the heap after its request's headers, and after its response's.
fn held(filter: &Arc<Transformation>) -> [usize; 2] {
    let before = LIVE.get();
    let mut driver = Driver::new(Arc::clone(filter));
    let mut after = |message: Message, lines: &[(&str, &str)]| {
        let mut host = MemoryHost::with_request([("x-from", "a"), (":path", "/"), (":method", "GET")]);
        let lines = lines.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        host.arrive(Fields::ResponseHeaders, lines.collect());
        assert_eq!(driver.on(Event::Headers { message, end: true }, &mut host), Step::Pass);
        let edited = if message == Message::Request { "x-to" } else { "x-back" };
        assert!(host.lines(message.headers()).iter().any(|(name, _)| name == edited));
        drop(host);
        LIVE.get() - before
    };
    [after(Message::Request, &[]), after(Message::Response, &[(":status", "200"), ("server", "s")])]
}

#[test]
fn a_stream_of_a_header_only_transformation_is_small() {
    let filter = Arc::new(compile::<Transformation>(HEADERS_ONLY.as_bytes()).unwrap());
    // What the first stream of a worker makes stays for the others.
    held(&filter);
    let stream = const { Export::of::<Transformation>() }.stream_size();
    for heap in held(&filter) {
        assert!(stream + heap < BUDGET, "{stream} bytes and {heap} on the heap");
    }
}
