//! Frames of `application/vnd.amazon.eventstream`, as Lambda sends them, for all tests that need some.

/// A piece of a result.
pub(crate) fn chunk(payload: &[u8]) -> Vec<u8> {
    event("PayloadChunk", "application/octet-stream", payload)
}

/// A function's end.
pub(crate) fn complete(payload: &[u8]) -> Vec<u8> {
    event("InvokeComplete", "application/json", payload)
}

fn event(kind: &str, media_type: &str, payload: &[u8]) -> Vec<u8> {
    frame(&[(":event-type", kind), (":content-type", media_type), (":message-type", "event")], payload)
}

/// A frame with headers of text.
pub(crate) fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut section = Vec::new();
    for (name, value) in headers {
        section.push(name.len() as u8);
        section.extend_from_slice(name.as_bytes());
        section.push(7);
        section.extend_from_slice(&(value.len() as u16).to_be_bytes());
        section.extend_from_slice(value.as_bytes());
    }
    let total = (16 + section.len() + payload.len()) as u32;
    let mut frame = [total.to_be_bytes(), (section.len() as u32).to_be_bytes()].concat();
    frame.extend_from_slice(&crc32(&frame).to_be_bytes());
    frame.extend_from_slice(&section);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&crc32(&frame).to_be_bytes());
    frame
}

/// CRC-32 as of IEEE 802.3, bit by bit: nothing of the filter's own, which it is to be held against.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg()))
    };
    !bytes.iter().fold(u32::MAX, step)
}
