//! What encoders and cross-encoders that are trained have in common: a transformer on a tape.

use std::path::Path;
use std::sync::Arc;

use ecphory_kernels::Level;

use super::TrainableOptions;
use crate::backbone::{Backbone, BackboneConfig};
use crate::error::{Error, Result};
use crate::executor::TokenBatch;
use crate::tape::{Parameters, Store, Tape, Traced};

/// A transformer, and the parameters of it and of its head.
pub(super) struct TrainableTrunk {
    pub(super) config: BackboneConfig,
    backbone: Backbone<Tape>,
    store: Arc<Store>,
    level: Level,
}

impl TrainableTrunk {
    /// Takes a transformer that was loaded, and all parameters; freezes those below a layer.
    pub(super) fn new(
        model: &Path,
        config: BackboneConfig,
        backbone: Backbone<Tape>,
        mut parameters: Parameters,
        options: &TrainableOptions,
    ) -> Result<Self> {
        let (asked, layers) = (options.freeze_below, config.layers());
        if asked > layers {
            let model = model.display().to_string();
            return Err(Error::FrozenLayers { model, asked, layers });
        }
        parameters.freeze_below(asked);
        let store = Arc::new(Store::new(parameters));
        Ok(Self { config, backbone, store, level: Level::detect() })
    }

    pub(super) fn parameters(&self) -> &Parameters {
        self.store.parameters()
    }

    pub(super) fn parameters_mut(&mut self) -> &mut Parameters {
        let store = Arc::get_mut(&mut self.store);
        store.expect("a tape lives no longer than a call").parameters_mut()
    }

    /// Returns an empty tape over the parameters.
    pub(super) fn tape(&self) -> Tape {
        Tape::new(Arc::clone(&self.store), self.level)
    }

    /// Computes the states of the last layer.
    ///
    /// # Panics
    /// Where a token has no row in the model's table, or a sequence is longer than the model has positions.
    pub(super) fn states(&self, tape: &mut Tape, batch: &TokenBatch) -> Traced {
        let (rows, most) = (self.config.vocabulary(), self.config.max_tokens());
        let outside = batch.tokens.iter().find(|&&token| token as usize >= rows);
        assert!(outside.is_none(), "token {outside:?} of {rows}");
        for span in &batch.spans {
            assert!(span.len() <= most, "{} tokens, {most} have a position", span.len());
        }
        self.backbone.forward(tape, batch)
    }
}
