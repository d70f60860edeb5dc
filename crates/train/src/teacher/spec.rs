//! Teachers by a spec string: one by its name, or several that are normalised, averaged and scaled.
//!
//! ```text
//! dense
//! file(scores.tsv)
//! cross(models/reranker)
//! 30*min-max(bm25 + dense + maxsim)
//! ```
//!
//! Names are those of a run's sources.

use std::fmt;
use std::str::FromStr;

use super::{Ensemble, Member, Normaliser, Teacher};
use crate::error::{Error, Result};
use crate::spec::Source;

/// Which teachers, and how their scores become one.
#[derive(Clone, Debug, PartialEq)]
pub struct TeacherSpec {
    /// What the mean is multiplied with.
    pub scale: f32,
    /// What is done to each one's scores first.
    pub normaliser: Normaliser,
    /// The names of the sources.
    pub members: Vec<String>,
}

impl TeacherSpec {
    /// Puts the teachers that are named together; `find` returns one by its name.
    ///
    /// # Errors
    /// What `find` says.
    pub fn build<'a>(
        &self,
        find: &dyn Fn(&str) -> Result<&'a dyn Teacher>,
    ) -> Result<Ensemble<'a>> {
        let member = |name: &String| -> Result<Member<'a>> {
            Ok(Member { teacher: find(name)?, weight: 1.0, normaliser: self.normaliser })
        };
        let members = self.members.iter().map(member).collect::<Result<_>>()?;
        Ensemble::new(members, self.scale)
    }
}

impl FromStr for TeacherSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (scale, source) = Source { what: "teacher", text }.factor()?;
        let (rest, plain) = (source.text, "none".parse()?);
        let (normaliser, names) = match rest.split_once('(') {
            Some((name, inner)) if !["file", "cross"].contains(&name.trim()) => {
                let inner = inner.strip_suffix(')');
                let inner = inner.ok_or_else(|| source.expected(rest.len(), "`)`"))?;
                let expected = "none, min-max, z or rank, or a name";
                let normaliser = name.trim().parse::<Normaliser>();
                (normaliser.map_err(|_| source.expected(0, expected))?, inner)
            }
            _ => (plain, rest),
        };
        let members: Vec<String> = names.split('+').map(|name| name.trim().to_owned()).collect();
        if members.iter().any(String::is_empty) {
            return Err(source.expected(0, "names of teachers with `+` between them"));
        }
        Ok(Self { scale: scale as f32, normaliser, members })
    }
}

impl fmt::Display for TeacherSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scale != 1.0 {
            write!(f, "{}*", self.scale)?;
        }
        let members = self.members.join(" + ");
        match self.normaliser.to_string().as_str() {
            "none" if self.members.len() == 1 => f.write_str(&members),
            normaliser => write!(f, "{normaliser}({members})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_come_back_as_they_were_written() {
        for spec in [
            "dense",
            "file(a.tsv)",
            "cross(models/a)",
            "30*min-max(bm25 + dense)",
            "z(a + b)",
            "2*rank(a)",
        ] {
            assert_eq!(spec.parse::<TeacherSpec>().unwrap().to_string(), spec);
        }
        for wrong in ["", "x*dense", "min-max(dense", "mad(dense)", "dense + ", "-1*dense"] {
            assert!(wrong.parse::<TeacherSpec>().is_err(), "{wrong}");
        }
    }
}
