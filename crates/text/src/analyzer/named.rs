//! The analysers that have a name, and which one a language gets.

use super::steps::{Bigrams, Normal, Split, Steps};
use crate::fold::Elision;
use crate::language::Language;
use crate::stem::Stemmer;
use crate::stop::StopList;

/// A name and the steps it stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub name: &'static str,
    pub steps: Steps,
}

const PLAIN: Steps = Steps {
    split: Split::Words,
    normal: None,
    width: false,
    possessive: false,
    elision: None,
    lower: true,
    stop: None,
    fold: false,
    stem: None,
    bigrams: None,
};

/// Lower case, the language's stop list, and its Snowball stemmer.
const fn snowball(name: &'static str, stop: Option<StopList>, stemmer: Stemmer) -> Named {
    let steps = Steps { normal: Some(Normal::Nfc), stop, stem: Some(stemmer), ..PLAIN };
    Named { name, steps }
}

const fn with_elision(named: &Named, elision: Elision) -> Named {
    Named { name: named.name, steps: Steps { elision: Some(elision), ..named.steps } }
}

/// Every named analyser. `english` is Lucene's `EnglishAnalyzer` and `cjk` its `CJKAnalyzer` without the stop list.
pub(super) const NAMED: &[Named] = &[
    Named {
        name: "english",
        steps: Steps {
            possessive: true,
            stop: Some(StopList::English),
            stem: Some(Stemmer::Porter),
            ..PLAIN
        },
    },
    Named { name: "raw", steps: Steps { normal: Some(Normal::Nfc), ..PLAIN } },
    Named { name: "cjk", steps: Steps { width: true, bigrams: Some(Bigrams::Cjk), ..PLAIN } },
    Named {
        name: "unspaced",
        steps: Steps {
            normal: Some(Normal::Nfc),
            width: true,
            bigrams: Some(Bigrams::Unspaced),
            ..PLAIN
        },
    },
    snowball("danish", Some(StopList::Danish), Stemmer::Danish),
    snowball("dutch", Some(StopList::Dutch), Stemmer::Dutch),
    snowball("finnish", Some(StopList::Finnish), Stemmer::Finnish),
    with_elision(&snowball("french", Some(StopList::French), Stemmer::French), Elision::French),
    snowball("german", Some(StopList::German), Stemmer::German),
    snowball("hungarian", Some(StopList::Hungarian), Stemmer::Hungarian),
    with_elision(&snowball("italian", Some(StopList::Italian), Stemmer::Italian), Elision::Italian),
    snowball("norwegian", Some(StopList::Norwegian), Stemmer::Norwegian),
    snowball("portuguese", Some(StopList::Portuguese), Stemmer::Portuguese),
    snowball("romanian", None, Stemmer::Romanian),
    snowball("russian", Some(StopList::Russian), Stemmer::Russian),
    snowball("spanish", Some(StopList::Spanish), Stemmer::Spanish),
    snowball("swedish", Some(StopList::Swedish), Stemmer::Swedish),
];

pub(super) fn find(name: &str) -> Option<&'static Named> {
    NAMED.iter().find(|named| named.name == name)
}

/// Returns the analyser for text of a language: its own where there is one, `cjk` or `unspaced` for
/// scripts without spaces, `raw` for the rest.
pub(super) fn for_language(language: Language) -> &'static Named {
    let name = match language {
        Language::Chinese | Language::Japanese | Language::Korean => "cjk",
        Language::Thai | Language::Khmer | Language::Burmese => "unspaced",
        other => other.name(),
    };
    find(name).unwrap_or_else(|| find("raw").expect("`raw` is in the table"))
}
