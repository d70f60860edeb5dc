//! What the bytes of a stored tensor mean: plain numbers, or blocks of quantised ones.
//!
//! The block layouts are ggml's (`ggml-common.h`, `ggml-quants.c`). In the first generation a block is 32 values: a scale, for
//! some types a minimum, and the values in 4, 5 or 8 bits. In the second ("K") it is 256 values in sub-blocks, whose
//! scales are quantised themselves. Values are decoded in f32 with the reference's operations in its order, so that they have
//! its bits. Cost: about a nanosecond a value.

use half::{bf16, f16};

/// How the values of a tensor are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

/// The types with ggml's numbers and names.
const GGML: [(u32, Stored, &str); 11] = [
    (0, Stored::F32, "F32"),
    (1, Stored::F16, "F16"),
    (30, Stored::Bf16, "BF16"),
    (2, Stored::Q4_0, "Q4_0"),
    (3, Stored::Q4_1, "Q4_1"),
    (6, Stored::Q5_0, "Q5_0"),
    (7, Stored::Q5_1, "Q5_1"),
    (8, Stored::Q8_0, "Q8_0"),
    (12, Stored::Q4K, "Q4_K"),
    (13, Stored::Q5K, "Q5_K"),
    (14, Stored::Q6K, "Q6_K"),
];

impl Stored {
    /// Returns the type that ggml gives a number.
    pub(crate) fn of_ggml(number: u32) -> Option<Self> {
        GGML.iter().find(|entry| entry.0 == number).map(|entry| entry.1)
    }

    /// Lists ggml's names and numbers of the types, for messages.
    pub(crate) fn ggml_names() -> String {
        GGML.map(|(number, _, name)| format!("{name} ({number})")).join(", ")
    }

    /// Returns the values and the bytes of a block.
    pub(crate) fn block(self) -> (usize, usize) {
        match self {
            Stored::F32 => (1, 4),
            Stored::F16 | Stored::Bf16 => (1, 2),
            Stored::Q4_0 => (32, 18),
            Stored::Q4_1 => (32, 20),
            Stored::Q5_0 => (32, 22),
            Stored::Q5_1 => (32, 24),
            Stored::Q8_0 => (32, 34),
            Stored::Q4K => (256, 144),
            Stored::Q5K => (256, 176),
            Stored::Q6K => (256, 210),
        }
    }

    /// Returns the bytes of some values, which are whole blocks.
    pub(crate) fn bytes_of(self, values: usize) -> usize {
        let (block, bytes) = self.block();
        debug_assert!(values.is_multiple_of(block));
        values / block * bytes
    }

    /// Decodes whole blocks from the start of `bytes` and combines every value with its place in `out`.
    pub(crate) fn decode(self, bytes: &[u8], out: &mut [f32], put: impl Fn(&mut f32, f32)) {
        match self {
            Stored::F32 => each(bytes, out, put, |b, [v]| *v = f32::from_le_bytes(*b)),
            Stored::F16 => each(bytes, out, put, |b, [v]| *v = f16::from_le_bytes(*b).to_f32()),
            Stored::Bf16 => {
                each(bytes, out, put, |b, [v]| *v = bf16::from_le_bytes(*b).to_f32());
            }
            Stored::Q4_0 => each(bytes, out, put, q4_0),
            Stored::Q4_1 => each(bytes, out, put, q4_1),
            Stored::Q5_0 => each(bytes, out, put, q5_0),
            Stored::Q5_1 => each(bytes, out, put, q5_1),
            Stored::Q8_0 => each(bytes, out, put, q8_0),
            Stored::Q4K => each(bytes, out, put, q4_k),
            Stored::Q5K => each(bytes, out, put, q5_k),
            Stored::Q6K => each(bytes, out, put, q6_k),
        }
    }
}

/// Decodes block after block.
fn each<const BYTES: usize, const VALUES: usize>(
    bytes: &[u8],
    out: &mut [f32],
    put: impl Fn(&mut f32, f32),
    decode: impl Fn(&[u8; BYTES], &mut [f32; VALUES]),
) {
    let (out, rest) = out.as_chunks_mut::<VALUES>();
    debug_assert!(rest.is_empty());
    for (out, block) in out.iter_mut().zip(bytes.as_chunks::<BYTES>().0) {
        let mut values = [0.0; VALUES];
        decode(block, &mut values);
        for (to, value) in out.iter_mut().zip(values) {
            put(to, value);
        }
    }
}

/// Returns the f16 number at a place of a block.
fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Returns the value that four bits stand for: 16 bytes hold values 0 to 15 in their low halves and 16 to 31 in the high.
fn nibble(packed: &[u8], index: usize) -> u8 {
    if index < 16 { packed[index] & 15 } else { packed[index - 16] >> 4 }
}

/// Returns the fifth bit of a value.
fn fifth(high: &[u8], index: usize) -> u8 {
    (high[index / 8] >> (index % 8) & 1) << 4
}

fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    for (i, out) in out.iter_mut().enumerate() {
        *out = scale * f32::from(nibble(&block[2..], i) as i8 - 8);
    }
}

fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    for (i, out) in out.iter_mut().enumerate() {
        *out = scale * f32::from(nibble(&block[4..], i)) + least;
    }
}

fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    for (i, out) in out.iter_mut().enumerate() {
        let value = nibble(&block[6..], i) | fifth(&block[2..6], i);
        *out = scale * f32::from(value as i8 - 16);
    }
}

fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    for (i, out) in out.iter_mut().enumerate() {
        let value = nibble(&block[8..], i) | fifth(&block[4..8], i);
        *out = scale * f32::from(value) + least;
    }
}

fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    for (out, value) in out.iter_mut().zip(&block[2..]) {
        *out = scale * f32::from(*value as i8);
    }
}

/// Unpacks the six-bit scale and minimum of each of the eight sub-blocks.
fn scales_and_minima(packed: &[u8]) -> [(u8, u8); 8] {
    std::array::from_fn(|i| {
        if i < 4 {
            (packed[i] & 63, packed[i + 4] & 63)
        } else {
            let (low, scale_top, least_top) = (packed[i + 4], packed[i - 4] >> 6, packed[i] >> 6);
            (low & 15 | scale_top << 4, low >> 4 | least_top << 4)
        }
    })
}

fn q4_k(block: &[u8; 144], out: &mut [f32; 256]) {
    k_blocks(block, out, |i| nibble_of_pair(&block[16..], i));
}

fn q5_k(block: &[u8; 176], out: &mut [f32; 256]) {
    k_blocks(block, out, |i| {
        let fifth = block[16 + i % 32] >> (i / 32) & 1;
        nibble_of_pair(&block[48..], i) | fifth << 4
    });
}

/// Returns four bits of a block of 256: each 32 bytes hold a sub-block in their low halves and the next one in
/// the high.
fn nibble_of_pair(packed: &[u8], index: usize) -> u8 {
    let byte = packed[index / 64 * 32 + index % 32];
    if (index / 32).is_multiple_of(2) { byte & 15 } else { byte >> 4 }
}

/// Decodes a block of 256 values that begins with two scales and the packed scales of the sub-blocks.
fn k_blocks(block: &[u8], out: &mut [f32; 256], value: impl Fn(usize) -> u8) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    let parts = scales_and_minima(&block[4..16]);
    for (sub, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let scale = scale * f32::from(parts[sub].0);
        let least = least * f32::from(parts[sub].1);
        for (i, out) in out.iter_mut().enumerate() {
            *out = scale * f32::from(value(sub * 32 + i)) - least;
        }
    }
}

fn q6_k(block: &[u8; 210], out: &mut [f32; 256]) {
    let (low, rest) = block.split_at(128);
    let (high, scales) = rest.split_at(64);
    let scale = half_at(block, 208);
    for (i, out) in out.iter_mut().enumerate() {
        // A half of 128 values has 64 bytes of low bits and 32 of high bits, a quarter of it 32 values.
        let (half, quarter, place) = (i / 128, i / 32 % 4, i % 32);
        let byte = low[half * 64 + quarter % 2 * 32 + place];
        let four = if quarter < 2 { byte & 15 } else { byte >> 4 };
        let two = high[half * 32 + place] >> (2 * quarter) & 3;
        let sub_scale = scale * f32::from(scales[i / 16] as i8);
        *out = sub_scale * f32::from((four | two << 4) as i8 - 32);
    }
}
