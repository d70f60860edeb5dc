//! What our side and candle's have in common: sets of texts, and the clock. The Python peers have the same in
//! `peers/encoding.py`.

use std::collections::HashMap;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use ecphory_model::Role;
use serde_json::{Value, json};

use crate::compare::median;
use crate::corpus;
use crate::side::{Side, text};

/// Something that makes normalised vectors.
pub trait Engine {
    /// Says which version it is.
    fn version(&self) -> String;
    /// Opens the model of a request.
    fn open(&mut self, request: &Value) -> Result<()>;
    /// Encodes texts, one row each.
    fn encode(&self, texts: &Texts) -> Result<Vec<f32>>;
}

/// Texts of one kind.
pub struct Texts {
    pub role: Role,
    /// What is to be put before each by a side that does not know prompts.
    pub prefix: String,
    pub all: Vec<String>,
}

/// An engine that answers requests.
pub struct Served<E> {
    engine: E,
    sets: HashMap<String, Texts>,
}

impl<E: Engine> Served<E> {
    pub fn new(engine: E) -> Self {
        Self { engine, sets: HashMap::new() }
    }

    fn set(&self, request: &Value) -> Result<&Texts> {
        let name = text(request, "name")?;
        self.sets.get(name).with_context(|| format!("no texts `{name}` are loaded"))
    }

    fn load(&mut self, request: &Value) -> Result<()> {
        let role = match text(request, "role")? {
            "query" => Role::Query,
            _ => Role::Document,
        };
        let prefix = text(request, "prefix")?.to_owned();
        let all = corpus::read(Path::new(text(request, "path")?))?;
        self.sets.insert(text(request, "name")?.to_owned(), Texts { role, prefix, all });
        Ok(())
    }

    fn seconds(&self, texts: &Texts) -> Result<f64> {
        let start = Instant::now();
        self.engine.encode(texts)?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// The times of some texts, each alone.
    fn times(&self, texts: &Texts, count: usize) -> Result<Vec<f64>> {
        let mut times = Vec::new();
        for text in texts.all.iter().take(count) {
            let prefix = texts.prefix.clone();
            let alone = Texts { role: texts.role, prefix, all: vec![text.clone()] };
            times.push(self.seconds(&alone)?);
        }
        Ok(times)
    }

    fn vectors(&self, texts: &Texts, path: &Path) -> Result<()> {
        let mut file = BufWriter::new(fs_err::File::create(path)?);
        for value in self.engine.encode(texts)? {
            file.write_all(&value.to_le_bytes())?;
        }
        Ok(file.flush()?)
    }
}

impl<E: Engine> Side for Served<E> {
    fn ask(&mut self, op: &str, request: &Value) -> Result<Value> {
        match op {
            "ready" => Ok(json!({ "version": self.engine.version() })),
            "open" => {
                let start = Instant::now();
                self.engine.open(request)?;
                Ok(json!({ "seconds": start.elapsed().as_secs_f64() }))
            }
            "load" => {
                self.load(request)?;
                Ok(json!({}))
            }
            "encode" => Ok(json!({ "seconds": self.seconds(self.set(request)?)? })),
            "first" => Ok(json!({ "seconds": median(&self.times(self.set(request)?, 1)?) })),
            "latency" => {
                let times = self.times(self.set(request)?, usize::MAX)?;
                Ok(json!({ "p50_ms": median(&times) * 1e3 }))
            }
            "vectors" => {
                self.vectors(self.set(request)?, Path::new(text(request, "path")?))?;
                Ok(json!({}))
            }
            _ => bail!("there is no operation `{op}`"),
        }
    }
}
