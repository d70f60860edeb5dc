//! Where a tape finds the parameters: their values, and the same values packed for the products of a step.

use std::sync::OnceLock;

use ecphory_kernels::nn::{Packed, Rows};

use super::parameters::Parameters;

/// Parameters and what is made of them until they move.
pub(crate) struct Store {
    parameters: Parameters,
    packs: Vec<Packs>,
    /// How often the parameters may have moved.
    version: u64,
}

/// The two forms of the weight of a linear map, each packed when it is first asked for.
#[derive(Default)]
struct Packs {
    /// For `x · Wᵀ`.
    forward: OnceLock<Packed>,
    /// For `d · W`.
    backward: OnceLock<Packed>,
}

impl Store {
    /// Takes the parameters of a model.
    pub(crate) fn new(parameters: Parameters) -> Self {
        let mut packs = Vec::new();
        packs.resize_with(parameters.len(), Packs::default);
        Self { parameters, packs, version: 0 }
    }

    /// Returns the parameters.
    pub(crate) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Returns the parameters to be moved; what was made of them is forgotten.
    pub(crate) fn parameters_mut(&mut self) -> &mut Parameters {
        self.version += 1;
        self.packs.fill_with(Packs::default);
        &mut self.parameters
    }

    /// Returns a number that is another one once the parameters may have moved.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Returns the values of a parameter.
    pub(super) fn values(&self, parameter: usize) -> &[f32] {
        self.parameters[parameter].values()
    }

    /// Returns whether any of some parameters gets a gradient.
    pub(super) fn any_trainable(&self, parameters: impl IntoIterator<Item = usize>) -> bool {
        parameters.into_iter().any(|index| self.parameters[index].is_trainable())
    }

    /// Returns the weight of a linear map so that `x · Wᵀ` can be computed.
    pub(super) fn forward(&self, weight: usize) -> &Packed {
        self.packs[weight].forward.get_or_init(|| {
            let rows = self.rows(weight);
            Packed::by_columns(rows.columns(), rows.count(), |column, out| {
                out.copy_from_slice(rows.row(column));
            })
        })
    }

    /// Returns the weight of a linear map so that `d · W` can be computed.
    pub(super) fn backward(&self, weight: usize) -> &Packed {
        self.packs[weight].backward.get_or_init(|| {
            let mut packed = Packed::default();
            packed.set(self.rows(weight));
            packed
        })
    }

    fn rows(&self, weight: usize) -> Rows<'_> {
        let parameter = &self.parameters[weight];
        Rows::dense(parameter.values(), parameter.columns())
    }
}
