//! A static model of two dozen words, written by rule, and sentences of these words.

use std::path::Path;

/// The words of all documents and queries; row `i` of the model belongs to word `i`.
const WORDS: [&str; 24] = [
    "radium",
    "curie",
    "physics",
    "nobel",
    "prize",
    "element",
    "decay",
    "uranium",
    "penicillin",
    "mould",
    "fleming",
    "medicine",
    "bacteria",
    "dose",
    "hospital",
    "gravity",
    "apple",
    "newton",
    "orbit",
    "moon",
    "planet",
    "star",
    "light",
    "glass",
];

const DIMENSIONS: usize = 6;

/// A sequence that is the same everywhere (`SplitMix64`).
pub struct Sequence(pub u64);

impl Sequence {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

pub fn sentence(sequence: &mut Sequence, words: usize) -> String {
    let words: Vec<&str> = (0..words).map(|_| WORDS[sequence.below(WORDS.len())]).collect();
    words.join(" ")
}

/// Writes a `Model2Vec` directory: one row a word, by rule from the seed, vectors of unit length.
pub fn write_model(directory: &Path, seed: u64) {
    fs_err::create_dir_all(directory).unwrap();
    let mut sequence = Sequence(seed);
    let mut rows = Vec::new();
    for _ in 0..=WORDS.len() {
        for _ in 0..DIMENSIONS {
            let value = (sequence.below(2001) as f32 - 1000.0) / 1000.0;
            rows.extend_from_slice(&value.to_le_bytes());
        }
    }
    let header = format!(
        "{{\"embeddings\":{{\"dtype\":\"F32\",\"shape\":[{},{DIMENSIONS}],\"data_offsets\":[0,{}]}}}}",
        WORDS.len() + 1,
        rows.len()
    );
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(&rows);
    fs_err::write(directory.join("model.safetensors"), file).unwrap();
    let config = r#"{"model_type": "model2vec", "normalize": true}"#;
    fs_err::write(directory.join("config.json"), config).unwrap();
    let mut vocabulary = serde_json::Map::new();
    for (i, word) in WORDS.iter().chain(&["[UNK]"]).enumerate() {
        vocabulary.insert((*word).to_owned(), i.into());
    }
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    });
    fs_err::write(directory.join("tokenizer.json"), tokenizer.to_string()).unwrap();
}
