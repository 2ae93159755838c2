//! LZF decompression, as PCD `binary_compressed` uses it.
//!
//! The format: a control byte below 32 announces that many literal bytes plus one. Any other is a
//! back reference: the high three bits are the length minus two (7 means: add the next byte), the
//! low five bits and one more byte are the distance minus one.
//! Invariants: never reads or writes outside its two buffers; output never exceeds `target_bytes`.

/// The longest output of one reference (264 bytes) over its three bytes of input.
pub(crate) const EXPANSION_MAX: u64 = 88;

/// Replaces `target` by the decompressed `source`, which must make exactly `target_bytes`.
///
/// # Errors
/// The offset in `source` and what is wrong there.
pub(crate) fn decompress(
    source: &[u8],
    target_bytes: usize,
    target: &mut Vec<u8>,
) -> Result<(), (usize, &'static str)> {
    target.clear();
    let mut at = 0;
    while at < source.len() {
        let start = at;
        let control = usize::from(source[at]);
        at += 1;
        if control < 32 {
            let literal = source.get(at..at + control + 1);
            let literal = literal.ok_or((start, "a literal run beyond the end"))?;
            at += literal.len();
            if target.len() + literal.len() > target_bytes {
                return Err((start, "more output than announced"));
            }
            target.extend_from_slice(literal);
            continue;
        }
        let mut length = (control >> 5) + 2;
        if length == 9 {
            length += usize::from(*source.get(at).ok_or((start, "a cut reference"))?);
            at += 1;
        }
        let low = usize::from(*source.get(at).ok_or((start, "a cut reference"))?);
        at += 1;
        let distance = (control & 31) << 8 | low;
        let from = target.len().checked_sub(distance + 1);
        let from = from.ok_or((start, "a reference before the first byte"))?;
        if target.len() + length > target_bytes {
            return Err((start, "more output than announced"));
        }
        // The reference may overlap what it writes, which is how LZF repeats: byte by byte.
        for index in from..from + length {
            target.push(target[index]);
        }
    }
    if target.len() < target_bytes {
        return Err((at, "less output than announced"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(source: &[u8], bytes: usize, expect: Result<&[u8], &str>) {
        let mut target = Vec::new();
        let done = decompress(source, bytes, &mut target).map(|()| target.as_slice());
        assert_eq!(done.map_err(|error| error.1), expect);
    }

    #[test]
    fn literals_and_references_are_expanded() {
        check(&[2, b'a', b'b', b'c'], 3, Ok(b"abc"));
        check(&[0, b'a', 0x60, 0], 6, Ok(b"aaaaaa"));
        check(&[1, b'a', b'b', 0x20, 1], 5, Ok(b"ababa"));
        check(&[0, b'a', 0xE0, 2, 0], 12, Ok(b"aaaaaaaaaaaa"));
    }

    #[test]
    fn broken_streams_are_refused() {
        check(&[5, b'a'], 6, Err("a literal run beyond the end"));
        check(&[0, b'a', 0x20], 4, Err("a cut reference"));
        check(&[0, b'a', 0x20, 1], 4, Err("a reference before the first byte"));
        check(&[0, b'a', 0x60, 0], 5, Err("more output than announced"));
        check(&[0, b'a'], 2, Err("less output than announced"));
    }

    proptest! {
        #[test]
        fn any_bytes_end_and_stay_within_the_bound(source: Vec<u8>, bytes in 0_usize..5000) {
            let mut target = Vec::new();
            let done = decompress(&source, bytes, &mut target);
            prop_assert!(target.len() <= bytes);
            prop_assert!(target.len() as u64 <= source.len() as u64 * EXPANSION_MAX);
            prop_assert!(done.is_err() || target.len() == bytes);
        }
    }
}
