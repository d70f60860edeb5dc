//! Phases: which of several players learns when (Zhang et al. 2022, AR2: a ranker and a retriever in turn).

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::spec::{Source, number};

/// Players that take turns, each for its number of steps, round after round.
///
/// As a spec string `alternate(ranker=500, retriever=1500)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phases {
    players: Vec<(String, u64)>,
}

/// Where a step falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase<'a> {
    /// Whose turn it is.
    pub player: &'a str,
    /// Which round it is, from 0.
    pub round: u64,
    /// Which step of the turn it is, from 0. A round begins where it is 0 and the player is the first.
    pub step: u64,
    /// How many steps this player has made in all, which is what its own schedule counts.
    pub player_step: u64,
}

impl Phases {
    /// Takes the players in the order of their turns.
    ///
    /// # Errors
    /// Where there are none, a name cannot stand in a spec string or is there twice, or a turn has no steps.
    pub fn new(players: Vec<(String, u64)>) -> Result<Self> {
        let phases = Self { players };
        // The parser knows the rules, but a name that holds punctuation would come back as something else.
        let text = phases.to_string();
        let parsed: Self = text.parse()?;
        let (setting, expected) = ("players", "names of letters, digits, `-`, `_`");
        if parsed != phases {
            return Err(Error::Setting { setting, expected, got: text });
        }
        Ok(phases)
    }

    /// Returns the players with the steps of their turns.
    pub fn players(&self) -> &[(String, u64)] {
        &self.players
    }

    /// Returns how many steps a round has.
    pub fn steps_per_round(&self) -> u64 {
        self.players.iter().map(|(_, steps)| steps).sum()
    }

    /// Says whose turn a step is, counted from 0.
    pub fn at(&self, step: u64) -> Phase<'_> {
        let round = step / self.steps_per_round();
        let mut within = step % self.steps_per_round();
        let mut player = 0;
        while within >= self.players[player].1 {
            within -= self.players[player].1;
            player += 1;
        }
        let (name, steps) = &self.players[player];
        Phase { player: name, round, step: within, player_step: round * steps + within }
    }
}

impl FromStr for Phases {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let source = Source { what: "phases", text };
        let call = source.parse()?;
        if call.name != "alternate" {
            return Err(source.expected(call.offset, "`alternate`"));
        }
        if call.settings.is_empty() {
            return Err(source.expected(text.len(), "players with their steps"));
        }
        let mut players = Vec::with_capacity(call.settings.len());
        for setting in &call.settings {
            // So large that no sum of turns overflows.
            let good = |steps: &u32| *steps > 0;
            let steps = number(source, setting, good, "a number of steps")?;
            players.push((setting.key.to_owned(), steps.into()));
        }
        Ok(Self { players })
    }
}

impl fmt::Display for Phases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("alternate(")?;
        for (number, (name, steps)) in self.players.iter().enumerate() {
            write!(f, "{}{name}={steps}", if number > 0 { ", " } else { "" })?;
        }
        f.write_str(")")
    }
}
