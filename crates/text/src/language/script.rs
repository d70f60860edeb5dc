//! Letters counted by script, in the coarse classes that tell languages apart.
//!
//! A script is told by its blocks of the Unicode standard.

use super::Language;

macro_rules! scripts {
    ($($script:ident $language:expr, $pattern:pat),* $(,)?) => {
        /// A script, as far as it matters for telling languages apart.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Script {
            $(#[doc = concat!("The script called ", stringify!($script), ".")] $script,)*
            /// Any other.
            Other,
        }

        const SCRIPTS: &[Script] = &[$(Script::$script,)* Script::Other];

        impl Script {
            fn of(c: char) -> Script {
                match c { $($pattern => Script::$script,)* _ => Script::Other }
            }

            /// Returns the one language of the table that is written in this script.
            pub(super) fn language(self) -> Option<Language> {
                match self { $(Script::$script => $language,)* Script::Other => None }
            }
        }
    };
}

scripts! {
    Latin None, 'A'..='Z' | 'a'..='z' | '\u{AA}'..='\u{24F}' | '\u{250}'..='\u{2AF}'
        | '\u{1E00}'..='\u{1EFF}' | '\u{2C60}'..='\u{2C7F}' | '\u{A720}'..='\u{A7FF}'
        | '\u{FF21}'..='\u{FF5A}',
    Cyrillic None, '\u{400}'..='\u{52F}' | '\u{1C80}'..='\u{1C8F}' | '\u{A640}'..='\u{A69F}',
    Arabic None, '\u{600}'..='\u{6FF}' | '\u{750}'..='\u{77F}' | '\u{8A0}'..='\u{8FF}'
        | '\u{FB50}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}',
    Hebrew None, '\u{590}'..='\u{5FF}' | '\u{FB1D}'..='\u{FB4F}',
    Devanagari None, '\u{900}'..='\u{97F}',
    Han Some(Language::Chinese), '\u{3005}'..='\u{3007}' | '\u{3400}'..='\u{4DBF}'
        | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}',
    Kana Some(Language::Japanese), '\u{3041}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}'
        | '\u{FF66}'..='\u{FF9F}',
    Hangul Some(Language::Korean), '\u{1100}'..='\u{11FF}' | '\u{3131}'..='\u{318F}'
        | '\u{A960}'..='\u{A97F}' | '\u{AC00}'..='\u{D7FF}' | '\u{FFA0}'..='\u{FFDC}',
    Greek Some(Language::Greek), '\u{370}'..='\u{3FF}' | '\u{1F00}'..='\u{1FFF}',
    Thai Some(Language::Thai), '\u{E00}'..='\u{E7F}',
    Georgian Some(Language::Georgian), '\u{10A0}'..='\u{10FF}' | '\u{1C90}'..='\u{1CBF}',
    Armenian Some(Language::Armenian), '\u{530}'..='\u{58F}',
    Ethiopic Some(Language::Amharic), '\u{1200}'..='\u{139F}',
    Khmer Some(Language::Khmer), '\u{1780}'..='\u{17FF}',
    Myanmar Some(Language::Burmese), '\u{1000}'..='\u{109F}',
    Bengali Some(Language::Bengali), '\u{980}'..='\u{9FF}',
    Gurmukhi Some(Language::Punjabi), '\u{A00}'..='\u{A7F}',
    Gujarati Some(Language::Gujarati), '\u{A80}'..='\u{AFF}',
    Oriya Some(Language::Oriya), '\u{B00}'..='\u{B7F}',
    Tamil Some(Language::Tamil), '\u{B80}'..='\u{BFF}',
    Telugu Some(Language::Telugu), '\u{C00}'..='\u{C7F}',
    Kannada Some(Language::Kannada), '\u{C80}'..='\u{CFF}',
    Malayalam Some(Language::Malayalam), '\u{D00}'..='\u{D7F}',
    Sinhala Some(Language::Sinhala), '\u{D80}'..='\u{DFF}',
}

/// How many letters there are of each script.
#[derive(Debug)]
pub(super) struct Tally {
    counts: [usize; SCRIPTS.len()],
}

impl Tally {
    pub(super) fn of(text: &str) -> Self {
        let mut counts = [0; SCRIPTS.len()];
        for c in text.chars().filter(|c| c.is_alphabetic()) {
            counts[Script::of(c) as usize] += 1;
        }
        Self { counts }
    }

    pub(super) fn letters(&self) -> usize {
        self.counts.iter().sum()
    }

    /// The script of most letters, where a letter of Han, kana or Hangul counts threefold, as it stands for about that
    /// many of an alphabet: `GPU と CPU の比較` is Japanese. Chinese and Japanese share Han, so Han and kana count together, and a twentieth of
    /// kana makes it Japanese: Chinese text has a stray の at most.
    pub(super) fn main(&self) -> Option<Script> {
        let mut counts = self.counts;
        for script in [Script::Han, Script::Kana, Script::Hangul] {
            counts[script as usize] *= 3;
        }
        let (han, kana) = (Script::Han as usize, Script::Kana as usize);
        let both = counts[han] + counts[kana];
        let (winner, loser) = if counts[kana] * 20 >= both { (kana, han) } else { (han, kana) };
        counts[winner] = both;
        counts[loser] = 0;
        // Of equal counts the script that stands first in the list wins.
        let best = (0..counts.len()).rev().max_by_key(|&script| counts[script])?;
        (counts[best] > 0).then_some(SCRIPTS[best])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_letters_only() {
        let tally = Tally::of("ab1 漢字のγ!");
        assert_eq!(tally.letters(), 6);
        assert_eq!(tally.main(), Some(Script::Kana));
        assert_eq!(Tally::of("12 !").main(), None);
    }

    #[test]
    fn most_letters_win() {
        assert_eq!(Tally::of("の GPU cluster").main(), Some(Script::Latin));
        assert_eq!(Tally::of(&format!("{}の", "漢".repeat(40))).main(), Some(Script::Han));
        assert_eq!(Tally::of(&format!("{}のを", "漢".repeat(30))).main(), Some(Script::Kana));
    }
}
