//! Views: two readings of one text that a learner has to tell from those of other texts.
//!
//! A view is cut out of word pieces, before anything is computed of them: cached states of tokens have seen the whole text, so that what
//! was cut away would still be there. [`ViewSpec`] is a spec string: how a pair is cut, and what each of both then loses, such as
//! `crop(least=0.1, most=0.5) > delete(share=0.1)` (Izacard et al. 2022), or `ict(keep=0.1)` (Lee et al. 2019).
//!
//! Everything is a function of a seed, a step and the number of the text.

mod cloze;
mod crop;
mod delete;
mod spec;
#[cfg(test)]
mod tests;

pub use cloze::Cloze;
pub use crop::Crop;
pub use delete::Delete;

use crate::body::PieceText;
use crate::random::{Purpose, Random};

/// Two views of a text, as pieces: one to search with, and one to find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewPair {
    /// Stands for a query.
    pub query: Vec<u32>,
    /// Stands for the document.
    pub document: Vec<u32>,
}

/// How a pair is cut out of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pairing {
    /// Two spans that know nothing of each other.
    Crop(Crop),
    /// A sentence and the rest (the inverse cloze task).
    Cloze(Cloze),
}

/// How pairs of views are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ViewSpec {
    /// How they are cut.
    pub pairing: Pairing,
    /// What each of both then loses, if anything.
    pub delete: Option<Delete>,
}

impl ViewSpec {
    /// Makes the views of a text in a step. A text with pieces gives views with pieces.
    pub fn pair(&self, text: &PieceText, document: u32, seed: u64, step: u64) -> ViewPair {
        let mut random = Random::new(seed, Purpose::View, [step, document.into()]);
        if text.pieces.is_empty() {
            return ViewPair::default();
        }
        let mut pair = match &self.pairing {
            Pairing::Crop(crop) => crop.pair(&text.pieces, &mut random),
            Pairing::Cloze(cloze) => cloze.pair(text, &mut random),
        };
        if let Some(delete) = &self.delete {
            delete.apply(&mut pair.query, &mut random);
            delete.apply(&mut pair.document, &mut random);
        }
        pair
    }
}
