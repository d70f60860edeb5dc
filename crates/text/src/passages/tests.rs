use super::*;
use crate::words::for_each_unit;
use proptest::prelude::*;

fn parse(spec: &str) -> Passages {
    spec.parse().unwrap()
}

fn words(text: &str) -> usize {
    let mut count = 0;
    for_each_unit(text, &mut |_| count += 1);
    count
}

fn pieces<'a>(spec: &str, text: &'a str) -> Vec<&'a str> {
    parse(spec).split(text).into_iter().map(|range| &text[range]).collect()
}

#[test]
fn specs_round_trip() {
    for (spec, shown) in [
        ("sentences", "sentences(words=120, overlap=30)"),
        ("sentences()", "sentences(words=120, overlap=30)"),
        ("sentences(words=40)", "sentences(words=40, overlap=10)"),
        ("sentences( overlap = 0, words=7 )", "sentences(words=7, overlap=0)"),
        ("sentences(words=1)", "sentences(words=1, overlap=0)"),
    ] {
        assert_eq!(parse(spec).to_string(), shown);
        assert_eq!(parse(shown), parse(spec));
    }
    assert_eq!(Passages::default(), parse("sentences"));
    assert_eq!(Passages::of_sentences(40, 10), Some(parse("sentences(words=40)")));
    assert_eq!(Passages::of_sentences(10, 10), None);
}

#[test]
fn bad_specs_say_where() {
    for (spec, offset, message) in [
        ("sentence", 0, "did you mean `sentences`"),
        ("sentences(wrods=3)", 10, "did you mean `words`"),
        ("sentences(words=x)", 16, "a whole number"),
        ("sentences(words)", 15, "expected `=`"),
        ("sentences(words=0)", 0, "must be from 1"),
        ("sentences(words=5, overlap=5)", 19, "smaller than `words`"),
        ("sentences(words=5, words=6)", 19, "twice"),
        ("sentences(words=2000000)", 0, "must be from 1"),
        ("sentences(words=3(4))", 17, "expected `,`"),
    ] {
        let error = spec.parse::<Passages>().unwrap_err();
        assert_eq!(error.offset(), Some(offset), "{error}");
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(error.kind(), ecphory_core::ErrorKind::Usage);
    }
}

#[test]
fn short_and_blank_texts() {
    assert_eq!(pieces("sentences", " One. Two. "), ["One. Two."]);
    assert!(pieces("sentences", " \n ").is_empty());
    assert_eq!(pieces("sentences(words=1)", "!!! ..."), ["!!! ..."]);
}

#[test]
fn a_long_sentence_is_cut_between_words() {
    let text = "a b c d e, f g h.";
    assert_eq!(pieces("sentences(words=3, overlap=0)", text), ["a b c", "d e, f", "g h."]);
    assert_eq!(pieces("sentences(words=4, overlap=0)", "文字文字文字"), ["文字文字", "文字"]);
}

#[test]
fn the_overlap_is_whole_sentences() {
    let text = "A a. B b. C c c c. D.";
    assert_eq!(pieces("sentences(words=6, overlap=2)", text), ["A a. B b.", "B b. C c c c.", "D."]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn passages_keep_their_promises(
        text in "[aB1.!?。,’ \n\t\u{a0}\u{301}漢ก😀é]{0,120}",
        limit in 1usize..9,
        share in 0usize..9,
    ) {
        let passages = Passages::of_sentences(limit, share % limit).unwrap();
        let found = passages.split(&text);
        let mut covered = vec![false; text.len()];
        for range in &found {
            let piece = &text[range.clone()];
            prop_assert!(!piece.trim().is_empty());
            prop_assert!(words(piece) <= limit, "{piece:?}");
            covered[range.clone()].fill(true);
        }
        for (at, c) in text.char_indices() {
            prop_assert!(c.is_whitespace() || covered[at], "byte {at}");
        }
        for pair in found.windows(2) {
            prop_assert!(pair[0].start < pair[1].start && pair[0].end < pair[1].end);
            if pair[1].start < pair[0].end {
                prop_assert!(words(&text[pair[1].start..pair[0].end]) <= passages.overlap());
            }
        }
    }

    #[test]
    fn any_text_can_be_cut(text in ".{0,200}") {
        for range in parse("sentences(words=3, overlap=1)").split(&text) {
            prop_assert!(!text[range].trim().is_empty());
        }
    }
}
