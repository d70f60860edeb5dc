//! What a view is held against: a spec string, `in-batch`, `queue(decay=0.99)` or `queue(size=1024, decay=0.99)`.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::spec::{Setting, Source, number};

/// The texts whose views are negatives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Keys {
    /// The others of the batch, which learn as well.
    InBatch,
    /// Those of earlier batches, by a twin that follows slowly and learns nothing by itself.
    Queue {
        /// How many keys it holds, in whole batches; 0 for as many as suit the collection: a quarter of its documents.
        size: usize,
        /// How much of itself the twin keeps in a step; the paper's 0.9995 is for runs of hundreds of thousands of them.
        decay: f32,
    },
}

impl FromStr for Keys {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let source = Source { what: "keys", text };
        let call = source.parse()?;
        match (call.name, &call.settings[..]) {
            ("in-batch", []) => Ok(Self::InBatch),
            ("queue", settings) => queue(source, call.offset, settings),
            _ => Err(source.expected(call.offset, "`in-batch` or `queue(decay=…)`")),
        }
    }
}

fn queue(source: Source<'_>, offset: usize, settings: &[Setting<'_>]) -> Result<Keys> {
    let (mut size, mut found) = (0, None);
    for setting in settings {
        match setting.key {
            "decay" => {
                let good = |decay: &f32| (0.0..1.0).contains(decay);
                found = Some(number(source, setting, good, "a number from 0 to below 1")?);
            }
            "size" => size = number(source, setting, |size| *size > 0, "a number of keys")?,
            _ => return Err(source.expected(setting.offset, "`size` or `decay`")),
        }
    }
    let decay = found.ok_or_else(|| source.expected(offset, "`queue(decay=…)`"))?;
    Ok(Keys::Queue { size, decay })
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InBatch => f.write_str("in-batch"),
            Self::Queue { size: 0, decay } => write!(f, "queue(decay={decay})"),
            Self::Queue { size, decay } => write!(f, "queue(size={size}, decay={decay})"),
        }
    }
}
