//! Stemmers: Porter's original for English, and the Snowball family by language.
//!
//! The Snowball stemmers come from the `rust-stemmers` crate, which was generated from the Snowball sources of 2018;
//! later Snowball releases changed some languages (goldens state which version they equal). They allocate where a
//! word changes; [`Stemmer::Porter`] does not. A stemmer expects lower case, and is not a lemmatiser: stems are
//! keys, not words to show.

mod porter;

use rust_stemmers::Algorithm;

macro_rules! stemmers {
    ($($variant:ident $name:literal $code:literal),* $(,)?) => {
        /// A stemming algorithm.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Stemmer {
            /// Porter's algorithm of 1980 for English, as Lucene's English analyser applies it.
            Porter,
            $(#[doc = concat!("The Snowball stemmer `", $name, "`.")] $variant,)*
        }

        impl Stemmer {
            /// Every stemmer, in the order of the enum.
            pub const ALL: &'static [Stemmer] = &[Stemmer::Porter, $(Stemmer::$variant),*];

            /// Returns the name by which a spec string calls it.
            pub fn name(self) -> &'static str {
                match self {
                    Stemmer::Porter => "porter",
                    $(Stemmer::$variant => $name,)*
                }
            }

            /// Finds a stemmer by its name or by the two letters of its language (`en` is Snowball's English).
            pub fn find(name: &str) -> Option<Stemmer> {
                match name {
                    "porter" => Some(Stemmer::Porter),
                    $($name | $code => Some(Stemmer::$variant),)*
                    _ => None,
                }
            }

            fn snowball(self) -> Option<Algorithm> {
                match self {
                    Stemmer::Porter => None,
                    $(Stemmer::$variant => Some(Algorithm::$variant),)*
                }
            }
        }
    };
}

stemmers! {
    Arabic "arabic" "ar", Danish "danish" "da", Dutch "dutch" "nl", English "english" "en",
    Finnish "finnish" "fi", French "french" "fr", German "german" "de", Greek "greek" "el",
    Hungarian "hungarian" "hu", Italian "italian" "it", Norwegian "norwegian" "no",
    Portuguese "portuguese" "pt", Romanian "romanian" "ro", Russian "russian" "ru",
    Spanish "spanish" "es", Swedish "swedish" "sv", Tamil "tamil" "ta", Turkish "turkish" "tr",
}

impl Stemmer {
    /// Replaces a lower-case word by its stem. `scratch` is working space, to be reused between calls.
    pub fn stem(self, word: &mut String, scratch: &mut Vec<u8>) {
        match self.snowball() {
            None => porter_stem::<false>(word, scratch),
            Some(algorithm) => {
                if algorithm == Algorithm::Russian && word.contains('ё') {
                    // Snowball treats the two letters as one since its release 2.0; the crate is older.
                    *word = word.replace('ё', "е");
                }
                let stem = rust_stemmers::Stemmer::create(algorithm).stem(word);
                if stem != word.as_str() {
                    *word = stem.into_owned();
                }
            }
        }
    }
}

/// Porter's rules look at letters, not at bytes: each character beyond ASCII stands for one consonant. So it becomes
/// one byte above 127 while the rules run; they only cut and append, which keeps every character at its place.
fn porter_stem<const STRICT: bool>(word: &mut String, scratch: &mut Vec<u8>) {
    scratch.clear();
    if word.is_ascii() {
        scratch.extend_from_slice(word.as_bytes());
        porter::stem::<STRICT>(scratch);
        word.clear();
        word.push_str(std::str::from_utf8(scratch).expect("an ASCII word stays ASCII"));
        return;
    }
    let mut distinct: Vec<char> = Vec::new();
    for c in word.chars() {
        if c.is_ascii() {
            scratch.push(c as u8);
            continue;
        }
        // Equal characters get equal bytes, since doubled consonants matter; 127 of them suffice for any word.
        let number = distinct.iter().position(|&seen| seen == c).unwrap_or_else(|| {
            distinct.push(c);
            distinct.len() - 1
        });
        scratch.push(128 + number.min(127) as u8);
    }
    porter::stem::<STRICT>(scratch);
    let kept = scratch.iter().rposition(|&byte| byte >= 128).map_or(0, |last| last + 1);
    let end = word.char_indices().nth(kept).map_or(word.len(), |(at, _)| at);
    word.truncate(end);
    for &byte in &scratch[kept..] {
        word.push(char::from(byte));
    }
}

#[cfg(test)]
mod tests;
