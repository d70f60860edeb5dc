//! What can be wrong with a recipe.

use ecphory_core::ErrorKind;
use ecphory_core::nearest::hint;

use crate::loss::LossError;

/// Why a recipe is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// No recipe has this name.
    #[error("there is no recipe `{name}`, nor a file of that name{}", hint(nearest.as_deref()))]
    UnknownRecipe {
        /// The name as it was given.
        name: String,
        /// The nearest one.
        nearest: Option<String>,
    },

    /// A recipe is no TOML, or its settings are not those of a recipe.
    #[error("recipe `{source_name}`: {error}")]
    Recipe {
        /// The name, the file or the change.
        source_name: String,
        /// What the parser says, with the place.
        error: toml::de::Error,
    },

    /// A change of a setting is not written as one.
    #[error("`{assignment}` is not key=value")]
    Assignment {
        /// The change as it was given.
        assignment: String,
    },

    /// A change names no setting.
    #[error("there is no setting `{key}`{}", hint(nearest.as_deref()))]
    UnknownSetting {
        /// The name as it was given.
        key: String,
        /// The nearest one.
        nearest: Option<String>,
    },

    /// A change names a setting that only recipes of another kind have.
    #[error("`{name}` has no setting `{key}`: it {why}")]
    ForeignSetting {
        /// The setting.
        key: String,
        /// The recipe.
        name: String,
        /// What the recipe does instead.
        why: &'static str,
    },

    /// A loss reads what batches of the recipe do not have.
    #[error("{key}: {error}")]
    UnfitLoss {
        /// The setting.
        key: &'static str,
        /// What the loss says of the smallest batch.
        error: LossError,
    },

    /// A setting has a value that means nothing.
    #[error("{key} has to be {range}")]
    OutOfRange {
        /// The setting.
        key: &'static str,
        /// What it can be.
        range: &'static str,
    },
}

impl RecipeError {
    /// Returns the kind of error, which decides exit codes.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }
}
