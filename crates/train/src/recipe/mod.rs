//! Recipes: what is trained, on which batches, with which loss and for how long, as a short TOML file.
//!
//! A recipe has a name that is built in ([`Recipe::named`]), or is a file. Either way it is a value that prints as
//! the TOML that would give it again; single settings are changed by `key=value` ([`Recipe::with`]), where the
//! key is the path of a setting that is there (`optimiser.learning_rate=1e-5`).

mod problem;
mod settings;

use std::fmt;

use ecphory_core::nearest::nearest;
use toml::{Table, Value};

use crate::error::{Error, Result};
pub use problem::RecipeError;
pub use settings::{
    Algorithm, Batches, Encoding, ForeignKind, ForeignSource, Negatives, Optimisation, PairDraw,
    Recipe, Schedule, Tier,
};
pub(crate) use settings::{DENSE, LEXICAL, RANDOM};

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
        let found = NAMED.iter().find(|(known, _)| *known == name);
        let (_, text) = found.ok_or_else(|| {
            Error::from(RecipeError::UnknownRecipe {
                name: name.to_owned(),
                nearest: nearest(name, Self::names()).map(str::to_owned),
            })
        })?;
        Self::parse(name, text)
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
        let recipe: Self = toml::from_str(text).map_err(|error| {
            Error::from(RecipeError::Recipe { source_name: source.to_owned(), error })
        })?;
        recipe.check()?;
        Ok(recipe)
    }

    /// Changes settings, each given as `key=value`; of two for one setting the later one holds.
    ///
    /// # Errors
    /// Where there is no such setting, the value is not one of it, or together they make no recipe.
    pub fn with<'a>(&self, assignments: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut recipe = self.clone();
        for assignment in assignments {
            recipe = recipe.set(assignment)?;
        }
        recipe.check()?;
        Ok(recipe)
    }

    fn set(&self, assignment: &str) -> Result<Self> {
        let malformed =
            || Error::from(RecipeError::Assignment { assignment: assignment.to_owned() });
        let (key, text) = assignment.split_once('=').ok_or_else(malformed)?;
        let (key, text) = (key.trim(), text.trim());
        let mut table = self.table();
        let place = setting(&mut table, key).ok_or_else(|| {
            Error::from(RecipeError::UnknownSetting {
                key: key.to_owned(),
                nearest: self.nearest_setting(key),
            })
        })?;
        *place = match toml::from_str::<Table>(&format!("value = {text}")) {
            Ok(mut parsed) => parsed.remove("value").ok_or_else(malformed)?,
            // Names and formulas need no quotes.
            Err(_) => Value::String(text.to_owned()),
        };
        let changed = Value::Table(table);
        let recipe: Self = changed.try_into().map_err(|error| {
            Error::from(RecipeError::Recipe { source_name: format!("--set {assignment}"), error })
        })?;
        Ok(recipe)
    }

    fn table(&self) -> Table {
        Table::try_from(self).expect("a recipe is made of numbers, texts and tables")
    }

    fn nearest_setting(&self, key: &str) -> Option<String> {
        let table = self.table();
        let keys: Vec<String> = table
            .iter()
            .flat_map(|(name, value)| match value {
                Value::Table(inner) => {
                    inner.keys().map(|key| format!("{name}.{key}")).collect::<Vec<_>>()
                }
                _ => vec![name.clone()],
            })
            .collect();
        // `learning_rate` is meant for the one there is.
        let last = |known: &str| known.rsplit('.').next().unwrap_or_default().to_owned();
        let whole = nearest(key, keys.iter().map(String::as_str));
        let parts: Vec<String> = keys.iter().map(|known| last(known)).collect();
        let part = nearest(key, parts.iter().map(String::as_str));
        let of_part = part.and_then(|part| keys.iter().find(|known| last(known) == part));
        of_part.map(String::as_str).or(whole).map(str::to_owned)
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = toml::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

/// The place of a setting that is there; a table is none.
fn setting<'a>(table: &'a mut Table, key: &str) -> Option<&'a mut Value> {
    let (mut parts, mut table) = (key.split('.'), table);
    let mut part = parts.next()?;
    for next in parts {
        table = table.get_mut(part)?.as_table_mut()?;
        part = next;
    }
    table.get_mut(part).filter(|value| !value.is_table())
}

#[cfg(test)]
mod tests;
