//! Random sequences of requests for ranges, some of which break off, against a plain model: which bytes of which version are there.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ferrule_cache::Cache;
use ferrule_kit::{Driver, Event, Fields, Host, MemoryHost, Message, Step, compile};
use proptest::prelude::*;

const LIFETIME: u64 = 20;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
enum Want {
    Whole,
    From(usize),
    Between(usize, usize),
    Last(usize),
}

#[derive(Clone, Copy, Debug)]
enum IfRange {
    No,
    Current,
    Other,
}

#[derive(Clone, Debug)]
struct Turn {
    after: u64,
    want: Want,
    if_range: IfRange,
    /// The representation has changed; it has that many bytes now.
    changes: Option<usize>,
    /// The exchange breaks off after so many bytes.
    breaks: Option<usize>,
}

/// Bytes of one version, told by its tag.
#[derive(Clone, Debug)]
struct Version {
    tag: u32,
    bytes: Vec<u8>,
}

impl Version {
    fn new(tag: u32, length: usize) -> Self {
        let byte = |place: usize| b'!' + ((place as u32 * 7 + tag * 31) % 90) as u8;
        Self { tag, bytes: (0..length).map(byte).collect() }
    }

    fn etag(&self) -> String {
        format!("\"{}\"", self.tag)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Store { status: u16, body: Vec<u8> },
    Validated { status: u16, body: Vec<u8> },
    Origin { status: u16, body: Vec<u8>, ranged: bool },
}

/// RFC 9110 §14.1.2: the bytes asked for; an error where there are none.
fn cut(want: Want, length: usize) -> Result<(usize, usize), ()> {
    match want {
        Want::Whole => Ok((0, length)),
        Want::From(first) if first < length => Ok((first, length)),
        Want::Between(first, last) if first < length => Ok((first, (last + 1).min(length))),
        Want::Last(count) if count > 0 => Ok((length.saturating_sub(count), length)),
        _ => Err(()),
    }
}

fn range(want: Want) -> Option<String> {
    match want {
        Want::Whole => None,
        Want::From(first) => Some(format!("bytes={first}-")),
        Want::Between(first, last) => Some(format!("bytes={first}-{last}")),
        Want::Last(count) => Some(format!("bytes=-{count}")),
    }
}

/// Status and bytes of an honest answer.
fn answer(version: &Version, want: Want, is_ranged: bool) -> (u16, usize, usize) {
    match cut(want, version.bytes.len()) {
        _ if !is_ranged => (200, 0, version.bytes.len()),
        Ok((first, end)) => (206, first, end),
        Err(()) => (416, 0, 0),
    }
}

/// The cache: which bytes are there, and since when.
#[derive(Default)]
struct Model {
    entry: Option<(Version, Vec<bool>, u64)>,
}

impl Model {
    fn play(&mut self, now: u64, turn: &Turn, origin: &Version) -> Outcome {
        let ranged = !matches!(turn.want, Want::Whole);
        let if_range_holds = |version: &Version| match turn.if_range {
            IfRange::No => true,
            IfRange::Current => version.tag == origin.tag,
            IfRange::Other => false,
        };
        let Some((version, has, came)) = &mut self.entry else {
            return self.fetch(now, turn, origin, ranged, ranged && if_range_holds(origin));
        };
        let is_whole = has.iter().all(|has| *has);
        let counts = ranged && if_range_holds(version);
        let covered = counts
            && cut(turn.want, has.len()).is_ok_and(|(first, end)| has[first..end].iter().all(|has| *has));
        if !is_whole && !covered {
            return self.fetch(now, turn, origin, ranged, ranged && if_range_holds(origin));
        }
        let (status, first, end) = answer(version, turn.want, counts);
        let body = version.bytes[first..end].to_vec();
        if now - *came < LIFETIME {
            return Outcome::Store { status, body };
        }
        if version.tag == origin.tag {
            *came = now;
            return Outcome::Validated { status, body };
        }
        // What is whole is asked about without the range.
        let ranged = ranged && !is_whole;
        self.fetch(now, turn, origin, ranged, ranged && if_range_holds(origin))
    }

    /// `counts` says whether the origin cuts the range that it is sent.
    fn fetch(&mut self, now: u64, turn: &Turn, origin: &Version, ranged: bool, counts: bool) -> Outcome {
        let (status, first, end) = answer(origin, turn.want, counts);
        let sent = turn.breaks.unwrap_or(usize::MAX).min(end - first);
        let body = origin.bytes[first..first + sent].to_vec();
        if status != 416 && sent > 0 {
            let same = self
                .entry
                .take()
                .filter(|(version, ..)| version.tag == origin.tag && (status == 206 || sent < end));
            let mut has = same.map_or_else(|| vec![false; origin.bytes.len()], |(_, has, _)| has);
            has[first..first + sent].fill(true);
            self.entry = Some((origin.clone(), has, now));
        }
        Outcome::Origin { status, body, ranged }
    }
}

fn request(turn: &Turn, origin: &Version) -> Vec<(String, Vec<u8>)> {
    let mut lines = vec![
        (":method", "GET".to_owned()),
        (":path", "/".to_owned()),
        (":authority", "a.example".to_owned()),
        (":scheme", "http".to_owned()),
    ];
    lines.extend(range(turn.want).map(|range| ("range", range)));
    match turn.if_range {
        IfRange::Current => lines.push(("if-range", origin.etag())),
        IfRange::Other => lines.push(("if-range", "\"other\"".to_owned())),
        IfRange::No => {}
    }
    lines.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect()
}

fn text(host: &MemoryHost, fields: Fields, name: &str) -> Option<String> {
    host.field(fields, name).map(|value| String::from_utf8(value.into_owned()).unwrap())
}

fn status(host: &MemoryHost) -> u16 {
    text(host, Fields::ResponseHeaders, ":status").unwrap().parse().unwrap()
}

/// Plays one turn through the filter.
fn play(cache: &Arc<Cache>, now: u64, turn: &Turn, origin: &Version) -> Outcome {
    let mut host = MemoryHost::with_request(request(turn, origin));
    host.clock = UNIX_EPOCH + Duration::from_secs(now);
    let mut driver = Driver::new(Arc::clone(cache));
    match driver.on(Event::Headers { message: Message::Request, end: true }, &mut host) {
        Step::Pass => {}
        Step::Open(opening) => {
            let body = if opening.end { Vec::new() } else { read(&mut driver, &mut host) };
            return Outcome::Store { status: opening.status, body };
        }
        step => panic!("{step:?}"),
    }
    let sent = |name| text(&host, Fields::RequestHeaders, name);
    let ranged = sent("range").is_some();
    assert!(!ranged || sent("range") == range(turn.want));
    let counts = ranged && sent("if-range").is_none_or(|tag| tag == origin.etag());
    let confirms = sent("if-none-match").is_some_and(|tags| tags == origin.etag());
    let (code, first, end) = if confirms { (304, 0, 0) } else { answer(origin, turn.want, counts) };
    host.arrive(Fields::ResponseHeaders, response(origin, code, first, end));
    let step = driver.on(Event::Headers { message: Message::Response, end: first == end }, &mut host);
    match step {
        Step::Respond(response) => {
            return Outcome::Validated { status: response.status, body: response.body };
        }
        Step::Pass if confirms => {
            return Outcome::Validated { status: status(&host), body: host.body(Message::Response).concat() };
        }
        Step::Pass => assert_eq!(status(&host), code),
        step => panic!("{step:?}"),
    }
    let length = turn.breaks.unwrap_or(usize::MAX).min(end - first);
    let body = origin.bytes[first..first + length].to_vec();
    if first < end {
        host.push_body(Message::Response, body.clone());
        driver.on(Event::Data { message: Message::Response, end: first + length == end }, &mut host);
    }
    driver.on(Event::Done, &mut host);
    Outcome::Origin { status: code, body, ranged }
}

fn read(driver: &mut Driver<Cache>, host: &mut MemoryHost) -> Vec<u8> {
    let Step::Send { pieces, end: true } = driver.on(Event::Room, host) else { panic!("not at once") };
    pieces.iter().flat_map(|piece| piece.to_vec()).collect()
}

fn response(origin: &Version, status: u16, first: usize, end: usize) -> Vec<(String, Vec<u8>)> {
    let complete = origin.bytes.len();
    let mut lines = vec![
        (":status", status.to_string()),
        ("etag", origin.etag()),
        ("cache-control", format!("max-age={LIFETIME}")),
    ];
    match status {
        206 => lines.push(("content-range", format!("bytes {first}-{}/{complete}", end - 1))),
        416 => lines.push(("content-range", format!("bytes */{complete}"))),
        _ => {}
    }
    if matches!(status, 200 | 206) {
        lines.push(("content-length", (end - first).to_string()));
    }
    lines.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect()
}

/// Fewer bytes than twice the runs that are kept, so that none goes for want of a place.
const MOST: usize = 31;

fn want() -> impl Strategy<Value = Want> {
    prop_oneof![
        2 => Just(Want::Whole),
        2 => (0..MOST + 3).prop_map(Want::From),
        6 => (0..MOST + 3, 0..12usize).prop_map(|(first, more)| Want::Between(first, first + more)),
        2 => (0..MOST + 3).prop_map(Want::Last),
    ]
}

fn turn() -> impl Strategy<Value = Turn> {
    let if_range =
        prop_oneof![8 => Just(IfRange::No), 3 => Just(IfRange::Current), 1 => Just(IfRange::Other)];
    let breaks = prop::option::weighted(0.25, 0..MOST);
    (0..8u64, want(), if_range, prop::option::weighted(0.08, 1..MOST), breaks)
        .prop_map(|(after, want, if_range, changes, breaks)| Turn { after, want, if_range, changes, breaks })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_byte_is_of_the_version_that_the_answer_is_about(turns in prop::collection::vec(turn(), 1..40)) {
        let cache = Arc::new(compile::<Cache>(b"{}").unwrap());
        let mut model = Model::default();
        let mut origin = Version::new(0, 20);
        let mut now = 1_700_000_000;
        for (place, turn) in turns.iter().enumerate() {
            now += turn.after;
            if let Some(length) = turn.changes {
                origin = Version::new(origin.tag + 1, length);
            }
            let outcome = play(&cache, now, turn, &origin);
            let expected = model.play(now, turn, &origin);
            prop_assert_eq!(outcome, expected, "turn {}", place);
        }
    }
}

/// Sends a request on its way to the origin.
fn begin(cache: &Arc<Cache>, turn: &Turn, origin: &Version) -> (Driver<Cache>, MemoryHost) {
    let mut host = MemoryHost::with_request(request(turn, origin));
    let mut driver = Driver::new(Arc::clone(cache));
    assert_eq!(driver.on(Event::Headers { message: Message::Request, end: true }, &mut host), Step::Pass);
    (driver, host)
}

fn end(
    driver: &mut Driver<Cache>,
    host: &mut MemoryHost,
    origin: &Version,
    status: u16,
    first: usize,
    end: usize,
) {
    host.arrive(Fields::ResponseHeaders, response(origin, status, first, end));
    driver.on(Event::Headers { message: Message::Response, end: false }, host);
    host.push_body(Message::Response, origin.bytes[first..end].to_vec());
    driver.on(Event::Data { message: Message::Response, end: true }, host);
}

#[test]
fn a_part_that_comes_after_the_whole_takes_nothing_from_it() {
    let cache = Arc::new(compile::<Cache>(b"{}").unwrap());
    let origin = Version::new(0, 20);
    let turn = |want| Turn { after: 0, want, if_range: IfRange::No, changes: None, breaks: None };
    let (mut part, mut part_host) = begin(&cache, &turn(Want::Between(3, 5)), &origin);
    let (mut whole, mut whole_host) = begin(&cache, &turn(Want::Whole), &origin);
    end(&mut whole, &mut whole_host, &origin, 200, 0, 20);
    end(&mut part, &mut part_host, &origin, 206, 3, 6);
    let now = part_host.clock.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let outcome = play(&cache, now, &turn(Want::Whole), &origin);
    assert_eq!(outcome, Outcome::Store { status: 200, body: origin.bytes.clone() });
}
