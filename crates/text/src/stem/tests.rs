use super::*;
use proptest::prelude::*;

fn stem(stemmer: Stemmer, word: &str) -> String {
    let mut word = word.to_owned();
    stemmer.stem(&mut word, &mut Vec::new());
    word
}

#[test]
fn names_find_their_stemmer() {
    for &stemmer in Stemmer::ALL {
        assert_eq!(Stemmer::find(stemmer.name()), Some(stemmer));
    }
    assert_eq!(Stemmer::find("de"), Some(Stemmer::German));
    assert_eq!(Stemmer::find("klingon"), None);
}

#[test]
fn porter_takes_a_character_beyond_ascii_for_a_consonant() {
    assert_eq!(stem(Stemmer::Porter, "naïvely"), "naïv");
    assert_eq!(stem(Stemmer::Porter, "cafés"), "café");
    assert_eq!(stem(Stemmer::Porter, "αβγing"), "αβγing");
    assert_eq!(stem(Stemmer::Porter, "aαing"), "aα");
    // A doubled consonant loses one.
    assert_eq!(stem(Stemmer::Porter, "ñaññing"), "ñañ");
    assert_eq!(stem(Stemmer::Porter, "日本"), "日本");
}

/// As Snowball's own `porter`, which follows the paper, on words made to hit the rules.
#[test]
fn snowball_english_is_not_porter() {
    assert_eq!(stem(Stemmer::English, "generously"), "generous");
    assert_eq!(stem(Stemmer::Porter, "generously"), "gener");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn no_stemmer_fails_on_any_word(word in ".{0,12}", latin in "[aeiouyslnäößéëñçğıİæøåőа-яёα-ωςάήاتوينهلஅ-ஹா-்'’]{0,14}") {
        for &stemmer in Stemmer::ALL {
            stem(stemmer, &word);
            stem(stemmer, &latin);
        }
    }

    #[test]
    fn porter_on_bytes_equals_porter_on_characters(word in "[aeyslztingdñα]{0,12}") {
        // A letter that no rule names stands for each foreign one.
        let plain: String = word.chars().map(|c| match c { 'ñ' => 'q', 'α' => 'j', c => c }).collect();
        let expect: String = stem(Stemmer::Porter, &plain)
            .chars().map(|c| match c { 'q' => 'ñ', 'j' => 'α', c => c }).collect();
        prop_assert_eq!(stem(Stemmer::Porter, &word), expect);
    }
}
