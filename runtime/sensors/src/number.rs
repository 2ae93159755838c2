//! The number types of point cloud files, in bytes and in text.
//!
//! Why `f64` as the common value: it holds every type of these formats exactly, but for 64-bit
//! integers beyond 2^53, which no coordinate needs.

/// A number type of PCD and PLY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

/// The order of bytes in a binary file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl Order {
    /// Reads a 32-bit count from exactly four bytes.
    pub(crate) fn u32(self, bytes: &[u8]) -> u32 {
        raw(bytes, 4, self) as u32
    }
}

impl Number {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Number::I8 | Number::U8 => 1,
            Number::I16 | Number::U16 => 2,
            Number::I32 | Number::U32 | Number::F32 => 4,
            Number::I64 | Number::U64 | Number::F64 => 8,
        }
    }

    pub(crate) fn is_float(self) -> bool {
        matches!(self, Number::F32 | Number::F64)
    }

    /// The largest value of an integer type; 1 for floats, whose colours go from 0 to 1.
    pub(crate) fn full_scale(self) -> f64 {
        match self {
            Number::F32 | Number::F64 => 1.0,
            Number::U8 => 255.0,
            Number::I8 => 127.0,
            Number::I16 => 32_767.0,
            Number::U16 => 65_535.0,
            Number::I32 | Number::I64 => 2_147_483_647.0,
            Number::U32 | Number::U64 => 4_294_967_295.0,
        }
    }

    /// Reads the value from exactly [`Number::bytes`] bytes.
    pub(crate) fn decode(self, bytes: &[u8], order: Order) -> f64 {
        let raw = raw(bytes, self.bytes(), order);
        match self {
            Number::I8 => f64::from(raw as u8 as i8),
            Number::U8 => f64::from(raw as u8),
            Number::I16 => f64::from(raw as u16 as i16),
            Number::U16 => f64::from(raw as u16),
            Number::I32 => f64::from(raw as u32 as i32),
            Number::U32 => f64::from(raw as u32),
            Number::I64 => raw as i64 as f64,
            Number::U64 => raw as f64,
            Number::F32 => f64::from(f32::from_bits(raw as u32)),
            Number::F64 => f64::from_bits(raw),
        }
    }

    /// Reads the bits of a 4-byte value as an integer: how PCD packs colours into floats.
    pub(crate) fn decode_bits(self, bytes: &[u8], order: Order) -> f64 {
        f64::from(raw(bytes, self.bytes(), order) as u32)
    }

    /// Reads the value from text.
    pub(crate) fn parse(self, text: &str) -> Option<f64> {
        let value = text.parse::<f64>().ok()?;
        Some(if self == Number::F32 { f64::from(value as f32) } else { value })
    }

    /// Reads a packed colour from text: a float stands for its bits.
    pub(crate) fn parse_bits(self, text: &str) -> Option<f64> {
        if self == Number::F32 {
            return Some(f64::from(text.parse::<f32>().ok()?.to_bits()));
        }
        Some(f64::from(text.parse::<i64>().ok()? as u32))
    }
}

fn raw(bytes: &[u8], count: usize, order: Order) -> u64 {
    assert!(bytes.len() == count, "a number is decoded from exactly its own bytes");
    let shift = |sum: u64, &byte: &u8| sum << 8 | u64::from(byte);
    match order {
        Order::Little => bytes.iter().rev().fold(0, shift),
        Order::Big => bytes.iter().fold(0, shift),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_in_both_orders() {
        let check = |number: Number, big: &[u8], expect: f64| {
            let little: Vec<u8> = big.iter().rev().copied().collect();
            assert_eq!(number.decode(big, Order::Big), expect, "{number:?}");
            assert_eq!(number.decode(&little, Order::Little), expect, "{number:?}");
        };
        check(Number::I8, &[0xFE], -2.0);
        check(Number::U8, &[0xFE], 254.0);
        check(Number::I16, &[0xFF, 0xFE], -2.0);
        check(Number::U16, &[0x01, 0x02], 258.0);
        check(Number::I32, &(-70_000_i32).to_be_bytes(), -70_000.0);
        check(Number::U32, &4_000_000_000_u32.to_be_bytes(), 4e9);
        check(Number::I64, &(-5_i64).to_be_bytes(), -5.0);
        check(Number::U64, &(1_u64 << 60).to_be_bytes(), (1_u64 << 60) as f64);
        check(Number::F32, &1.5_f32.to_be_bytes(), 1.5);
        check(Number::F64, &(-0.1_f64).to_be_bytes(), -0.1);
    }

    #[test]
    fn a_colour_written_as_float_keeps_its_bits() {
        assert_eq!(Number::F32.parse_bits("4.2108e+06"), Some(f64::from(0x4A80_80E0_u32)));
        assert_eq!(Number::U32.parse_bits("4278610524"), Some(4_278_610_524.0));
    }
}
