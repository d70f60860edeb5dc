//! An encoder that runs and learns.

use std::path::Path;

use ecphory_model::{Gradients, Recording, Role, TermHead, TrainableEncoder};

use super::{Body, Sides};
use crate::data::{Text, TrainingData};
use crate::error::{Error, Result};
use crate::matching::StateSlopes;
use crate::optimiser::{Slot, Tensors, Update, moving, set_moving};
use crate::ragged::Ragged;
use crate::recipe::Encoding;
use crate::vocabulary::Vocabulary;

/// A transformer over the texts of a data set.
pub struct Live<'a> {
    data: &'a TrainingData,
    encoding: Encoding,
    encoder: TrainableEncoder,
    gradients: Gradients,
    recording: Option<Recording>,
    vocabulary: Option<&'a Vocabulary>,
}

/// The tokens of a text, and the numbers of their words where there is a vocabulary.
struct Tokens {
    ids: Vec<u32>,
    words: Vec<u32>,
}

fn sequences(tokens: &[Tokens]) -> Vec<&[u32]> {
    tokens.iter().map(|one| &one.ids[..]).collect()
}

impl<'a> Live<'a> {
    /// Runs an encoder over texts, cut as a recipe says.
    pub fn new(data: &'a TrainingData, encoding: Encoding, encoder: TrainableEncoder) -> Self {
        let gradients = Gradients::new(encoder.parameters());
        Self { data, encoding, encoder, gradients, recording: None, vocabulary: None }
    }

    /// Gives rows of states their terms.
    #[must_use]
    pub fn with_terms(mut self, vocabulary: &'a Vocabulary) -> Self {
        self.vocabulary = Some(vocabulary);
        self
    }

    /// Gives the rows of states the terms of their tokens.
    fn marked(&self, mut states: Ragged, read: &[Tokens]) -> Ragged {
        if let Some(vocabulary) = self.vocabulary {
            states.terms =
                read.iter().flat_map(|one| vocabulary.terms(&one.ids, &one.words)).collect();
        }
        states
    }

    fn tokens(&self, role: Role, numbers: &[u32]) -> Result<Vec<Tokens>> {
        let texts = match role {
            Role::Query => self.data.queries(),
            Role::Document => self.data.documents(),
        };
        let most = self.encoding.tokens(role);
        let one = |&number: &u32| -> Result<Tokens> {
            let Text { text, .. } = &texts[number as usize];
            if self.vocabulary.is_none() {
                let ids = cut(self.encoder.tokens_as(text, role)?, most);
                return Ok(Tokens { ids, words: Vec::new() });
            }
            let (ids, words) = self.encoder.numbered_as(text, role)?;
            Ok(Tokens { ids: cut(ids, most), words: cut(words, most) })
        };
        numbers.iter().map(one).collect()
    }
}

impl Body for Live<'_> {
    fn columns(&self) -> usize {
        self.encoder.hidden()
    }

    fn vocabulary(&self) -> Option<&Vocabulary> {
        self.vocabulary
    }

    fn read(&self, role: Role, numbers: &[u32]) -> Result<Ragged> {
        let tokens = self.tokens(role, numbers)?;
        let recording = self.encoder.forward(&sequences(&tokens));
        Ok(self.marked(Ragged::from(&recording), &tokens))
    }

    /// Queries and documents go through the encoder together: short queries fill no batch of their own.
    fn forward(&mut self, queries: &[u32], documents: &[u32]) -> Result<Sides> {
        let mut tokens = self.tokens(Role::Query, queries)?;
        tokens.extend(self.tokens(Role::Document, documents)?);
        let recording = self.encoder.forward(&sequences(&tokens));
        let states = self.marked(Ragged::from(&recording), &tokens);
        self.recording = Some(recording);
        Ok(Sides {
            queries: states.slice(0..queries.len()),
            documents: states.slice(queries.len()..states.items()),
        })
    }

    fn backward(&mut self, slopes: StateSlopes) -> Result<()> {
        let recording = self.recording.take().ok_or(Error::Nothing { what: "recordings" })?;
        let mut by_states = slopes.queries;
        by_states.extend(slopes.documents);
        self.gradients.zero();
        self.encoder.backward(recording, &by_states, &mut self.gradients);
        Ok(())
    }

    fn slots(&self, decay: f32) -> Vec<Slot> {
        Slot::of(self.encoder.parameters(), decay)
    }

    fn updates(&mut self) -> Vec<Update<'_>> {
        Update::of(self.encoder.parameters_mut(), &self.gradients)
    }

    fn values(&self) -> Tensors {
        moving(self.encoder.parameters())
    }

    fn set(&mut self, values: &Tensors) -> Result<()> {
        set_moving(self.encoder.parameters_mut(), values)
    }

    fn save(&self, directory: &Path) -> Result<()> {
        Ok(self.encoder.save(directory)?)
    }

    fn save_with_terms(&self, directory: &Path, head: &TermHead<'_>) -> Result<()> {
        Ok(self.encoder.save_with_terms(directory, head)?)
    }
}

/// Cuts tokens as the tokenizer would: the last one, which ends every text, stays.
fn cut(mut tokens: Vec<u32>, most: usize) -> Vec<u32> {
    if tokens.len() > most {
        let end = tokens.pop();
        tokens.truncate(most - 1);
        tokens.extend(end);
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn the_end_of_a_text_stays() {
        assert_eq!(cut(vec![101, 1, 2, 3, 102], 4), [101, 1, 2, 102]);
        assert_eq!(cut(vec![101, 1, 102], 3), [101, 1, 102]);
    }
}
