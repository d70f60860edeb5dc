//! The small foldings of one word: case, width, diacritics, possessives, elisions.
//!
//! Each takes a word and gives a word; those that change characters write into a buffer of the caller's.

use unicode_normalization::UnicodeNormalization;

/// Returns the word without a trailing possessive `'s`, as Lucene's `EnglishPossessiveFilter`: an
/// apostrophe (`'`, `’` or the full-width `＇`) and an `s` or `S`.
pub(crate) fn strip_possessive(word: &str) -> &str {
    word.strip_suffix(['s', 'S'])
        .and_then(|rest| rest.strip_suffix(['\'', '\u{2019}', '\u{FF07}']))
        .unwrap_or(word)
}

/// A language whose articles lose their vowel before another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Elision {
    /// `l'`, `d'`, `qu'`, …: the articles of Lucene's `FrenchAnalyzer`.
    French,
    /// `l'`, `dell'`, `sull'`, …: the articles of Lucene's `ItalianAnalyzer`.
    Italian,
}

impl Elision {
    /// Every language with elisions.
    pub const ALL: &'static [Elision] = &[Elision::French, Elision::Italian];

    /// Returns the name by which a spec string calls it.
    pub fn name(self) -> &'static str {
        match self {
            Elision::French => "french",
            Elision::Italian => "italian",
        }
    }

    /// Finds a language by its name or its two letters.
    pub fn find(name: &str) -> Option<Elision> {
        match name {
            "french" | "fr" => Some(Elision::French),
            "italian" | "it" => Some(Elision::Italian),
            _ => None,
        }
    }

    fn articles(self) -> &'static [&'static str] {
        match self {
            Elision::French => &[
                "l", "m", "t", "qu", "n", "s", "j", "d", "c", "jusqu", "quoiqu", "lorsqu", "puisqu",
            ],
            Elision::Italian => &[
                "c", "l", "all", "dall", "dell", "nell", "sull", "coll", "pell", "gl", "agl",
                "dagl", "degl", "negl", "sugl", "un", "m", "t", "s", "v", "d",
            ],
        }
    }

    /// Returns the word without an elided article before its first apostrophe.
    pub(crate) fn strip(self, word: &str) -> &str {
        let Some((article, rest)) = word.split_once(['\'', '\u{2019}']) else { return word };
        let elided = self.articles().iter().any(|known| known.eq_ignore_ascii_case(article));
        if elided { rest } else { word }
    }
}

/// Appends the word in lower case, character by character as Java's `Character.toLowerCase`: a capital sigma becomes
/// `σ` even at the end, and `İ` becomes `i`.
#[inline]
pub(crate) fn lower_into(word: &str, out: &mut String) {
    if word.is_ascii() {
        let start = out.len();
        out.push_str(word);
        out[start..].make_ascii_lowercase();
    } else {
        // Only `İ` has a lower case of two characters, the first of which is the one wanted.
        out.extend(word.chars().map(|c| c.to_lowercase().next().unwrap_or(c)));
    }
}

/// Appends the word with full-width ASCII made narrow and half-width Katakana and Hangul made wide, as Lucene's
/// `CJKWidthFilter`; a voicing mark that follows is composed with its letter.
pub(crate) fn width_into(word: &str, out: &mut String) {
    let is_folded = |c: char| matches!(c, '\u{FF01}'..='\u{FF5E}' | '\u{FF65}'..='\u{FFDC}');
    if word.is_ascii() || !word.contains(is_folded) {
        out.push_str(word);
        return;
    }
    let narrow = |c: char| {
        if is_folded(c) { std::iter::once(c).nfkd().next().unwrap_or(c) } else { c }
    };
    // Half-width Katakana are followed by voicing marks of their own, which composition joins.
    out.extend(word.chars().map(narrow).nfc());
}

/// Appends the word without the diacritics that can be taken off: `é` becomes `e`, `ǵ` `g`. Letters that are not
/// composed (`ø`, `ł`, `ß`) and the vowel signs of other scripts stay.
pub(crate) fn diacritics_into(word: &str, out: &mut String) {
    if word.is_ascii() {
        out.push_str(word);
        return;
    }
    let is_diacritic = |c: &char| {
        matches!(c, '\u{300}'..='\u{36F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}'
            | '\u{20D0}'..='\u{20FF}' | '\u{FE20}'..='\u{FE2F}')
    };
    out.extend(word.nfd().filter(|c| !is_diacritic(c)).nfc());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(fold: impl Fn(&str, &mut String), word: &str) -> String {
        let mut out = String::new();
        fold(word, &mut out);
        out
    }

    #[test]
    fn possessives() {
        for (word, expect) in [
            ("dog's", "dog"),
            ("DOG'S", "DOG"),
            ("dog’s", "dog"),
            ("dog＇s", "dog"),
            ("dogs'", "dogs'"),
            ("s", "s"),
            ("it's's", "it's"),
        ] {
            assert_eq!(strip_possessive(word), expect);
        }
    }

    #[test]
    fn elisions() {
        assert_eq!(Elision::French.strip("l'avion"), "avion");
        assert_eq!(Elision::French.strip("Qu’il"), "il");
        assert_eq!(Elision::French.strip("aujourd'hui"), "aujourd'hui");
        assert_eq!(Elision::Italian.strip("dell'arte"), "arte");
        assert_eq!(Elision::French.strip("dell'arte"), "dell'arte");
    }

    #[test]
    fn lower_case_as_java() {
        assert_eq!(with(lower_into, "ΟΔΟΣ"), "οδοσ");
        assert_eq!(with(lower_into, "İstanbul"), "istanbul");
        assert_eq!(with(lower_into, "STRAẞE É"), "straße é");
    }

    #[test]
    fn widths() {
        assert_eq!(with(width_into, "Ｔｅｓｔ１２"), "Test12");
        assert_eq!(with(width_into, "ｶﾞｷﾞﾊﾟ"), "ガギパ");
        assert_eq!(with(width_into, "ﾃｽﾄ"), "テスト");
        // Unlike NFKC, it leaves other compatibility characters alone.
        assert_eq!(with(width_into, "ﬁ㍿"), "ﬁ㍿");
    }

    #[test]
    fn diacritics() {
        assert_eq!(with(diacritics_into, "déjà"), "deja");
        assert_eq!(with(diacritics_into, "Ọ̀yọ́"), "Oyo");
        assert_eq!(with(diacritics_into, "ø हिन्दी"), "ø हिन्दी");
    }

    proptest! {
        #[test]
        fn ascii_lower_case_equals_the_general_one(word in "[ -~]{0,20}") {
            let general: String = word.chars().flat_map(char::to_lowercase).collect();
            prop_assert_eq!(with(lower_into, &word), general);
        }

        #[test]
        fn folding_twice_changes_nothing_more(word in ".{0,12}") {
            for fold in [lower_into, width_into, diacritics_into] {
                let once = with(fold, &word);
                prop_assert_eq!(with(fold, &once), once);
            }
        }
    }
}
