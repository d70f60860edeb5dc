//! Recipes of any kind, by name.

use std::fmt;

use toml::Table;

use super::written::{self, Written};
use super::{NAMED, Recipe, RecipeError, RoundRecipe, ViewRecipe, built_in};
use crate::error::{Error, Result};

/// A recipe of any kind: which of them a file is, its settings say.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// From judged pairs.
    Pairs(Recipe),
    /// From views of documents, without labels.
    Views(ViewRecipe),
    /// From judged pairs, against a ranker.
    Rounds(RoundRecipe),
}

/// The recipes that are built in and do not learn from pairs alone, each with its file.
const OTHERS: [(&str, &str); 2] =
    [("contriever", include_str!("contriever.toml")), ("ar2", include_str!("ar2.toml"))];

impl Method {
    /// Returns a recipe that is built in.
    ///
    /// # Errors
    /// Where none has this name.
    pub fn named(name: &str) -> Result<Self> {
        Self::parse(name, built_in(name, NAMED.iter().chain(&OTHERS))?)
    }

    /// Returns the names of all recipes that are built in.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMED.iter().chain(&OTHERS).map(|(name, _)| *name)
    }

    /// Reads a recipe from TOML; `source` names it in errors.
    ///
    /// # Errors
    /// As [`Recipe::parse`].
    pub fn parse(source: &str, text: &str) -> Result<Self> {
        let table: Table = toml::from_str(text).map_err(|error| {
            Error::from(RecipeError::Recipe { source_name: source.to_owned(), error })
        })?;
        if table.contains_key("view") {
            return written::parse(source, text).map(Self::Views);
        }
        if table.contains_key("rounds") {
            return written::parse(source, text).map(Self::Rounds);
        }
        written::parse(source, text).map(Self::Pairs)
    }

    /// Changes settings, each given as `key=value`.
    ///
    /// # Errors
    /// As [`Recipe::with`]; a setting that only recipes of another kind have says so.
    pub fn with<'a>(&self, assignments: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        match self {
            Self::Pairs(recipe) => recipe.with(assignments).map(Self::Pairs),
            Self::Views(recipe) => {
                let why = "learns from views of documents and reads no labels";
                changed(recipe, &recipe.name, why, assignments).map(Self::Views)
            }
            Self::Rounds(recipe) => {
                let why = "learns from its ranker, over what the retriever finds";
                changed(recipe, &recipe.name, why, assignments).map(Self::Rounds)
            }
        }
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Pairs(recipe) => &recipe.name,
            Self::Views(recipe) => &recipe.name,
            Self::Rounds(recipe) => &recipe.name,
        }
    }
}

/// Changes settings of a recipe that lacks some which others have.
fn changed<'a, R: Written>(
    recipe: &R,
    name: &str,
    why: &'static str,
    assignments: impl IntoIterator<Item = &'a str>,
) -> Result<R> {
    written::with(recipe, assignments).map_err(|error| match error {
        Error::Recipe(RecipeError::UnknownSetting { key, nearest }) => {
            let is_foreign = Recipe::named("dense").is_ok_and(|dense| written::has(&dense, &key));
            Error::from(if is_foreign {
                RecipeError::ForeignSetting { key, name: name.to_owned(), why }
            } else {
                RecipeError::UnknownSetting { key, nearest }
            })
        }
        error => error,
    })
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pairs(recipe) => recipe.fmt(f),
            Self::Views(recipe) => recipe.fmt(f),
            Self::Rounds(recipe) => recipe.fmt(f),
        }
    }
}
