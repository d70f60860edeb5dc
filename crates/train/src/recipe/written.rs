//! What recipes of all kinds share: they are TOML, their settings are changed by `key=value`, and they print as what gives them again.

use std::fmt;

use ecphory_core::nearest::nearest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::RecipeError;
use crate::error::{Error, Result};

/// A recipe of some kind.
pub(crate) trait Written: Serialize + DeserializeOwned + Clone {
    /// Says which setting is out of its range.
    fn check(&self) -> Result<()>;
}

/// Reads a recipe; `source` names it in errors.
pub(super) fn parse<R: Written>(source: &str, text: &str) -> Result<R> {
    let recipe: R = toml::from_str(text).map_err(|error| {
        Error::from(RecipeError::Recipe { source_name: source.to_owned(), error })
    })?;
    recipe.check()?;
    Ok(recipe)
}

/// Changes settings, each given as `key=value`; of two for one setting the later one holds.
pub(super) fn with<'a, R: Written>(
    recipe: &R,
    assignments: impl IntoIterator<Item = &'a str>,
) -> Result<R> {
    let mut recipe = recipe.clone();
    for assignment in assignments {
        recipe = set(&recipe, assignment)?;
    }
    recipe.check()?;
    Ok(recipe)
}

fn set<R: Written>(recipe: &R, assignment: &str) -> Result<R> {
    let malformed = || Error::from(RecipeError::Assignment { assignment: assignment.to_owned() });
    let (key, text) = assignment.split_once('=').ok_or_else(malformed)?;
    let (key, text) = (key.trim(), text.trim());
    let mut table = table(recipe);
    let known = keys(&table);
    let place = setting(&mut table, key).ok_or_else(|| {
        Error::from(RecipeError::UnknownSetting {
            key: key.to_owned(),
            nearest: nearest_setting(key, &known),
        })
    })?;
    *place = match toml::from_str::<Table>(&format!("value = {text}")) {
        Ok(mut parsed) => parsed.remove("value").ok_or_else(malformed)?,
        // Names and formulas need no quotes.
        Err(_) => Value::String(text.to_owned()),
    };
    let changed = Value::Table(table);
    let recipe: R = changed.try_into().map_err(|error| {
        Error::from(RecipeError::Recipe { source_name: format!("--set {assignment}"), error })
    })?;
    Ok(recipe)
}

/// Prints a recipe as TOML.
pub(super) fn print<R: Serialize>(recipe: &R, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = toml::to_string(recipe).map_err(|_| fmt::Error)?;
    f.write_str(&text)
}

/// Returns whether a recipe has a setting.
pub(super) fn has<R: Written>(recipe: &R, key: &str) -> bool {
    setting(&mut table(recipe), key).is_some()
}

fn table<R: Written>(recipe: &R) -> Table {
    Table::try_from(recipe).expect("a recipe is made of numbers, texts and tables")
}

/// The paths of all settings.
fn keys(table: &Table) -> Vec<String> {
    let of = |(name, value): (&String, &Value)| match value {
        Value::Table(inner) => inner.keys().map(|key| format!("{name}.{key}")).collect::<Vec<_>>(),
        _ => vec![name.clone()],
    };
    table.iter().flat_map(of).collect()
}

fn nearest_setting(key: &str, keys: &[String]) -> Option<String> {
    // `learning_rate` is meant for the one there is.
    let last = |known: &str| known.rsplit('.').next().unwrap_or_default().to_owned();
    let whole = nearest(key, keys.iter().map(String::as_str));
    let parts: Vec<String> = keys.iter().map(|known| last(known)).collect();
    let part = nearest(key, parts.iter().map(String::as_str));
    let of_part = part.and_then(|part| keys.iter().find(|known| last(known) == part));
    of_part.map(String::as_str).or(whole).map(str::to_owned)
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
