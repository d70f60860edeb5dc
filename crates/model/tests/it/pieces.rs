//! Word pieces of a transformer, and the static encoder that they become.

use ecphory_core::ErrorKind;
use ecphory_model::{
    Encoder, EncoderOptions, Role, TrainableEncoder, TrainableOptions, WordPieces,
};

use crate::support::{cached_model, encode, golden, open};

#[test]
fn pieces_are_the_tokens_of_the_encoder_with_the_rows_of_its_table() {
    for name in ["bert-mean", "distilbert", "roberta", "mpnet", "modernbert", "xlm-roberta"] {
        let directory = golden("tiny").join(name);
        let pieces = WordPieces::open(&directory).unwrap();
        let encoder = TrainableEncoder::open(&directory, &TrainableOptions::default()).unwrap();
        let text = "the cat and a dog";
        let found = pieces.of(text).unwrap();
        let framed = encoder.tokens(text).unwrap();
        assert_eq!(found, framed[1..framed.len() - 1], "{name}");
        let is_words = |name: &str| name.contains("word_embeddings") || name.contains("tok_emb");
        let table = encoder.parameters().iter().find(|one| is_words(one.name())).unwrap();
        let tables = encoder.parameters().iter().filter(|one| one.is_table());
        let most = tables.map(|one| one.values().len()).max().unwrap();
        assert_eq!(table.values().len(), most, "{name}");
        assert_eq!(table.shape(), [pieces.len(), pieces.columns()], "{name}");
        let mut row = vec![0.0; pieces.columns()];
        pieces.copy_row(found[1], &mut row);
        let first = found[1] as usize * row.len();
        assert_eq!(row, table.values()[first..first + row.len()], "{name}");
        let special = pieces.special();
        let (begin, end) = (framed[0], framed[framed.len() - 1]);
        assert!(special.contains(&begin) && special.contains(&end), "{name}: {special:?}");
        let plain = encoder.tokens("a b c").unwrap();
        assert!(plain[1..plain.len() - 1].iter().all(|token| !special.contains(token)), "{name}");
        assert!(special.iter().all(|&token| (token as usize) < pieces.len()), "{name}");
    }
}

#[test]
fn a_saved_table_is_a_static_encoder() {
    let folder = tempfile::tempdir().unwrap();
    let pieces = WordPieces::open(&golden("tiny/bert-mean")).unwrap();
    let found = pieces.of("the cat and a dog").unwrap();
    let (cat, columns) = (found[1], pieces.columns());
    let out = folder.path().join("static");
    pieces.save(&out, &[cat], &vec![2.0; columns]).unwrap();
    let encoder = open(&out);
    assert_eq!((encoder.architecture(), encoder.dimensions()), ("static", columns));
    assert!(!encoder.normalized());
    let mut mean = vec![0.0f32; columns];
    let mut row = vec![0.0; columns];
    for &piece in &found {
        pieces.copy_row(piece, &mut row);
        let row = if piece == cat { &vec![2.0; columns] } else { &row };
        mean.iter_mut().zip(row).for_each(|(sum, x)| *sum += x / found.len() as f32);
    }
    // No reader of the directory cuts or fills up a text.
    let tokenizer = fs_err::read_to_string(out.join("tokenizer.json")).unwrap();
    let tokenizer: serde_json::Value = serde_json::from_str(&tokenizer).unwrap();
    assert!(tokenizer["truncation"].is_null() && tokenizer["padding"].is_null());
    let vector = encode(&encoder, &["the cat and a dog"], Role::Query);
    assert!(vector.iter().zip(&mean).all(|(a, b)| (a - b).abs() < 1e-6), "{vector:?} {mean:?}");
    let again = pieces.save(&out, &[], &[]).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict);
    let error = WordPieces::open(&out).unwrap_err();
    assert!(error.to_string().contains("static"), "{error}");
}

#[test]
fn the_table_of_a_pretrained_model() {
    let Some(directory) = cached_model("minilm") else { return };
    let pieces = WordPieces::open(&directory).unwrap();
    assert_eq!((pieces.len(), pieces.columns()), (30_522, 384));
    // `play`, `##ing` would be two; this vocabulary has the whole word.
    assert_eq!(pieces.of("Playing").unwrap(), pieces.of("playing").unwrap());
    let encoder = Encoder::open(&directory, &EncoderOptions::default()).unwrap();
    assert_eq!(encoder.dimensions(), pieces.columns());
}
