//! What a view is held against: a spec string, `in-batch` or `queue(decay=0.99)`.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::spec::{Source, number};

/// The texts whose views are negatives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Keys {
    /// The others of the batch, which learn as well.
    InBatch,
    /// Those of earlier batches, by a twin that follows slowly and learns nothing by itself. The queue is as long as suits the collection: a
    /// quarter of its documents.
    Queue {
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
            ("queue", [setting]) if setting.key == "decay" => {
                let good = |decay: &f32| (0.0..1.0).contains(decay);
                let decay = number(source, setting, good, "a number from 0 to below 1")?;
                Ok(Self::Queue { decay })
            }
            _ => Err(source.expected(call.offset, "`in-batch` or `queue(decay=…)`")),
        }
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InBatch => f.write_str("in-batch"),
            Self::Queue { decay } => write!(f, "queue(decay={decay})"),
        }
    }
}
