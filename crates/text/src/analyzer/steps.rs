//! What an analyser does, step by step, as a plain value, and its explicit spec: `words(…)` or `whitespace(…)`.

use crate::error::{Result, SpecProblem};
use crate::fold::Elision;
use crate::spec::{Call, Setting, Source};
use crate::stem::Stemmer;
use crate::stop::StopList;
use std::fmt;

/// The steps of an analyser, in the order in which they are applied. Every step but the first two
/// acts on one word at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is an independent step")]
pub struct Steps {
    /// How the text becomes words.
    pub split: Split,
    /// Unicode normalisation of the whole text, before it is split.
    pub normal: Option<Normal>,
    /// Full-width letters made narrow, half-width Katakana made wide, as Lucene's `CJKWidthFilter`.
    pub width: bool,
    /// A trailing `'s` taken off, as Lucene's `EnglishPossessiveFilter`.
    pub possessive: bool,
    /// Elided articles taken off.
    pub elision: Option<Elision>,
    /// Lower case.
    pub lower: bool,
    /// Words left out.
    pub stop: Option<StopList>,
    /// Diacritics taken off.
    pub fold: bool,
    /// The stemmer.
    pub stem: Option<Stemmer>,
    /// Scripts whose characters are joined to overlapping bigrams.
    pub bigrams: Option<Bigrams>,
}

/// How a text becomes words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// By the rules of UAX #29; see [`crate::words`].
    #[default]
    Words,
    /// At white space only.
    Whitespace,
}

/// A normalisation form of UAX #15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normal {
    /// Canonical composition.
    Nfc,
    /// Compatibility composition: `ﬁ` becomes `fi`, `①` becomes `1`.
    Nfkc,
}

/// Scripts whose characters are joined to bigrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bigrams {
    /// Han, Hiragana, Katakana and Hangul, as Lucene's `CJKBigramFilter`.
    Cjk,
    /// These, and the letter clusters of Thai, Lao, Khmer, Burmese and their like.
    Unspaced,
}

impl Bigrams {
    fn name(self) -> &'static str {
        match self {
            Bigrams::Cjk => "cjk",
            Bigrams::Unspaced => "unspaced",
        }
    }
}

const OPTIONS: [&str; 10] =
    ["nfc", "nfkc", "width", "possessive", "elision", "lower", "stop", "fold", "stem", "bigrams"];

impl Steps {
    /// Reads the options of `words(…)` or `whitespace(…)`; they may come in any order.
    pub(super) fn from_call(source: Source<'_>, call: &Call<'_>, split: Split) -> Result<Self> {
        source.unique(call)?;
        let mut steps = Steps { split, ..Steps::default() };
        for setting in &call.options {
            steps.set(source, setting)?;
        }
        Ok(steps)
    }

    fn set(&mut self, source: Source<'_>, setting: &Setting<'_>) -> Result<()> {
        match setting.key {
            "elision" => {
                let all = Elision::ALL.iter().map(|elision| elision.name());
                self.elision = Some(choice(source, setting, "elision", Elision::find, all)?);
            }
            "stop" => {
                let all = StopList::ALL.iter().map(|list| list.name());
                self.stop = Some(choice(source, setting, "stop list", StopList::find, all)?);
            }
            "stem" => {
                let all = Stemmer::ALL.iter().map(|stemmer| stemmer.name());
                self.stem = Some(choice(source, setting, "stemmer", Stemmer::find, all)?);
            }
            "bigrams" => self.set_bigrams(source, setting)?,
            _ => self.switch_on(source, setting)?,
        }
        Ok(())
    }

    fn switch_on(&mut self, source: Source<'_>, setting: &Setting<'_>) -> Result<()> {
        match setting.key {
            "nfc" | "nfkc" => {
                if self.normal.is_some() {
                    let name = setting.key.to_owned();
                    let rule = "is a second normalisation; give one of `nfc` and `nfkc`";
                    return Err(source.error(setting.offset, SpecProblem::Conflict { name, rule }));
                }
                self.normal = Some(if setting.key == "nfc" { Normal::Nfc } else { Normal::Nfkc });
            }
            "width" => self.width = true,
            "possessive" => self.possessive = true,
            "lower" => self.lower = true,
            "fold" => self.fold = true,
            other => return Err(source.unknown(setting.offset, "step", other, OPTIONS)),
        }
        source.switch(setting)
    }

    fn set_bigrams(&mut self, source: Source<'_>, setting: &Setting<'_>) -> Result<()> {
        if self.split == Split::Whitespace {
            let name = setting.key.to_owned();
            let rule = "needs the characters that `words` finds";
            return Err(source.error(setting.offset, SpecProblem::Conflict { name, rule }));
        }
        let find = |name: &str| {
            [Bigrams::Cjk, Bigrams::Unspaced].into_iter().find(|bigrams| bigrams.name() == name)
        };
        let all = [Bigrams::Cjk.name(), Bigrams::Unspaced.name()];
        self.bigrams = Some(choice(source, setting, "set of scripts", find, all)?);
        Ok(())
    }
}

/// Reads a value that is one of a few names.
fn choice<T>(
    source: Source<'_>,
    setting: &Setting<'_>,
    kind: &'static str,
    find: impl Fn(&str) -> Option<T>,
    known: impl IntoIterator<Item = &'static str>,
) -> Result<T> {
    let (name, offset) = source.word(setting)?;
    find(name).ok_or_else(|| source.unknown(offset, kind, name, known))
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let switch = |on: bool, name: &str| on.then(|| name.to_owned());
        let normal = self.normal.map(|normal| match normal {
            Normal::Nfc => "nfc".to_owned(),
            Normal::Nfkc => "nfkc".to_owned(),
        });
        let steps: Vec<String> = [
            normal,
            switch(self.width, "width"),
            switch(self.possessive, "possessive"),
            self.elision.map(|elision| format!("elision={}", elision.name())),
            switch(self.lower, "lower"),
            self.stop.map(|list| format!("stop={}", list.name())),
            switch(self.fold, "fold"),
            self.stem.map(|stemmer| format!("stem={}", stemmer.name())),
            self.bigrams.map(|bigrams| format!("bigrams={}", bigrams.name())),
        ]
        .into_iter()
        .flatten()
        .collect();
        f.write_str(match self.split {
            Split::Words => "words",
            Split::Whitespace => "whitespace",
        })?;
        if steps.is_empty() { Ok(()) } else { write!(f, "({})", steps.join(", ")) }
    }
}
