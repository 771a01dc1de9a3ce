use std::cell::RefCell;
use std::sync::Arc;

use super::*;
use crate::{ConfigError, Driver, Event, Filter, Flow, Hold, Host, MemoryHost, Message, Response, Step};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Waits for a wake, then answers with what the script supplies.
struct Waiting;

thread_local! {
    static SUPPLIES: RefCell<Vec<Supply>> = const { RefCell::new(Vec::new()) };
}

impl Filter for Waiting {
    const NAME: &'static str = "waiting";
    type Config = ();
    type Stream = Option<Waker>;

    fn compile((): ()) -> Result<Self, ConfigError> {
        Ok(Self)
    }
    fn on_headers(&self, waker: &mut Option<Waker>, host: &mut dyn Host, _: Message, _: bool) -> Flow {
        *waker = host.waker();
        if waker.is_some() { Flow::AwaitReply } else { Flow::Continue }
    }
    fn on_wake(&self, _: &mut Option<Waker>, _: &mut dyn Host) -> Flow {
        let fields = vec![("content-length".to_owned(), b"4".to_vec())];
        Flow::Open(Opening { status: 200, fields, ..Opening::default() })
    }
    fn on_room(&self, _: &mut Option<Waker>, _: &mut dyn Host) -> Supply {
        SUPPLIES.with_borrow_mut(|supplies| supplies.remove(0))
    }
}

const REQUEST: Event<'static> = Event::Headers { message: Message::Request, end: true };

fn data(text: &str, end: bool) -> Supply {
    let bytes: Arc<[u8]> = format!("<{text}>").into_bytes().into();
    let place = 1..1 + text.len();
    Supply::Data { pieces: vec![Piece::new(bytes, place)], end }
}

fn begun(supplies: Vec<Supply>) -> (Driver<Waiting>, MemoryHost, Step) {
    SUPPLIES.set(supplies);
    let (mut driver, mut host) =
        (Driver::new(Arc::new(Waiting)), MemoryHost::with_request([(":method", "GET")]));
    assert_eq!(driver.on(REQUEST, &mut host), Step::Stop(Hold::Stream));
    let step = driver.on(Event::Woken, &mut host);
    (driver, host, step)
}

fn sent(step: &Step) -> (Vec<u8>, bool) {
    match step {
        Step::Send { pieces, end } => (pieces.iter().flat_map(|piece| piece.to_vec()).collect(), *end),
        step => panic!("{step:?}"),
    }
}

#[test]
fn a_held_request_is_answered_piece_by_piece_once_it_is_woken() {
    let (mut driver, mut host, step) = begun(vec![data("ab", false), Supply::Wait, data("cd", true)]);
    assert!(matches!(step, Step::Open(Opening { status: 200, end: false, .. })));
    assert_eq!(sent(&driver.on(Event::Room, &mut host)), (b"ab".to_vec(), false));
    assert_eq!(driver.on(Event::Room, &mut host), Step::Stop(Hold::Stream));
    assert_eq!(sent(&driver.on(Event::Woken, &mut host)), (b"cd".to_vec(), true));
    assert_eq!(driver.on(Event::Woken, &mut host), Step::Pass);
    assert_eq!(driver.on(Event::Room, &mut host), Step::Pass);
}

#[test]
fn what_does_not_come_ends_the_answer_for_good() {
    let (mut driver, mut host, _) = begun(vec![data("ab", false), Supply::Reset]);
    driver.on(Event::Room, &mut host);
    assert_eq!(driver.on(Event::Room, &mut host), Step::Reset);
    assert_eq!(driver.on(Event::Room, &mut host), Step::Pass);
}

#[test]
fn a_host_may_send_an_answer_in_one_piece() {
    let (mut driver, mut host, step) = begun(vec![data("ab", false), data("cd", true)]);
    let step = driver.at_once(step, &mut host);
    assert_eq!(step, Step::Respond(Response { status: 200, body: b"abcd".to_vec(), ..Response::default() }));
    let (mut driver, mut host, step) = begun(vec![data("ab", false), Supply::Wait]);
    assert_eq!(driver.at_once(step, &mut host), Step::Reset);
}

#[test]
fn a_wake_is_nothing_to_who_waits_for_nothing() {
    let (mut driver, mut host) = (Driver::new(Arc::new(Waiting)), MemoryHost::default());
    host.wakes = None;
    assert_eq!(driver.on(REQUEST, &mut host), Step::Pass);
    assert_eq!(driver.on(Event::Woken, &mut host), Step::Pass);
}

#[test]
fn a_piece_is_cut_to_what_there_is() {
    let bytes: Arc<[u8]> = b"abc".as_slice().into();
    assert_eq!(&*Piece::new(Arc::clone(&bytes), 1..9), b"bc");
    assert_eq!(&*Piece::new(bytes, 7..9), b"");
}
