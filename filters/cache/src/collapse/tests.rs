use super::*;
use crate::policy::stored::Stored;
use crate::store::codec::{Head, Parts};
use crate::store::{Body, Chunk, Object, Store};

type Known = Flights<&'static str, u32>;
type Fetch = Arc<Flight<&'static str, u32>>;

const NOW: Time = Time(1_000_000);

fn flights() -> Known {
    Flights::new(Patience { waiters: 3, wait_ms: 100, marker_ms: 10_000 }, 4)
}

fn fill(flights: &Known) -> Fetch {
    match flights.join(b"k", Some(0), NOW) {
        Role::Fill(flight) => flight,
        role => panic!("{role:?}"),
    }
}

fn wait(flights: &Known, waker: u32) -> (Fetch, Ticket) {
    match flights.join(b"k", Some(waker), NOW) {
        Role::Wait(flight, ticket) => (flight, ticket),
        role => panic!("{role:?}"),
    }
}

fn object() -> Arc<Object> {
    let store = Store::new(crate::store::Limits::default());
    let stored = Stored {
        status: 200,
        no_cache: false,
        must_revalidate: false,
        response_time: NOW,
        initial_age: 0,
        lifetime: 9,
        date: 0,
        last_modified: None,
        stale_while_revalidate: 0,
        stale_if_error: 0,
    };
    let head = Head::encode(&Parts { key: b"k".to_vec(), ..Parts::default() });
    Arc::new(Object::new(stored, head, Body::EMPTY, store.reserve(10).unwrap()))
}

fn chunk(text: &str) -> Chunk {
    text.as_bytes().into()
}

fn streamed(progress: Progress<&'static str>) -> Vec<u8> {
    match progress {
        Progress::Streaming { chunks, .. } => chunks.concat(),
        progress => panic!("{progress:?}"),
    }
}

#[test]
fn one_fills_and_the_others_wait_and_read_along() {
    let flights = flights();
    let flight = fill(&flights);
    let ((first, a), (second, b)) = (wait(&flights, 1), wait(&flights, 2));
    assert!(matches!(first.look(a, NOW), Progress::Pending));
    assert_eq!(flight.stream(Arc::new("head"), NOW), [1, 2]);
    assert_eq!(streamed(first.look(a, NOW)), b"");
    assert!(matches!(first.look(a, NOW), Progress::Pending));
    // Who was woken and has not looked yet need not be woken again.
    assert_eq!(flight.push(chunk("ab")), [1]);
    assert_eq!(streamed(first.look(a, NOW)), b"ab");
    assert!(matches!(first.look(a, NOW), Progress::Pending));
    assert_eq!(flight.push(chunk("cd")), [1]);
    assert_eq!(streamed(first.look(a, NOW)), b"cd");
    assert_eq!(streamed(second.look(b, NOW)), b"abcd");
    assert!(
        matches!(first.look(a, NOW), Progress::Pending) && matches!(second.look(b, NOW), Progress::Pending)
    );
    flights.land(&flight);
    assert_eq!(flight.complete(object()), [1, 2]);
    assert!(matches!(first.look(a, NOW), Progress::Landed(_)));
    assert!(flights.is_empty());
}

#[test]
fn who_comes_late_reads_from_the_beginning() {
    let flights = flights();
    let flight = fill(&flights);
    let _ = flight.stream(Arc::new("head"), NOW);
    let _ = flight.push(chunk("ab"));
    let (late, ticket) = wait(&flights, 1);
    assert_eq!(streamed(late.look(ticket, NOW)), b"ab");
}

#[test]
fn the_longest_waiting_takes_over_and_the_next_where_that_leaves_too() {
    let flights = flights();
    let flight = fill(&flights);
    let ((_, a), (_, b), (_, c)) = (wait(&flights, 1), wait(&flights, 2), wait(&flights, 3));
    assert_eq!(flights.abandon(&flight), [1]);
    assert!(matches!(flight.look(b, NOW), Progress::Pending));
    assert_eq!(flights.leave(&flight, a), Some(2));
    assert!(matches!(flight.look(c, NOW), Progress::Pending));
    assert!(matches!(flight.look(b, NOW), Progress::TakeOver));
    assert_eq!((flight.waiters(), flights.leave(&flight, b)), (1, None));
    assert_eq!(flight.stream(Arc::new("head"), NOW), [3]);
}

#[test]
fn without_waiters_an_abandoned_flight_is_over() {
    let flights = flights();
    let flight = fill(&flights);
    assert_eq!(flights.abandon(&flight), [0; 0]);
    assert!(flights.is_empty());
    fill(&flights);
}

#[test]
fn a_flight_that_breaks_off_cuts_off_those_alone_who_have_begun() {
    let flights = flights();
    let flight = fill(&flights);
    let ((_, a), (_, b)) = (wait(&flights, 1), wait(&flights, 2));
    let _ = flight.stream(Arc::new("head"), NOW);
    assert_eq!(streamed(flight.look(a, NOW)), b"");
    assert!(matches!(flight.look(a, NOW), Progress::Pending));
    assert_eq!(flights.abandon(&flight), [1]);
    assert!(matches!(flight.look(a, NOW), Progress::Broken));
    assert!(matches!(flight.look(b, NOW), Progress::Alone));
    assert!(flights.is_empty());
}

#[test]
fn what_cannot_be_stored_releases_all_and_leaves_a_marker() {
    let flights = flights();
    let flight = fill(&flights);
    let (_, a) = wait(&flights, 1);
    assert_eq!(flights.release(&flight, NOW), [1]);
    assert!(matches!(flight.look(a, NOW), Progress::Alone));
    assert!(matches!(flights.join(b"k", Some(2), NOW), Role::Apart));
    assert!(matches!(flights.join(b"other", Some(2), NOW), Role::Fill(_)));
    assert!(matches!(flights.join(b"k", Some(2), Time(NOW.0 + 20_000)), Role::Fill(_)));
    let flight = match flights.join(b"m", None, NOW) {
        Role::Fill(flight) => flight,
        role => panic!("{role:?}"),
    };
    let _ = flights.release(&flight, NOW);
    flights.unmark(b"m");
    assert!(matches!(flights.join(b"m", None, NOW), Role::Fill(_)));
}

#[test]
fn waiters_are_bounded_in_number_and_time() {
    let flights = flights();
    let flight = fill(&flights);
    let tickets = [1, 2, 3].map(|waker| wait(&flights, waker).1);
    assert!(matches!(flights.join(b"k", Some(4), NOW), Role::Apart));
    assert!(matches!(flights.join(b"k", None, NOW), Role::Busy));
    assert!(matches!(flight.look(tickets[0], Time(NOW.0 + 99)), Progress::Pending));
    assert!(matches!(flight.look(tickets[0], Time(NOW.0 + 100)), Progress::Alone));
    // A clock that was set back does not keep anyone waiting.
    assert!(matches!(flight.look(tickets[1], Time(NOW.0 - 1)), Progress::Alone));
    for ticket in tickets {
        assert_eq!(flights.leave(&flight, ticket), None);
    }
    // Nor does anyone begin to wait for what others have waited for in vain.
    assert!(matches!(flights.join(b"k", Some(4), Time(NOW.0 + 100)), Role::Apart));
    assert_eq!(flights.abandon(&flight), [0; 0]);
    assert!(flights.is_empty());
}

#[test]
fn where_the_last_heir_leaves_the_flight_is_over() {
    let flights = flights();
    let flight = fill(&flights);
    let ((_, a), (_, b)) = (wait(&flights, 1), wait(&flights, 2));
    assert_eq!(flights.abandon(&flight), [1]);
    assert_eq!(flights.leave(&flight, a), Some(2));
    assert_eq!(flights.leave(&flight, b), None);
    assert!(flights.is_empty() && !flights.is_under_way(b"k", NOW));
    fill(&flights);
}

#[test]
fn a_purge_parts_later_requests_from_a_flight_and_not_those_who_read_it() {
    let flights = flights();
    let about = |url: &'static [u8]| {
        flights.detach(Some(url), |key, _| crate::policy::key::is_of_url(key, url));
    };
    let first = fill(&flights);
    let (_, a) = wait(&flights, 1);
    let _ = first.stream(Arc::new("head"), NOW);
    about(b"other");
    assert!(flights.is_under_way(b"k", NOW));
    about(b"k");
    let second = fill(&flights);
    assert!(!Arc::ptr_eq(&first, &second));
    assert_eq!(streamed(first.look(a, NOW)), b"");
    flights.detach(None, |_, head| head.is_some());
    assert!(flights.is_under_way(b"k", NOW), "no head yet");
    flights.detach(None, |_, head| head.is_none());
    assert!(flights.is_empty());
}

#[test]
fn no_one_joins_a_flight_that_does_not_get_on() {
    let flights = flights();
    let first = fill(&flights);
    let _ = first.stream(Arc::new("head"), NOW);
    let _ = first.push(chunk("ab"));
    let later = |ms: u64| flights.join(b"k", Some(1), Time(NOW.0 + ms));
    assert!(matches!(later(100), Role::Wait(..)));
    let _ = first.push(chunk("cd"));
    assert!(matches!(later(150), Role::Wait(..)));
    assert!(matches!(later(249), Role::Wait(..)));
    assert!(matches!(later(250), Role::Fill(second) if !Arc::ptr_eq(&first, &second)));
}

#[test]
fn a_landed_flight_does_not_take_its_successor_down() {
    let flights = flights();
    let first = fill(&flights);
    flights.land(&first);
    let second = fill(&flights);
    flights.land(&first);
    assert!(flights.is_under_way(b"k", NOW));
    flights.land(&second);
    assert!(flights.is_empty());
}

#[test]
fn a_fetch_that_was_lost_does_not_stand_in_the_way_for_ever() {
    let flights = flights();
    let lost = fill(&flights);
    let at = |ms: u64| Time(NOW.0 + ms);
    assert!(flights.is_under_way(b"k", at(59_999)));
    assert!(matches!(flights.join(b"k", Some(1), at(59_999)), Role::Apart));
    assert!(!flights.is_under_way(b"k", at(60_000)));
    assert!(matches!(flights.join(b"k", Some(1), at(60_000)), Role::Fill(_)));
    assert_eq!(flights.abandon(&lost), [0; 0]);
    assert!(flights.is_under_way(b"k", at(60_000)));
}

/// Many threads, one key at a time: each round has one fetch, and everyone gets its bytes.
#[test]
fn threads_share_one_fetch() {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const THREADS: usize = 8;
    let (barrier, fetches) = (Barrier::new(THREADS), AtomicUsize::new(0));
    let flights: Flights<&str, usize> = Flights::new(Patience::default(), 4);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (flights, barrier, fetches) = (&flights, &barrier, &fetches);
            scope.spawn(move || {
                for round in 0..200u32 {
                    let key = round.to_le_bytes();
                    barrier.wait();
                    let role = flights.join(&key, Some(thread), NOW);
                    barrier.wait();
                    match role {
                        Role::Fill(flight) => {
                            fetches.fetch_add(1, Ordering::Relaxed);
                            let _ = flight.stream(Arc::new("head"), NOW);
                            for n in 0..50u8 {
                                let _ = flight.push(Chunk::from(vec![n]));
                            }
                            barrier.wait();
                            flights.land(&flight);
                        }
                        Role::Wait(flight, ticket) => {
                            let mut read = Vec::new();
                            while read.len() < 50 {
                                match flight.look(ticket, NOW) {
                                    Progress::Streaming { chunks, .. } => read.extend(chunks.concat()),
                                    Progress::Pending => std::thread::yield_now(),
                                    progress => panic!("{progress:?}"),
                                }
                            }
                            assert_eq!(read, (0..50).collect::<Vec<u8>>());
                            barrier.wait();
                        }
                        role => panic!("{role:?}"),
                    }
                }
            });
        }
    });
    assert_eq!(fetches.load(Ordering::Relaxed), 200);
}
