//! Answers given piece by piece, and wakes.

use ferrule_kit::{Opening, Piece, Waker};

use super::*;

fn piece(text: &str) -> Piece {
    Piece::new(text.as_bytes().into(), 0..text.len())
}

fn data(pieces: &[&str], end: bool) -> Supply {
    Supply::Data { pieces: pieces.iter().map(|text| piece(text)).collect(), end }
}

fn opening(end: bool) -> Flow {
    let fields = vec![("x-a".to_owned(), b"1".to_vec())];
    Flow::Open(Opening { status: 200, fields, end, details: "d".into() })
}

fn supply(supplies: Vec<Supply>) {
    SUPPLIES.set(supplies);
}

fn answering(supplies: Vec<Supply>) -> Stream {
    supply(supplies);
    stream(|_, _| opening(false))
}

#[test]
fn an_answer_goes_out_piece_by_piece_and_the_request_nowhere() {
    let stream = answering(vec![data(&["ab", "cd"], false), data(&["ef", "gh"], true)]);
    assert_eq!(stream.headers(REQUEST, false), HeadersStatus::StopIteration);
    let sent = ["open 200 1 false", "send ab false", "send cd false", "send ef false", "send gh true"];
    assert_eq!(asked(), sent);
    assert_eq!(stream.data(REQUEST, true), DataStatus::StopIterationNoBuffer);
    assert_eq!(stream.trailers(REQUEST), TrailersStatus::StopIteration);
    // Envoy shows the answer to the filter that gives it.
    assert_eq!(stream.headers(RESPONSE, false), HeadersStatus::Continue);
    assert_eq!(stream.data(RESPONSE, true), DataStatus::Continue);
    stream.end();
    assert_eq!(told(), ["Request headers false", "room", "room", "done"]);
}

#[test]
fn an_answer_without_a_body_is_its_head() {
    let stream = stream(|_, _| opening(true));
    stream.headers(REQUEST, true);
    assert_eq!(asked(), ["open 200 1 true"]);
    stream.end();
}

#[test]
fn an_end_without_bytes_is_sent_as_such() {
    let stream = answering(vec![data(&["ab"], false), data(&[], true)]);
    stream.headers(REQUEST, true);
    assert_eq!(asked(), ["open 200 1 false", "send ab false", "send  true"]);
    stream.end();
}

#[test]
fn a_client_that_has_enough_is_waited_for() {
    let stream = answering(vec![data(&["ab"], false), data(&["cd"], true)]);
    stream.full();
    stream.headers(REQUEST, true);
    assert_eq!(asked(), ["open 200 1 false"]);
    stream.scheduled();
    assert_eq!(asked(), [""; 0]);
    stream.room();
    assert_eq!(asked(), ["schedule 0"], "nothing is sent from the hook itself");
    stream.scheduled();
    assert_eq!(asked(), ["send ab false", "send cd true"]);
    stream.room();
    assert_eq!(asked(), [""; 0]);
    stream.end();
}

#[test]
fn a_client_may_have_enough_while_it_is_sent_something() {
    let stream = answering(vec![data(&["ab"], false), data(&["cd"], true)]);
    reenter(move || {
        stream.full();
        stream.room();
        assert_eq!(asked(), ["open 200 1 false", "schedule 0"]);
    });
    stream.headers(REQUEST, true);
    assert_eq!(asked(), ["send ab false", "send cd true"]);
    stream.scheduled();
    assert_eq!(asked(), [""; 0]);
    stream.end();
}

#[test]
fn what_is_not_there_yet_is_sent_after_a_wake() {
    let stream = answering(vec![data(&["ab"], false), Supply::Wait, data(&["cd"], true)]);
    stream.headers(REQUEST, true);
    assert_eq!(asked(), ["open 200 1 false", "send ab false"]);
    stream.scheduled();
    assert_eq!(asked(), ["send cd true"]);
    stream.end();
}

#[test]
fn what_will_not_come_resets_the_stream() {
    let stream = answering(vec![data(&["ab"], false), Supply::Reset]);
    stream.headers(REQUEST, true);
    assert_eq!(asked(), ["open 200 1 false", "send ab false", "reset ferrule_filter_reset"]);
    stream.scheduled();
    assert_eq!(asked(), [""; 0]);
    stream.end();
}

#[test]
fn a_stream_that_envoy_gives_up_while_it_is_sent_something_is_freed_after_that() {
    let stream_ = answering(vec![data(&["ab", "cd"], false), data(&["ef"], true)]);
    let config = stream_.config;
    reenter(move || stream_.destroy());
    stream_.headers(REQUEST, true);
    assert_eq!(asked(), ["open 200 1 false"]);
    assert_eq!(told(), ["Request headers true", "done"]);
    // SAFETY: its stream is gone.
    unsafe { hooks::config_destroy(config) };
}

#[test]
fn a_held_request_is_answered_or_resumed_once_it_is_woken() {
    for resumes in [false, true] {
        let wakers = Rc::new(RefCell::new(Vec::<Waker>::new()));
        let kept = Rc::clone(&wakers);
        supply(vec![data(&["ab"], true)]);
        let stream = stream(move |what, host| match what {
            "wake" if resumes => Flow::Continue,
            "wake" => opening(false),
            _ => {
                kept.borrow_mut().extend([host.waker().unwrap(), host.waker().unwrap()]);
                Flow::AwaitReply
            }
        });
        assert_eq!(stream.headers(REQUEST, true), HeadersStatus::StopIteration);
        wakers.borrow().iter().for_each(Waker::wake);
        assert_eq!(asked(), ["schedule 0"], "two wakes before it has run are one");
        stream.scheduled();
        let answered = ["open 200 1 false", "send ab true"];
        if resumes {
            assert_eq!(asked(), ["continue request"])
        } else {
            assert_eq!(asked(), answered)
        }
        wakers.borrow()[0].wake();
        assert_eq!(asked(), ["schedule 0"]);
        stream.scheduled();
        assert_eq!(asked(), [""; 0]);
        stream.end();
        wakers.borrow_mut().clear();
        assert_eq!(asked(), ["delete scheduler"]);
    }
}
