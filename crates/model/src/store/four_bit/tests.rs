#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use ecphory_core::Silent;

use super::super::catalogue::ModelFile;
use super::*;
use crate::weights::Weights;

/// A directory entry and its bytes.
type Entry = (&'static str, u8, u32, Vec<u8>);

/// Two tokens of 32 values and a square of 32 in four bits, a position and a norm of 32 values in f32.
fn entries() -> Vec<Entry> {
    let block = |scale: f32| {
        let halves = (0..16u8).map(|i| i | ((15 - i) << 4));
        f16::from_f32(scale).to_le_bytes().into_iter().chain(halves).collect::<Vec<u8>>()
    };
    let floats = |first: u8| (0..32u8).flat_map(|i| f32::from(first + i).to_le_bytes()).collect();
    vec![
        ("emb.word", 1, 64, [block(0.5), block(0.1)].concat()),
        ("l0.q.w", 1, 1024, block(0.1).repeat(32)),
        ("emb.pos", 0, 32, floats(0)),
        ("l3.oln.w", 0, 32, floats(1)),
    ]
}

fn file(entries: &[Entry]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let mut put = |values: &[u32]| values.iter().for_each(|v| out.extend(v.to_le_bytes()));
    // hidden, layers, heads, intermediate, vocabulary, positions, types, epsilon, block.
    put(&[32, 4, 2, 64, 2, 1, 1, 0, 32]);
    // Two pieces with texts of three bytes.
    put(&[2, 0, 1, 1, 1, 3, 0, 0, 1, 3, 0, 0]);
    out.extend(b"abc");
    // A trie of one node in two bytes.
    out.extend([1u32, 2].iter().flat_map(|v| v.to_le_bytes()));
    out.extend(b"tr");
    out.extend((entries.len() as u32).to_le_bytes());
    let head: usize = entries.iter().map(|entry| 2 + entry.0.len() + 5 + 16).sum();
    let mut start = (out.len() + head) as u64;
    for (name, kind, count, bytes) in entries {
        out.extend((name.len() as u16).to_le_bytes());
        out.extend(name.as_bytes());
        out.push(*kind);
        out.extend(count.to_le_bytes());
        out.extend(start.to_le_bytes());
        out.extend((bytes.len() as u64).to_le_bytes());
        start += bytes.len() as u64;
    }
    out.extend(entries.iter().flat_map(|entry| &entry.3));
    out
}

const TO: ModelFile = ModelFile {
    name: "model.safetensors",
    sha256: "0000000000000000000000000000000000000000000000000000000000000000",
    bytes: 1 << 20,
};

#[test]
fn blocks_become_matrices() {
    let bytes = Bytes::from_vec(file(&entries()));
    let tensors = directory(&bytes).unwrap();
    let mut converted = header(&tensors);
    Values::new(&bytes, &tensors).read_to_end(&mut converted).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("model.safetensors"), converted).unwrap();
    let weights = Weights::open(folder.path()).unwrap();
    let words = weights.tensor("embeddings.word_embeddings.weight", &[2, 32]).unwrap().to_vec();
    let halves = || (0..16u8).chain((0..16).rev()).map(|half| f32::from(half) - 8.0);
    let half = |x: f32| f16::from_f32(x).to_f32();
    let scale = half(0.1);
    let expected: Vec<f32> =
        halves().map(|h| 0.5 * h).chain(halves().map(|h| half(scale * h))).collect();
    assert_eq!(words, expected);
    let query = weights.tensor("encoder.layer.0.attention.self.query.weight", &[32, 32]).unwrap();
    let expected: Vec<f32> = halves().map(|h| scale * h).collect();
    assert!(query.to_vec().chunks(32).all(|row| row == expected));
    let place = weights.tensor("embeddings.position_embeddings.weight", &[1, 32]).unwrap();
    assert_eq!(place.to_vec(), (0..32u8).map(f32::from).collect::<Vec<_>>());
    let norm = weights.tensor("encoder.layer.3.output.LayerNorm.weight", &[32]).unwrap();
    assert_eq!(norm.to_vec(), (1..33u8).map(f32::from).collect::<Vec<_>>());
}

#[test]
fn what_does_not_fit_is_told() {
    let whole = file(&entries());
    for length in 0..whole.len() {
        directory(&whole[..length]).unwrap_err();
    }
    let changed = |change: fn(&mut Vec<Entry>)| {
        let mut entries = entries();
        change(&mut entries);
        directory(&file(&entries)).unwrap_err()
    };
    for (problem, hint) in [
        (changed(|entries| entries[0].0 = "emb.verb"), "unknown name"),
        (changed(|entries| entries[0].0 = "lx.q.w"), "unknown name"),
        (changed(|entries| entries[0].1 = 2), "contradicts"),
        (changed(|entries| entries[2].2 = 31), "contradicts"),
        (changed(|entries| entries[3].3.truncate(5)), "contradicts"),
    ] {
        assert!(problem.contains(hint), "{problem}");
    }
    let mut huge = whole;
    huge[44..48].fill(255);
    assert!(directory(&huge).is_err());
}

#[test]
fn another_result_than_the_catalogue_says_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.bin");
    fs_err::write(&path, file(&entries())).unwrap();
    let conversion = Conversion { from: "weights.bin", to: TO };
    let error = convert(&conversion, folder.path(), &Silent).unwrap_err();
    assert!(matches!(error, FetchError::Checksum { .. }), "{error}");
    fs_err::write(&path, b"E5S2").unwrap();
    let error = convert(&conversion, folder.path(), &Silent).unwrap_err();
    assert!(error.to_string().contains("weights.bin cannot be converted"), "{error}");
}
