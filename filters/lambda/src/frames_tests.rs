#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

/// A frame with text headers.
pub(crate) fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut section = Vec::new();
    for (name, value) in headers {
        section.push(name.len() as u8);
        section.extend_from_slice(name.as_bytes());
        section.push(7);
        section.extend_from_slice(&(value.len() as u16).to_be_bytes());
        section.extend_from_slice(value.as_bytes());
    }
    let total = (PRELUDE + section.len() + payload.len() + CHECKSUM) as u32;
    let mut frame = [total.to_be_bytes(), (section.len() as u32).to_be_bytes()].concat();
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(&section);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame
}

pub(crate) fn chunk(payload: &[u8]) -> Vec<u8> {
    frame(
        &[
            (":event-type", "PayloadChunk"),
            (":content-type", "application/octet-stream"),
            (":message-type", "event"),
        ],
        payload,
    )
}

pub(crate) fn complete(payload: &[u8]) -> Vec<u8> {
    frame(&[(":event-type", "InvokeComplete"), (":message-type", "event")], payload)
}

#[test]
fn frames_are_read_whatever_pieces_they_come_in() {
    let stream = [
        chunk(b"ab\0"),
        chunk(b""),
        complete(b"{}"),
        frame(&[(":exception-type", "X"), (":message-type", "exception")], b""),
        frame(&[(":event-type", "New")], b"x"),
    ]
    .concat();
    for size in 1..stream.len() {
        let (mut frames, mut seen) = (Frames::default(), Vec::new());
        for piece in stream.chunks(size) {
            frames.push(piece);
            while let Some(event) = frames.next_event().unwrap() {
                seen.push(format!("{event:?}"));
            }
        }
        let wanted = [
            Event::Chunk(b"ab\0"),
            Event::Chunk(b""),
            Event::Complete(b"{}"),
            Event::Exception { name: "X", payload: b"" },
            Event::Other,
        ];
        assert_eq!(seen, wanted.map(|event| format!("{event:?}")), "{size}");
        assert_eq!(frames.end(), Ok(()));
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let whole = chunk(b"payload");
    for bit in 0..whole.len() * 8 {
        let mut frame = whole.clone();
        frame[bit / 8] ^= 1 << (bit % 8);
        let mut frames = Frames::default();
        frames.push(&frame);
        let read = frames.next_event().map(|event| event.is_some());
        assert!(read.is_err() || (read == Ok(false) && frames.end().is_err()), "bit {bit}");
    }
}

#[test]
fn every_cut_is_found() {
    let whole = chunk(b"payload");
    for length in 1..whole.len() {
        let mut frames = Frames::default();
        frames.push(&whole[..length]);
        assert_eq!(frames.next_event(), Ok(None));
        assert_eq!(frames.end(), Err(FrameError::Truncated));
    }
}

#[test]
fn lengths_that_cannot_be_are_refused_at_once() {
    for (total, headers) in [(0_u32, 0_u32), (15, 0), (u32::MAX, 0), (20, 5), (16, u32::MAX)] {
        let mut prelude = [total.to_be_bytes(), headers.to_be_bytes()].concat();
        prelude.extend_from_slice(&crc32fast::hash(&prelude).to_be_bytes());
        let mut frames = Frames::default();
        frames.push(&prelude);
        assert_eq!(frames.next_event(), Err(FrameError::Length), "{total} {headers}");
    }
}

#[test]
fn headers_of_every_type_are_skipped() {
    let mut all = Vec::new();
    for (kind, size) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (8, 8), (9, 16)] {
        all.extend_from_slice(&[1, b'n', kind]);
        all.extend(std::iter::repeat_n(0, size));
    }
    all.extend_from_slice(&[1, b'b', 6, 0, 2, 255, 254]);
    assert!(Names::read(&all).is_ok());
    for wrong in [
        &[1][..],
        &[1, b'n'],
        &[1, b'n', 10],
        &[1, b'n', 4, 0],
        &[1, b'n', 7, 0, 1],
        &[1, b'n', 7, 0, 1, 255],
    ] {
        assert!(Names::read(wrong).is_err(), "{wrong:?}");
    }
}
