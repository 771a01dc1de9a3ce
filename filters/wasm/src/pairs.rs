//! Field lines in the form of the proxy-wasm ABI: their number, the lengths of each name and value, then each name and
//! value with a zero after it. Numbers have four bytes, the little end first.
//!
//! Invariant: bytes that are not of this form read as fewer lines; none make this panic.

/// Bytes of a number.
const NUMBER: usize = 4;

/// The lines of a section in order.
pub fn read(form: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let count = number(form, 0).unwrap_or_default();
    let head = count.saturating_mul(2).saturating_add(1).saturating_mul(NUMBER);
    let mut rest = form.get(head..).unwrap_or_default();
    (0..count).map_while(move |line| {
        let name = take(&mut rest, number(form, 1 + 2 * line)?)?;
        let value = take(&mut rest, number(form, 2 + 2 * line)?)?;
        Some((name, value))
    })
}

/// Writes lines in that form.
pub fn write<N: AsRef<[u8]>, V: AsRef<[u8]>>(lines: &[(N, V)]) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let mut form = number(lines.len()).to_vec();
    for (name, value) in lines {
        form.extend(number(name.as_ref().len()));
        form.extend(number(value.as_ref().len()));
    }
    for (name, value) in lines {
        form.extend_from_slice(name.as_ref());
        form.push(0);
        form.extend_from_slice(value.as_ref());
        form.push(0);
    }
    form
}

fn number(form: &[u8], index: usize) -> Option<usize> {
    let bytes = form.get(NUMBER.checked_mul(index)?..)?.first_chunk()?;
    usize::try_from(u32::from_le_bytes(*bytes)).ok()
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after.get(1..)?;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [(&[u8], &[u8]); 3] = [(b":path", b"/"), (b"x-empty", b""), (b"x-bytes", b"\xff\0a")];

    #[test]
    fn what_is_written_reads_the_same() {
        let form = write(&LINES);
        assert_eq!(read(&form).collect::<Vec<_>>(), LINES);
        assert_eq!(read(&write::<&str, &str>(&[])).count(), 0);
        assert_eq!(&form[..8], [3, 0, 0, 0, 5, 0, 0, 0]);
    }

    #[test]
    fn malformed_bytes_read_as_fewer_lines() {
        let whole = write(&LINES);
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).count() < LINES.len(), "{length}");
        }
        assert_eq!(read(&[0xff; 64]).count(), 0);
    }
}
