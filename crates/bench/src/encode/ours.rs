//! Our side: texts to vectors through the model crate.

use std::collections::HashMap;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use ecphory_core::Silent;
use ecphory_model::{Encoder, EncoderOptions, Role};
use serde_json::{Value, json};

use crate::compare::median;
use crate::corpus;
use crate::side::{Side, text};

/// What the requests work on.
pub struct Ours {
    pool: rayon::ThreadPool,
    encoder: Option<Encoder>,
    sets: HashMap<String, Vec<String>>,
}

impl Ours {
    pub fn new(threads: usize) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        Ok(Self { pool, encoder: None, sets: HashMap::new() })
    }

    fn encode(&self, texts: &[String]) -> Result<Vec<f32>> {
        let encoder = self.encoder.as_ref().context("nothing is open")?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        Ok(encoder.encode(&texts, Role::Document, &self.pool, &Silent)?)
    }

    fn set(&self, request: &Value) -> Result<&Vec<String>> {
        let name = text(request, "name")?;
        self.sets.get(name).with_context(|| format!("no texts `{name}` are loaded"))
    }

    /// The median time of one text, each alone.
    fn latency(&self, texts: &[String]) -> Result<Value> {
        let mut times = Vec::with_capacity(texts.len());
        for text in texts {
            let start = Instant::now();
            self.encode(std::slice::from_ref(text))?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        Ok(json!({ "p50_ms": median(&times) }))
    }

    fn vectors(&self, texts: &[String], path: &Path) -> Result<Value> {
        let mut file = BufWriter::new(fs_err::File::create(path)?);
        for value in self.encode(texts)? {
            file.write_all(&value.to_le_bytes())?;
        }
        file.flush()?;
        Ok(json!({}))
    }
}

impl Side for Ours {
    fn ask(&mut self, op: &str, request: &Value) -> Result<Value> {
        match op {
            "open" => {
                let folder = Path::new(text(request, "model")?);
                self.encoder = Some(Encoder::open(folder, &EncoderOptions::default())?);
                Ok(json!({}))
            }
            "load" => {
                let texts = corpus::read(Path::new(text(request, "path")?))?;
                self.sets.insert(text(request, "name")?.to_owned(), texts);
                Ok(json!({}))
            }
            "encode" => {
                let texts = self.set(request)?;
                let start = Instant::now();
                self.encode(texts)?;
                Ok(json!({ "seconds": start.elapsed().as_secs_f64() }))
            }
            "latency" => self.latency(self.set(request)?),
            "vectors" => self.vectors(self.set(request)?, Path::new(text(request, "path")?)),
            _ => bail!("there is no operation `{op}`"),
        }
    }
}
