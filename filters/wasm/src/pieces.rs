//! Chunks of a body in pieces that are worth a call to Envoy each.

/// Bytes of a piece that is worth it. Envoy makes room for a piece in one go, and for this many it finds room where it has let
/// go of others.
const PIECE: usize = 64 * 1024;

/// Gives the bytes of all chunks in order, small chunks copied together, large ones in parts.
pub fn each(chunks: &[&[u8]], mut give: impl FnMut(&[u8])) {
    if let [only] = chunks
        && only.len() <= PIECE
    {
        return give(only);
    }
    let mut gathered = Vec::new();
    for chunk in chunks {
        if !gathered.is_empty() && gathered.len() + chunk.len() > PIECE {
            give(&gathered);
            gathered.clear();
        }
        match chunk.len() {
            ..PIECE => gathered.extend_from_slice(chunk),
            PIECE.. => chunk.chunks(PIECE).for_each(&mut give),
        }
    }
    if !gathered.is_empty() {
        give(&gathered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(chunks: &[&[u8]]) -> Vec<usize> {
        let (mut lengths, mut whole) = (Vec::new(), Vec::new());
        each(chunks, |piece| {
            lengths.push(piece.len());
            whole.extend_from_slice(piece);
        });
        assert!(whole == chunks.concat());
        lengths
    }

    #[test]
    fn small_chunks_are_gathered_and_large_ones_parted() {
        let (small, large) = ([b's'; 30_000], [b'l'; 2 * PIECE + 1]);
        assert_eq!(lengths(&[&small, b"", &small, &small]), [60_000, 30_000]);
        assert_eq!(lengths(&[b"before", &large, b"after"]), [6, PIECE, PIECE, 1, 5]);
        assert_eq!(lengths(&[&large]), [PIECE, PIECE, 1]);
    }

    #[test]
    fn one_chunk_is_one_piece_be_it_empty() {
        assert_eq!((lengths(&[b""]), lengths(&[b"small"])), (vec![0], vec![5]));
        assert_eq!((lengths(&[]), lengths(&[b"", b""])), (vec![], vec![]));
    }
}
