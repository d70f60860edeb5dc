//! An encoder that runs and learns.

use std::path::Path;

use ecphory_model::{Gradients, Recording, Role, TrainableEncoder};

use super::{Body, Sides};
use crate::data::{Text, TrainingData};
use crate::error::{Error, Result};
use crate::matching::StateSlopes;
use crate::optimiser::{Slot, Tensors, Update, moving, set_moving};
use crate::ragged::Ragged;
use crate::recipe::Encoding;

/// A transformer over the texts of a data set.
pub struct Live<'a> {
    data: &'a TrainingData,
    encoding: Encoding,
    encoder: TrainableEncoder,
    gradients: Gradients,
    recording: Option<Recording>,
}

impl<'a> Live<'a> {
    /// Runs an encoder over texts, cut as a recipe says.
    pub fn new(data: &'a TrainingData, encoding: Encoding, encoder: TrainableEncoder) -> Self {
        let gradients = Gradients::new(encoder.parameters());
        Self { data, encoding, encoder, gradients, recording: None }
    }

    fn tokens(&self, role: Role, numbers: &[u32]) -> Result<Vec<Vec<u32>>> {
        let texts = match role {
            Role::Query => self.data.queries(),
            Role::Document => self.data.documents(),
        };
        let most = self.encoding.tokens(role);
        let one = |&number: &u32| -> Result<Vec<u32>> {
            let Text { text, .. } = &texts[number as usize];
            Ok(cut(self.encoder.tokens_as(text, role)?, most))
        };
        numbers.iter().map(one).collect()
    }
}

impl Body for Live<'_> {
    fn columns(&self) -> usize {
        self.encoder.hidden()
    }

    fn read(&self, role: Role, numbers: &[u32]) -> Result<Ragged> {
        let tokens = self.tokens(role, numbers)?;
        let sequences: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
        Ok(Ragged::from(&self.encoder.forward(&sequences)))
    }

    /// Queries and documents go through the encoder together: short queries fill no batch of their own.
    fn forward(&mut self, queries: &[u32], documents: &[u32]) -> Result<Sides> {
        let mut tokens = self.tokens(Role::Query, queries)?;
        tokens.extend(self.tokens(Role::Document, documents)?);
        let sequences: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
        let recording = self.encoder.forward(&sequences);
        let states = Ragged::from(&recording);
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
