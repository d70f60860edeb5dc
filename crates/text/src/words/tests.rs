use super::WordKind::{Alphanumeric, Emoji, Han, Hangul, Hiragana, Katakana, SoutheastAsian};
use super::*;
use proptest::prelude::*;

fn words(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for_each_word(text, &mut |word| found.push(word.text));
    found
}

/// The whole text through the general path, without cutting at blanks first.
fn slowly(text: &str) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    split_any::<true>(text, 0, &mut |word| found.push(word));
    found
}

fn check(text: &str, expect: &[&str]) {
    assert_eq!(words(text), expect, "{text}");
    let slow: Vec<&str> = slowly(text).iter().map(|word| word.text).collect();
    assert_eq!(slow, expect, "{text}");
}

#[test]
fn splits_as_lucene_does() {
    check("p53 is 3.5 times, don't", &["p53", "is", "3.5", "times", "don't"]);
    check("TNF-α/β (IL-2)", &["TNF", "α", "β", "IL", "2"]);
    check("a:b e.g. 1,000.50 1, 2", &["a:b", "e.g", "1,000.50", "1", "2"]);
    check("snake_case __ _x", &["snake_case", "_x"]);
    check("a.1 1.a a1.b2", &["a", "1", "1", "a", "a1", "b2"]);
    check("l’été d'Artagnan's", &["l’été", "d'Artagnan's"]);
    check("rock'n'roll 'tis", &["rock'n'roll", "tis"]);
    check("½ 10² Ⅷ Ⓐ", &["10", "Ⅷ", "Ⓐ"]);
    check("क्या हिन्दी", &["क्या", "हिन्दी"]);
    check("שלום ל\"ע", &["שלום", "ל\"ע"]);
    check("日本語ひらカタカナ", &["日", "本", "語", "ひ", "ら", "カタカナ"]);
    check("한국어 텍스트", &["한국어", "텍스트"]);
    check("สวัสดีครับ ลาว", &["สวัสดีครับ", "ลาว"]);
    check("ok 😀👍🏽 ❤️ ❤ 🇩🇪 ©", &["ok", "😀", "👍🏽", "❤️", "🇩🇪"]);
    check("", &[]);
    check(" \t\n .,;", &[]);
}

#[test]
fn kinds_follow_the_script() {
    let mut kinds = Vec::new();
    for_each_word("a漢かカ한ไ😀 한a", &mut |word| kinds.push(word.kind));
    let expect = [Alphanumeric, Han, Hiragana, Katakana, Hangul, SoutheastAsian, Emoji];
    assert_eq!(kinds[..7], expect);
    assert_eq!(kinds[7], Alphanumeric);
}

#[test]
fn a_long_word_is_cut_where_lucene_cuts_it() {
    let long = "x".repeat(600);
    let lengths: Vec<usize> = words(&long).iter().map(|word| word.len()).collect();
    assert_eq!(lengths, [255, 255, 90]);
    // The point would join two letters, but the window ends on it: it belongs to no piece.
    let dotted = format!("{}.{}", "x".repeat(254), "y".repeat(10));
    assert_eq!(words(&dotted), [&dotted[..254], &dotted[255..]]);
    let wide = "é".repeat(300);
    assert_eq!(words(&wide).iter().map(|word| word.chars().count()).collect::<Vec<_>>(), [255, 45]);
    let thai = "ก".repeat(300);
    assert_eq!(words(&thai).iter().map(|word| word.chars().count()).collect::<Vec<_>>(), [255, 45]);
}

#[test]
fn units_do_not_join_runs() {
    let mut units = 0;
    for_each_unit("สวัสดี ok", &mut |_| units += 1);
    assert_eq!(units, 5);
}

fn fast(text: &str) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    for_each_word(text, &mut |word| found.push(word));
    found
}

proptest! {
    #[test]
    fn the_ascii_scan_equals_the_general_path(text in "[ab1_:.,;'\" \n\t@-]{0,40}") {
        prop_assert_eq!(fast(&text), slowly(&text));
    }

    #[test]
    fn stretches_equal_the_whole(text in "[a1.'é’\u{301}\u{200d}\u{fe0f}\u{a0} \r\n漢カか한ก\u{e31}😀❤🇩א\"٣]{0,40}") {
        prop_assert_eq!(fast(&text), slowly(&text));
    }

    #[test]
    fn any_text_gives_its_own_slices_in_order(text in ".{0,60}") {
        let mut end = 0;
        for word in fast(&text) {
            prop_assert!(word.offset >= end && !word.text.is_empty());
            prop_assert_eq!(&text[word.offset..word.offset + word.text.len()], word.text);
            end = word.offset + word.text.len();
        }
    }

    #[test]
    fn no_word_is_longer_than_the_limit(text in "[a.'é漢ก𝐀]{200,900}") {
        for word in fast(&text) {
            prop_assert!(word.text.encode_utf16().count() <= WORD_UNITS_MAX);
        }
    }
}
