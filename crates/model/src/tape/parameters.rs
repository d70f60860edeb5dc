//! The parameters of a model that is trained: named tensors whose values move.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::tensor::Tensor;

/// Where in a model a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ParameterGroup {
    /// Tables of embeddings and their norm.
    Embeddings,
    /// A layer, counted from 0, the one after the embeddings.
    Layer(usize),
    /// What belongs to no layer, such as a norm after the last.
    Other,
}

/// One tensor of a model.
#[derive(Clone, Debug)]
pub struct Parameter {
    name: String,
    shape: Vec<usize>,
    values: Vec<f32>,
    group: ParameterGroup,
    is_table: bool,
    trainable: bool,
}

/// The parameters of a model, in the order in which its architecture asks for them.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    all: Vec<Parameter>,
    /// The place of each by file and name.
    places: BTreeMap<(Arc<PathBuf>, String), usize>,
}

impl ParameterGroup {
    /// Reads the group off a tensor's name.
    fn of(name: &str) -> Self {
        let parts = || name.split('.');
        if let Some(layer) = parts().find_map(|part| part.parse().ok()) {
            return ParameterGroup::Layer(layer);
        }
        if parts().any(|part| part == "embeddings") {
            return ParameterGroup::Embeddings;
        }
        ParameterGroup::Other
    }

    /// Returns whether it lies below a layer: for every layer but 0 the embeddings do.
    fn is_below(self, layer: usize) -> bool {
        match self {
            ParameterGroup::Embeddings => layer > 0,
            ParameterGroup::Layer(own) => own < layer,
            ParameterGroup::Other => false,
        }
    }
}

impl Parameter {
    /// Returns the name that the tensor has in its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the dimensions, `[out, in]` for a linear map.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Returns the values, the last dimension lying together.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Returns the values to be moved.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// Returns the name and the values to be moved.
    pub fn named_values_mut(&mut self) -> (&str, &mut [f32]) {
        (&self.name, &mut self.values)
    }

    /// Returns where in the model it is.
    pub fn group(&self) -> ParameterGroup {
        self.group
    }

    /// Returns whether it is a table of which a batch uses some rows: its gradient then is
    /// [`Gradient::Rows`](crate::Gradient::Rows).
    pub fn is_table(&self) -> bool {
        self.is_table
    }

    /// Returns whether it gets a gradient.
    pub fn is_trainable(&self) -> bool {
        self.trainable
    }

    /// Says whether it gets a gradient. Below the first parameter that does, nothing is computed backwards and
    /// nothing is kept.
    pub fn set_trainable(&mut self, trainable: bool) {
        self.trainable = trainable;
    }

    /// Returns how many values a row has.
    pub(crate) fn columns(&self) -> usize {
        self.shape[1..].iter().product()
    }
}

impl Parameters {
    /// Adds a tensor of a file, or finds it where it was added before.
    pub(super) fn add(&mut self, tensor: &Tensor, is_table: bool) -> usize {
        let key = (Arc::clone(&tensor.path), tensor.name.clone());
        let next = self.all.len();
        let place = *self.places.entry(key).or_insert(next);
        if place == next {
            self.all.push(Parameter {
                name: tensor.name.clone(),
                shape: tensor.shape.clone(),
                values: tensor.to_vec(),
                group: ParameterGroup::of(&tensor.name),
                is_table,
                trainable: true,
            });
        }
        self.all[place].is_table &= is_table;
        place
    }

    /// Freezes the layers below a layer, and the embeddings where there is any; trains the others.
    pub fn freeze_below(&mut self, layer: usize) {
        for parameter in &mut self.all {
            parameter.trainable = !parameter.group.is_below(layer);
        }
    }

    /// Returns how many parameters there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Goes through the parameters.
    pub fn iter(&self) -> std::slice::Iter<'_, Parameter> {
        self.all.iter()
    }

    /// Goes through the parameters to move them.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Parameter> {
        self.all.iter_mut()
    }

    /// Returns the values of a tensor of a file.
    pub(crate) fn of_file(&self, path: &Path, name: &str) -> Option<&[f32]> {
        let key = (Arc::new(path.to_owned()), name.to_owned());
        self.places.get(&key).map(|&place| self.all[place].values())
    }
}

impl std::ops::Index<usize> for Parameters {
    type Output = Parameter;

    fn index(&self, index: usize) -> &Parameter {
        &self.all[index]
    }
}

impl std::ops::IndexMut<usize> for Parameters {
    fn index_mut(&mut self, index: usize) -> &mut Parameter {
        &mut self.all[index]
    }
}

impl<'a> IntoIterator for &'a Parameters {
    type Item = &'a Parameter;
    type IntoIter = std::slice::Iter<'a, Parameter>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut Parameters {
    type Item = &'a mut Parameter;
    type IntoIter = std::slice::IterMut<'a, Parameter>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::ParameterGroup::{self, Embeddings, Layer, Other};

    #[test]
    fn groups_are_read_off_the_names() {
        for (name, group) in [
            ("bert.embeddings.word_embeddings.weight", Embeddings),
            ("embeddings.LayerNorm.gamma", Embeddings),
            ("encoder.layer.11.attention.self.query.weight", Layer(11)),
            ("layers.0.mlp.Wi.weight", Layer(0)),
            ("final_norm.weight", Other),
        ] {
            assert_eq!(ParameterGroup::of(name), group, "{name}");
        }
        let frozen = |layer| [Embeddings, Layer(0), Layer(1), Other].map(|g| g.is_below(layer));
        assert_eq!(frozen(0), [false; 4]);
        assert_eq!(frozen(1), [true, true, false, false]);
        assert_eq!(frozen(2), [true, true, true, false]);
    }
}
