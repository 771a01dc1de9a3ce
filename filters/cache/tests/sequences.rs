//! Random sequences of requests, against a plain model of RFC 9111: typed values, no parsing, no shortcuts.

#![allow(clippy::panic, clippy::unwrap_used)]

mod model;

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ferrule_cache::Cache;
use ferrule_kit::{Driver, Event, Fields, Host, MemoryHost, Message, Step, compile};
use model::{Asked, Model, Origin, Outcome, Said, Turn};
use proptest::prelude::*;

/// Plays one turn through the filter.
fn play(cache: &Arc<Cache>, now: u64, turn: &Turn, origin: &mut Origin) -> Outcome {
    let mut host = MemoryHost::with_request(turn.asked.lines());
    host.clock = UNIX_EPOCH + Duration::from_secs(now);
    let mut driver = Driver::new(Arc::clone(cache));
    let step = driver.on(Event::Headers { message: Message::Request, end: true }, &mut host);
    match step {
        Step::Pass => {}
        step => return answered(&mut driver, &mut host, step, false),
    }
    let tags: Vec<u32> = host
        .lines(Fields::RequestHeaders)
        .iter()
        .filter(|(name, _)| name == "if-none-match")
        .flat_map(|(_, value)| {
            String::from_utf8(value.clone())
                .unwrap()
                .split(", ")
                .map(|tag| tag.trim_matches('"').parse().unwrap())
                .collect::<Vec<_>>()
        })
        .collect();
    let (status, said, body) = origin.answer(turn, &tags);
    host.arrive(Fields::ResponseHeaders, said.lines(status));
    let has_body = status != 304;
    let step = driver.on(Event::Headers { message: Message::Response, end: !has_body }, &mut host);
    if step != Step::Pass {
        return answered(&mut driver, &mut host, step, true);
    }
    // The stored response has taken the place of the origin's.
    if host.field(Fields::ResponseHeaders, ":status").unwrap() != status.to_string().as_bytes() {
        return Outcome::Validated { body: number(&host.body(Message::Response).concat()) };
    }
    if has_body {
        host.push_body(Message::Response, body.to_string());
        driver.on(Event::Data { message: Message::Response, end: true }, &mut host);
    }
    Outcome::Origin { status, body, asked_about: !tags.is_empty() }
}

fn answered(driver: &mut Driver<Cache>, host: &mut MemoryHost, step: Step, validated: bool) -> Outcome {
    match step {
        Step::Respond(response) if response.status == 504 => Outcome::GatewayTimeout,
        Step::Respond(response) if validated => Outcome::Validated { body: number(&response.body) },
        Step::Open(_) => match driver.on(Event::Room, host) {
            Step::Send { pieces, end: true } => {
                let body: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
                Outcome::Store { body: number(&body) }
            }
            step => panic!("{step:?}"),
        },
        step => panic!("{step:?}"),
    }
}

fn number(body: &[u8]) -> u32 {
    std::str::from_utf8(body).unwrap().parse().unwrap()
}

fn seconds() -> impl Strategy<Value = Option<u32>> {
    prop::option::weighted(0.3, prop_oneof![Just(0), 1..40u32])
}

fn asked() -> impl Strategy<Value = Asked> {
    let flags = prop::collection::vec(prop::bool::weighted(0.1), 5);
    (0..2u8, 0..2u8, flags, seconds(), seconds(), seconds()).prop_map(
        |(path, variant, flags, max_age, min_fresh, max_stale)| Asked {
            path,
            variant,
            is_put: flags[0],
            no_cache: flags[1],
            no_store: flags[2],
            only_if_cached: flags[3],
            has_authorization: flags[4],
            max_age: max_age.filter(|seconds| seconds % 2 == 0),
            min_fresh: min_fresh.filter(|seconds| seconds % 3 == 0),
            max_stale: max_stale.filter(|seconds| seconds % 2 == 1),
        },
    )
}

fn said() -> impl Strategy<Value = Said> {
    let flags = prop::collection::vec(prop::bool::weighted(0.12), 5);
    let status = prop_oneof![6 => Just(200u16), 1 => Just(404), 1 => Just(302), 1 => Just(503)];
    (
        status,
        flags,
        any::<[bool; 2]>(),
        prop::option::weighted(0.8, 0..60u32),
        seconds(),
        seconds(),
        seconds(),
        seconds(),
    )
        .prop_map(|(status, flags, [has_tag, varies], max_age, s_maxage, swr, sie, age)| Said {
            status,
            no_store: flags[0],
            private: flags[1],
            no_cache: flags[2],
            must_revalidate: flags[3],
            public: flags[4],
            has_tag,
            varies,
            max_age,
            s_maxage: s_maxage.filter(|seconds| seconds % 2 == 0),
            stale_while_revalidate: swr,
            stale_if_error: sie,
            age: age.unwrap_or(0),
            tag: 0,
        })
}

fn turn() -> impl Strategy<Value = Turn> {
    (1..25u64, asked(), said(), prop::bool::weighted(0.3)).prop_map(|(after, asked, said, changes)| Turn {
        after,
        asked,
        said,
        changes,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_cache_does_what_the_model_of_the_rfc_does(turns in prop::collection::vec(turn(), 1..40)) {
        let cache = Arc::new(compile::<Cache>(b"{}").unwrap());
        let (mut model, mut now) = (Model::default(), 1_700_000_000);
        // Each has an origin of its own, so that one's mistake does not become the other's.
        let (mut origin, mut its_origin) = (Origin::default(), Origin::default());
        for (place, turn) in turns.iter().enumerate() {
            now += turn.after;
            let outcome = play(&cache, now, turn, &mut origin);
            let expected = model.play(now, turn, &mut its_origin);
            prop_assert_eq!(outcome, expected, "turn {}", place);
        }
    }
}
