use crate::data::{golden, model};
use ecphory_core::ErrorKind;
use ecphory_text::Error;
use ecphory_text::subword::Tokenizer;
use proptest::prelude::*;
use std::path::{Path, PathBuf};

fn small() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/wordpiece.json")
}

fn ids(row: &serde_json::Value) -> Vec<u32> {
    row.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn check(tokenizer: &Tokenizer, name: &str) {
    let rows: serde_json::Value = serde_json::from_str(&golden(name)).unwrap();
    for row in rows.as_array().unwrap() {
        let text = row["text"].as_str().unwrap();
        let limit = row["limit"].as_u64().unwrap() as usize;
        if let Some(second) = row["second"].as_str() {
            let pair = tokenizer.encode_pair(text, second, limit).unwrap();
            assert_eq!(pair.ids, ids(&row["ids"]), "{row}");
            assert_eq!(pair.type_ids, ids(&row["type_ids"]), "{row}");
        } else {
            assert_eq!(tokenizer.encode(text, limit).unwrap(), ids(&row["ids"]), "{row}");
        }
    }
}

#[test]
fn a_small_wordpiece_equals_the_reference_package() {
    let tokenizer = Tokenizer::open(&small()).unwrap();
    check(&tokenizer, "subword.small.json");
    assert_eq!(tokenizer.special_tokens(), 2);
    assert_eq!(tokenizer.special_ids(), [0, 1, 2, 3, 4]);
    assert_eq!(tokenizer.token(2).as_deref(), Some("[CLS]"));
    assert_eq!(tokenizer.id("fox"), Some(8));
    assert_eq!(tokenizer.vocabulary_size(), 110);
}

#[test]
fn minilm_equals_the_reference_package() {
    let Some(path) = model("minilm", "tokenizer.json") else { return };
    let tokenizer = Tokenizer::open(&path).unwrap();
    check(&tokenizer, "subword.minilm.json");
    assert_eq!(tokenizer.vocabulary_size(), 30522);
}

#[test]
fn special_tokens_survive_any_limit() {
    let tokenizer = Tokenizer::open(&small()).unwrap();
    for limit in 2..12 {
        let ids = tokenizer.encode("the quick brown fox jumps over the lazy dog", limit).unwrap();
        assert_eq!(ids.len(), limit);
        assert_eq!((ids[0], ids[limit - 1]), (2, 3));
    }
    let error = tokenizer.encode("fox", 1).unwrap_err();
    assert!(matches!(error, Error::NoRoom { max_tokens: 1, needed: 2 }));
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(tokenizer.encode_pair("fox", "dog", 2).is_err());
}

#[test]
fn bad_files_are_errors_of_their_kind() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Tokenizer::open(&dir.path().join("tokenizer.json")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert_eq!(missing.to_string().matches("tokenizer.json").count(), 1, "{missing}");
    let whole = fs_err::read(small()).unwrap();
    for bytes in [&b""[..], b"{}", b"[1", &whole[..whole.len() / 2]] {
        let path = dir.path().join("bad.json");
        fs_err::write(&path, bytes).unwrap();
        let error = Tokenizer::open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("bad.json"));
    }
    // A template that leaves out the text cannot be used.
    let text = String::from_utf8(whole).unwrap();
    let broken = text.replace(r#"{"Sequence":{"id":"A","type_id":0}},"#, "");
    assert_ne!(broken, text);
    let error = Tokenizer::from_bytes(broken.as_bytes(), Path::new("x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn threads_share_a_tokenizer() {
    let tokenizer = Tokenizer::open(&small()).unwrap();
    let expect = tokenizer.encode("hello retrieval world", 16).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(tokenizer.encode("hello retrieval world", 16).unwrap(), expect);
                }
            });
        }
    });
}

#[test]
fn literal_specials_are_text_and_tokens_become_text() {
    let json = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{"id":0,"content":"<end>",
        "single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],"normalizer":null,
        "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
        "post_processor":null,"decoder":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
        "model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,
        "fuse_unk":false,"byte_fallback":false,"vocab":{"<end>":0,"<":1,"e":2,"n":3,"d":4,">":5,"Ã":6,"¼":7,"en":8},
        "merges":["e n"]}}"#;
    let tokenizer = Tokenizer::from_bytes(json.as_bytes(), Path::new("x")).unwrap();
    let literal = tokenizer.clone().with_literal_specials();
    assert_eq!(tokenizer.encode("end<end>", 9).unwrap(), [8, 4, 0]);
    assert_eq!(literal.encode("end<end>", 9).unwrap(), [8, 4, 1, 8, 4, 5]);
    assert_eq!(tokenizer.decode(&[8, 4, 0, 6, 7]).unwrap(), "endü");
    assert_eq!(tokenizer.decode(&[8, 6]).unwrap(), "en\u{FFFD}");
    assert_eq!(tokenizer.decode(&[]).unwrap(), "");
}

/// The words of a text's tokens, `-` for none.
fn words_of(tokenizer: &Tokenizer, text: &str, limit: usize) -> Vec<String> {
    let tokens = tokenizer.encode_words(text, limit).unwrap();
    assert_eq!(tokens.ids, tokenizer.encode(text, limit).unwrap(), "{text:?} at {limit}");
    assert_eq!(tokens.words.len(), tokens.ids.len());
    let word = |bytes: &std::ops::Range<usize>| match &text[bytes.clone()] {
        "" => "-".to_owned(),
        word => word.to_owned(),
    };
    tokens.words.iter().map(word).collect()
}

/// A tokenizer over white space that cuts words into letters, with what it has of them: a pre-tokenizer and a decoder as
/// the models of the family of XLM-R have them.
fn letters(pre_tokenizer: &str, normalizer: &str) -> Tokenizer {
    let vocabulary = "▁ abcdefghijklmnopqrstuvwxyz,".replace(' ', "");
    let pieces =
        vocabulary.chars().map(|c| format!(r#"["{c}",-2.0]"#)).collect::<Vec<_>>().join(",");
    let json = format!(
        r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[
        {{"id":0,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}},
        {{"id":1,"content":"<unk>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}}],
        "normalizer":{normalizer},"pre_tokenizer":{pre_tokenizer},
        "post_processor":{{"type":"TemplateProcessing","single":[{{"SpecialToken":{{"id":"<s>","type_id":0}}}},
        {{"Sequence":{{"id":"A","type_id":0}}}}],"pair":[{{"Sequence":{{"id":"A","type_id":0}}}},{{"Sequence":{{"id":"B","type_id":0}}}}],
        "special_tokens":{{"<s>":{{"id":"<s>","ids":[0],"tokens":["<s>"]}}}}}},"decoder":null,
        "model":{{"type":"Unigram","unk_id":1,"vocab":[["<s>",0.0],["<unk>",0.0],{pieces},["▁the",-1.0],["cat",-1.0]]}}}}"#
    );
    Tokenizer::from_bytes(json.as_bytes(), Path::new("letters")).unwrap()
}

#[test]
fn tokens_of_wordpiece_know_their_words() {
    let tokenizer = Tokenizer::open(&small()).unwrap();
    let text = "The quickest fox, the FOX!";
    let words = words_of(&tokenizer, text, 64);
    let mut distinct = words.clone();
    distinct.dedup();
    assert_eq!(distinct, ["-", "The", "quickest", "fox", ",", "the", "FOX", "!", "-"]);
    assert!(words.iter().filter(|word| *word == "quickest").count() > 1, "{words:?}");
    // A special token that is written in the text is no word, an unknown word is one.
    let words = words_of(&tokenizer, "fox [SEP] 鿿 fox", 64);
    assert_eq!(words, ["-", "fox", "-", "鿿", "fox", "-"]);
    assert_eq!(words_of(&tokenizer, "", 64), ["-", "-"]);
    assert_eq!(words_of(&tokenizer, " \n ", 64), ["-", "-"]);
}

#[test]
fn a_word_that_the_limit_cuts_is_none() {
    let tokenizer = Tokenizer::open(&small()).unwrap();
    let text = "fox quickest dog";
    let whole = words_of(&tokenizer, text, 64);
    for limit in 2..=whole.len() {
        let words = words_of(&tokenizer, text, limit);
        for (place, word) in words[1..limit - 1].iter().enumerate().map(|(i, word)| (i + 1, word)) {
            let last = whole.iter().rposition(|other| *other == whole[place]).unwrap();
            let expected = if last < limit - 1 { &*whole[place] } else { "-" };
            assert_eq!(word, expected, "{limit}: {words:?}");
        }
    }
}

#[test]
fn tokens_of_sentencepiece_know_their_words() {
    let metaspace =
        r#"{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}"#;
    let replaced = r#"{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},
        {"type":"Replace","pattern":{"String":" "},"content":"▁"}]}"#;
    // As XLM-R, and as models without a pre-tokenizer.
    for tokenizer in [letters(metaspace, "null"), letters("null", replaced)] {
        let mut words = words_of(&tokenizer, "the cat, the dog", 64);
        words.dedup();
        assert_eq!(words, ["-", "the", "cat,", "the", "dog"]);
        let mut words = words_of(&tokenizer, "The  cät", 64);
        words.dedup();
        assert_eq!(words.iter().filter(|word| *word != "-").collect::<Vec<_>>(), ["The", "cät"]);
        assert_eq!(words_of(&tokenizer, "the dog", 4), ["-", "the", "-", "-"]);
    }
}

proptest! {
    /// Whatever the text: the ids are those of `encode`, and words are parts of it without white space around.
    #[test]
    fn words_are_parts_of_any_text(
        text in "([a-zA-Z ,!]|the|\\[SEP\\]|<s>|é|e\u{301}|日本|\u{a0}|\n){0,30}", limit in 2usize..40,
    ) {
        let metaspace =
            r#"{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}"#;
        for word in words_of(&Tokenizer::open(&small()).unwrap(), &text, limit) {
            prop_assert!(!word.contains(char::is_whitespace), "{word:?}");
        }
        // One unknown token may span white space that its pre-tokenizer does not know.
        for word in words_of(&letters(metaspace, "null"), &text, limit) {
            prop_assert_eq!(word.trim(), &word);
        }
    }
}
