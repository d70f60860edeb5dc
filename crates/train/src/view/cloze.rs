//! The inverse cloze task: Lee et al. 2019, ORQA.

use super::ViewPair;
use crate::body::PieceText;
use crate::random::Random;

/// A sentence, each being as likely, and the text around it. The sentence is taken out of the text, but for a share of the draws.
///
/// A text of one sentence has nothing around it: there the sentence stays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cloze {
    /// In what share of the draws the sentence stays in the text.
    pub keep: f64,
}

impl Default for Cloze {
    fn default() -> Self {
        Self { keep: 0.1 }
    }
}

impl Cloze {
    /// Cuts the sentence and the rest.
    pub(super) fn pair(self, text: &PieceText, random: &mut Random) -> ViewPair {
        let PieceText { pieces, sentences } = text;
        let number = random.below(sentences.len().max(1));
        let first = sentences.get(number).copied().unwrap_or(0);
        let end = sentences.get(number + 1).copied().unwrap_or(pieces.len());
        let stays = random.unit() < self.keep || end - first == pieces.len();
        let document =
            if stays { pieces.clone() } else { [&pieces[..first], &pieces[end..]].concat() };
        ViewPair { query: pieces[first..end].to_vec(), document }
    }
}
