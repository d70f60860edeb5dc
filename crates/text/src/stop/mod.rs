//! Stop lists: words so common that an analyser leaves them out.
//!
//! English is the set of 33 words that Lucene's `EnglishAnalyzer` uses; the other languages have the
//! lists of the Snowball project. A look-up costs one hash of the word.

mod snowball;

use rustc_hash::FxHashSet;
use std::sync::OnceLock;

/// `EnglishAnalyzer.ENGLISH_STOP_WORDS_SET` of Lucene.
const ENGLISH: &str = "a an and are as at be but by for if in into is it no not of on or such that the their \
    then there these they this to was will with";

macro_rules! lists {
    ($($variant:ident $name:literal $code:literal $words:expr),* $(,)?) => {
        /// A stop list by its language.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum StopList {
            $(#[doc = concat!("The list called `", $name, "`.")] $variant,)*
        }

        impl StopList {
            /// Every list, in the order of the enum.
            pub const ALL: &'static [StopList] = &[$(StopList::$variant),*];

            /// Returns the name by which a spec string calls it.
            pub fn name(self) -> &'static str {
                match self { $(StopList::$variant => $name,)* }
            }

            /// Finds a list by its name or by the two letters of its language.
            pub fn find(name: &str) -> Option<StopList> {
                match name { $($name | $code => Some(StopList::$variant),)* _ => None }
            }

            fn text(self) -> &'static str {
                match self { $(StopList::$variant => $words,)* }
            }
        }
    };
}

lists! {
    English "english" "en" ENGLISH,
    Danish "danish" "da" snowball::DANISH,
    Dutch "dutch" "nl" snowball::DUTCH,
    Finnish "finnish" "fi" snowball::FINNISH,
    French "french" "fr" snowball::FRENCH,
    German "german" "de" snowball::GERMAN,
    Hungarian "hungarian" "hu" snowball::HUNGARIAN,
    Italian "italian" "it" snowball::ITALIAN,
    Norwegian "norwegian" "no" snowball::NORWEGIAN,
    Portuguese "portuguese" "pt" snowball::PORTUGUESE,
    Russian "russian" "ru" snowball::RUSSIAN,
    Spanish "spanish" "es" snowball::SPANISH,
    Swedish "swedish" "sv" snowball::SWEDISH,
}

impl StopList {
    /// Returns the words of the list.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        self.text().split_ascii_whitespace()
    }

    /// Returns the list as a set. It is made at the first call and kept.
    pub(crate) fn set(self) -> &'static StopSet {
        static SETS: [OnceLock<StopSet>; StopList::ALL.len()] =
            [const { OnceLock::new() }; StopList::ALL.len()];
        SETS[self as usize].get_or_init(|| StopSet::new(self.words()))
    }
}

/// The words of a list, ready to be asked.
#[derive(Debug)]
pub(crate) struct StopSet {
    words: FxHashSet<&'static str>,
    longest: usize,
}

impl StopSet {
    fn new(words: impl Iterator<Item = &'static str>) -> Self {
        let words: FxHashSet<&'static str> = words.collect();
        let longest = words.iter().map(|word| word.len()).max().unwrap_or(0);
        Self { words, longest }
    }

    /// Whether a lower-case word is in the list.
    #[inline]
    pub(crate) fn contains(&self, word: &str) -> bool {
        word.len() <= self.longest && self.words.contains(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_their_sizes() {
        let sizes: Vec<usize> = StopList::ALL.iter().map(|list| list.set().words.len()).collect();
        for (list, size) in StopList::ALL.iter().zip(&sizes) {
            assert_eq!(list.words().count(), *size, "{} has a double", list.name());
            assert_eq!(StopList::find(list.name()), Some(*list));
        }
        assert_eq!(sizes[0], 33);
        assert!(sizes[1..].iter().all(|&size| size > 80), "{sizes:?}");
    }

    #[test]
    fn words_are_lower_case() {
        for list in StopList::ALL {
            assert!(list.words().all(|word| word == word.to_lowercase()), "{}", list.name());
        }
    }

    #[test]
    fn knows_its_words() {
        assert!(StopList::German.set().contains("würde"));
        assert!(StopList::Russian.set().contains("потому"));
        assert!(!StopList::English.set().contains("from"));
    }
}
