//! Recipes: what is trained, on which batches, with which loss and for how long, as a short TOML file.
//!
//! A recipe has a name that is built in ([`Recipe::named`]), or is a file. Either way it is a value that prints as
//! the TOML that would give it again; single settings are changed by `key=value` ([`Recipe::with`]), where the
//! key is the path of a setting that is there (`optimiser.learning_rate=1e-5`).
//!
//! A [`Recipe`] learns from judged pairs. A [`ViewRecipe`] learns without labels, a [`RoundRecipe`] against a
//! ranker. [`Method`] is any of them.

mod method;
mod problem;
mod rounds;
mod settings;
mod views;
mod written;

use std::fmt;

use ecphory_core::nearest::nearest;

use crate::error::{Error, Result};
pub use method::Method;
pub use problem::RecipeError;
pub use rounds::{
    Found, HeldOut, Lengths, OwnCandidates, RankerNetwork, RoundRecipe, Turns, WarmUp,
};
pub(crate) use rounds::{RANKER, RETRIEVER};
pub use settings::{
    Algorithm, Batches, Encoding, ForeignKind, ForeignSource, Negatives, Optimisation, PairDraw,
    Recipe, Schedule, Tier,
};
pub(crate) use settings::{DENSE, LEXICAL, RANDOM};
pub use views::{Descent, Steps, ViewBatches, ViewEncoding, ViewRecipe};
pub(crate) use written::Written;

/// The recipes that are built in, each with its file.
const NAMED: [(&str, &str); 9] = [
    ("dense", include_str!("dense.toml")),
    ("sparse", include_str!("sparse.toml")),
    ("late", include_str!("late.toml")),
    ("cross", include_str!("cross.toml")),
    ("tas-b", include_str!("tas-b.toml")),
    ("cet", include_str!("cet.toml")),
    ("jacolbert25", include_str!("jacolbert25.toml")),
    ("colberter", include_str!("colberter.toml")),
    ("inference-free", include_str!("inference-free.toml")),
];

impl Recipe {
    /// Returns a recipe that is built in.
    ///
    /// # Errors
    /// Where none has this name.
    pub fn named(name: &str) -> Result<Self> {
        Self::parse(name, built_in(name, NAMED.iter())?)
    }

    /// Returns the names of the recipes that are built in.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMED.iter().map(|(name, _)| *name)
    }

    /// Reads a recipe from TOML; `source` names it in errors.
    ///
    /// # Errors
    /// Where the text is no TOML, lacks a setting, has one that is not known, or one is out of its range.
    pub fn parse(source: &str, text: &str) -> Result<Self> {
        written::parse(source, text)
    }

    /// Changes settings, each given as `key=value`; of two for one setting the later one holds.
    ///
    /// # Errors
    /// Where there is no such setting, the value is not one of it, or together they make no recipe.
    pub fn with<'a>(&self, assignments: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        written::with(self, assignments)
    }
}

/// Finds the file of a recipe among some that are built in.
fn built_in<'a>(
    name: &str,
    mut listed: impl Iterator<Item = &'a (&'static str, &'static str)> + Clone,
) -> Result<&'static str> {
    let names = listed.clone().map(|(known, _)| *known);
    let found = listed.find(|(known, _)| *known == name);
    found.map(|(_, text)| *text).ok_or_else(|| {
        let nearest = nearest(name, names).map(str::to_owned);
        Error::from(RecipeError::UnknownRecipe { name: name.to_owned(), nearest })
    })
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        written::print(self, f)
    }
}

#[cfg(test)]
mod tests;
