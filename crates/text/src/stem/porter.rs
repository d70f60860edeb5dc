//! Porter's stemmer of 1980 for English, as Lucene's `PorterStemFilter` applies it.
//!
//! M. F. Porter, *An algorithm for suffix stripping*, Program 14(3), 1980, pages 130 to 137. The author's own
//! program departs from the paper in three places, and Lucene follows the program: words of one or
//! two letters are left alone, step 2 has `bli → ble` instead of `abli → able`, and step 2 has
//! `logi → log` as well. `STRICT` selects the paper; only tests use it.
//!
//! The paper writes a word as `[C](VC)^m[V]` (runs of consonants and vowels) and lets most rules fire
//! only where the measure `m` of the stem is large enough. Cost: one pass over the word for each rule that matches.
//! It is not the *English* stemmer of Snowball (Porter2), and not for other languages.

/// Stems a lower-case word in place. Bytes beyond `a` to `z` count as consonants.
pub(super) fn stem<const STRICT: bool>(word: &mut Vec<u8>) {
    if !STRICT && word.len() <= 2 {
        return;
    }
    plurals(word);
    past_and_progressive(word);
    final_y(word);
    double_suffixes::<STRICT>(word);
    single_suffixes(word);
    bare_suffixes(word);
    final_e(word);
}

/// Step 1a.
fn plurals(word: &mut Vec<u8>) {
    if word.ends_with(b"sses") || word.ends_with(b"ies") {
        word.truncate(word.len() - 2);
    } else if word.ends_with(b"s") && !word.ends_with(b"ss") {
        word.pop();
    }
}

/// Step 1b.
fn past_and_progressive(word: &mut Vec<u8>) {
    if let Some(stem) = word.strip_suffix(b"eed") {
        if measure(stem) > 0 {
            word.pop();
        }
        return;
    }
    let stem = if word.ends_with(b"ed") {
        word.len() - 2
    } else if word.ends_with(b"ing") {
        word.len() - 3
    } else {
        return;
    };
    if !has_vowel(&word[..stem]) {
        return;
    }
    word.truncate(stem);
    if word.ends_with(b"at") || word.ends_with(b"bl") || word.ends_with(b"iz") {
        word.push(b'e');
    } else if ends_double_consonant(word) {
        if !matches!(word.last(), Some(b'l' | b's' | b'z')) {
            word.pop();
        }
    } else if measure(word) == 1 && ends_short(word) {
        word.push(b'e');
    }
}

/// Step 1c.
fn final_y(word: &mut [u8]) {
    if let Some((last, stem)) = word.split_last_mut()
        && *last == b'y'
        && has_vowel(stem)
    {
        *last = b'i';
    }
}

/// A suffix and what replaces it.
type Rule = (&'static str, &'static str);

/// Step 2. The rules are chosen by the last letter but one, as the paper suggests; among those of
/// one letter a longer suffix stands before a shorter one that ends alike.
fn double_suffixes<const STRICT: bool>(word: &mut Vec<u8>) {
    let Some(&penultimate) = word.iter().rev().nth(1) else { return };
    let rules: &[Rule] = match penultimate {
        b'a' => &[("ational", "ate"), ("tional", "tion")],
        b'c' => &[("enci", "ence"), ("anci", "ance")],
        b'e' => &[("izer", "ize")],
        b'l' if STRICT => {
            &[("abli", "able"), ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous")]
        }
        b'l' => &[("bli", "ble"), ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous")],
        b'o' => &[("ization", "ize"), ("ation", "ate"), ("ator", "ate")],
        b's' => &[("alism", "al"), ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous")],
        b't' => &[("aliti", "al"), ("iviti", "ive"), ("biliti", "ble")],
        b'g' if !STRICT => &[("logi", "log")],
        _ => return,
    };
    replace(word, rules);
}

/// Step 3, chosen by the last letter.
fn single_suffixes(word: &mut Vec<u8>) {
    let rules: &[Rule] = match word.last() {
        Some(b'e') => &[("icate", "ic"), ("ative", ""), ("alize", "al")],
        Some(b'i') => &[("iciti", "ic")],
        Some(b'l') => &[("ical", "ic"), ("ful", "")],
        Some(b's') => &[("ness", "")],
        _ => return,
    };
    replace(word, rules);
}

/// Applies the first rule whose suffix the word has, where the stem's measure is above 0.
fn replace(word: &mut Vec<u8>, rules: &[Rule]) {
    for (suffix, replacement) in rules {
        if let Some(stem) = word.strip_suffix(suffix.as_bytes()) {
            let length = stem.len();
            if measure(stem) > 0 {
                word.truncate(length);
                word.extend_from_slice(replacement.as_bytes());
            }
            return;
        }
    }
}

/// Step 4: suffixes that go where the measure is above 1.
fn bare_suffixes(word: &mut Vec<u8>) {
    let Some(&penultimate) = word.iter().rev().nth(1) else { return };
    let suffixes: &[&str] = match penultimate {
        b'a' => &["al"],
        b'c' => &["ance", "ence"],
        b'e' => &["er"],
        b'i' => &["ic"],
        b'l' => &["able", "ible"],
        b'n' => &["ant", "ement", "ment", "ent"],
        b'o' => &["ion", "ou"],
        b's' => &["ism"],
        b't' => &["ate", "iti"],
        b'u' => &["ous"],
        b'v' => &["ive"],
        b'z' => &["ize"],
        _ => return,
    };
    for suffix in suffixes {
        let Some(stem) = word.strip_suffix(suffix.as_bytes()) else { continue };
        if *suffix == "ion" && !matches!(stem.last(), Some(b's' | b't')) {
            return;
        }
        let length = stem.len();
        if measure(stem) > 1 {
            word.truncate(length);
        }
        return;
    }
}

/// Step 5.
fn final_e(word: &mut Vec<u8>) {
    if let Some(stem) = word.strip_suffix(b"e") {
        let m = measure(stem);
        if m > 1 || (m == 1 && !ends_short(stem)) {
            word.pop();
        }
    }
    if word.ends_with(b"ll") && measure(word) > 1 {
        word.pop();
    }
}

/// Whether a letter is a consonant, given whether the one before it is (`None` at the start).
#[inline]
fn is_consonant(letter: u8, before: Option<bool>) -> bool {
    match letter {
        b'a' | b'e' | b'i' | b'o' | b'u' => false,
        b'y' => before != Some(true),
        _ => true,
    }
}

/// The `m` of the paper: how many times a vowel is followed by a consonant.
fn measure(stem: &[u8]) -> usize {
    let mut before = None;
    let mut count = 0;
    for &letter in stem {
        let consonant = is_consonant(letter, before);
        count += usize::from(consonant && before == Some(false));
        before = Some(consonant);
    }
    count
}

fn has_vowel(stem: &[u8]) -> bool {
    let mut before = None;
    stem.iter().any(|&letter| {
        let consonant = is_consonant(letter, before);
        before = Some(consonant);
        !consonant
    })
}

/// The paper's `*d`.
fn ends_double_consonant(word: &[u8]) -> bool {
    let [.., a, b] = word else { return false };
    // Of two equal letters the second is a consonant unless it is a vowel letter; in `yy` the second is
    // a consonant only where the first is a vowel.
    a == b && consonants(word).last() == Some(true)
}

/// The paper's `*o`: consonant, vowel, consonant, and the last not `w`, `x` or `y`.
fn ends_short(word: &[u8]) -> bool {
    if word.len() < 3 || matches!(word.last(), Some(b'w' | b'x' | b'y')) {
        return false;
    }
    let mut last_three = [false; 3];
    for consonant in consonants(word) {
        last_three = [last_three[1], last_three[2], consonant];
    }
    last_three == [true, false, true]
}

fn consonants(word: &[u8]) -> impl Iterator<Item = bool> + '_ {
    word.iter().scan(None, |before, &letter| {
        let consonant = is_consonant(letter, *before);
        *before = Some(consonant);
        Some(consonant)
    })
}

#[cfg(test)]
mod tests {
    fn check(word: &str, expect: &str) {
        let mut bytes = word.as_bytes().to_vec();
        super::stem::<false>(&mut bytes);
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), expect, "{word}");
    }

    /// The examples that the paper prints beside its rules, carried through all steps.
    #[test]
    fn examples_of_the_paper() {
        for (word, expect) in [
            ("caresses", "caress"),
            ("ponies", "poni"),
            ("ties", "ti"),
            ("cats", "cat"),
            ("feed", "feed"),
            ("agreed", "agre"),
            ("plastered", "plaster"),
            ("bled", "bled"),
            ("motoring", "motor"),
            ("sing", "sing"),
            ("conflated", "conflat"),
            ("hopping", "hop"),
            ("falling", "fall"),
            ("filing", "file"),
            ("happy", "happi"),
            ("sky", "sky"),
            ("relational", "relat"),
            ("vietnamization", "vietnam"),
            ("triplicate", "triplic"),
            ("formative", "form"),
            ("electrical", "electr"),
            ("replacement", "replac"),
            ("adoption", "adopt"),
            ("probate", "probat"),
            ("rate", "rate"),
            ("cease", "ceas"),
            ("controll", "control"),
            ("roll", "roll"),
            ("generalizations", "gener"),
            ("oscillators", "oscil"),
        ] {
            check(word, expect);
        }
    }

    #[test]
    fn departures_of_the_program_from_the_paper() {
        for (word, program, paper) in [
            ("as", "as", "a"),
            ("possibly", "possibl", "possibli"),
            ("archaeology", "archaeolog", "archaeologi"),
        ] {
            check(word, program);
            let mut bytes = word.as_bytes().to_vec();
            super::stem::<true>(&mut bytes);
            assert_eq!(bytes, paper.as_bytes());
        }
    }
}
