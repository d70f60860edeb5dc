//! Views by a spec string.

use std::fmt;
use std::str::FromStr;

use super::{Cloze, Crop, Delete, Pairing, ViewSpec};
use crate::error::{Error, Result};
use crate::spec::{Call, Source, number};

const WHAT: &str = "view";

impl FromStr for ViewSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (pairing, delete) = match text.split_once('>') {
            Some((pairing, delete)) => (pairing, Some(delete)),
            None => (text, None),
        };
        Ok(Self { pairing: pairing.parse()?, delete: delete.map(str::parse).transpose()? })
    }
}

impl FromStr for Pairing {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let source = Source { what: WHAT, text: text.trim() };
        let call = source.parse()?;
        let pairing = match call.name {
            "crop" => {
                let default = Crop::default();
                let [least, most] =
                    shares(source, &call, [("least", default.least), ("most", default.most)])?;
                Self::Crop(Crop { least, most })
            }
            "ict" => {
                let [keep] = shares(source, &call, [("keep", Cloze::default().keep)])?;
                Self::Cloze(Cloze { keep })
            }
            _ => return Err(source.expected(call.offset, "`crop` or `ict`")),
        };
        match pairing {
            Self::Crop(Crop { least, most }) if least > most => {
                Err(source.expected(call.offset, "`least` not above `most`"))
            }
            _ => Ok(pairing),
        }
    }
}

impl FromStr for Delete {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let source = Source { what: WHAT, text: text.trim() };
        let call = source.parse()?;
        if call.name != "delete" || call.settings.is_empty() {
            return Err(source.expected(call.offset, "`delete(share=…)`"));
        }
        let [share] = shares(source, &call, [("share", 0.0)])?;
        if share == 1.0 {
            return Err(source.expected(call.offset, "a share below 1"));
        }
        Ok(Self { share })
    }
}

/// Reads settings that are shares, each by its name and with what it is where nothing is said.
fn shares<const N: usize>(
    source: Source<'_>,
    call: &Call<'_>,
    known: [(&str, f64); N],
) -> Result<[f64; N]> {
    let mut values = known.map(|(_, value)| value);
    for setting in &call.settings {
        let place = known.iter().position(|(name, _)| *name == setting.key);
        let names = || known.map(|(name, _)| format!("`{name}`")).join(" or ");
        let place = place.ok_or_else(|| source.expected(setting.offset, &names()))?;
        let good = |share: &f64| (0.0..=1.0).contains(share);
        values[place] = number(source, setting, good, "a number from 0 to 1")?;
    }
    Ok(values)
}

impl fmt::Display for ViewSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pairing {
            Pairing::Crop(Crop { least, most }) => write!(f, "crop(least={least}, most={most})")?,
            Pairing::Cloze(Cloze { keep }) => write!(f, "ict(keep={keep})")?,
        }
        match self.delete {
            Some(Delete { share }) => write!(f, " > delete(share={share})"),
            None => Ok(()),
        }
    }
}
