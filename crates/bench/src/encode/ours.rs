//! Our side: texts to vectors through the model crate.

use std::path::Path;

use anyhow::{Context, Result};
use ecphory_core::Silent;
use ecphory_model::{Encoder, EncoderOptions, Precision};
use serde_json::Value;

use super::served::{Engine, Texts};
use crate::side::text;

/// What the requests work on.
pub struct Ours {
    pool: rayon::ThreadPool,
    precision: Precision,
    encoder: Option<Encoder>,
}

impl Ours {
    pub fn new(threads: usize, precision: Precision) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        Ok(Self { pool, precision, encoder: None })
    }
}

impl Engine for Ours {
    fn version(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    fn open(&mut self, request: &Value) -> Result<()> {
        let options = EncoderOptions { precision: self.precision, ..EncoderOptions::default() };
        self.encoder = Some(Encoder::open(Path::new(text(request, "model")?), &options)?);
        Ok(())
    }

    fn encode(&self, texts: &Texts) -> Result<Vec<f32>> {
        let encoder = self.encoder.as_ref().context("nothing is open")?;
        let chosen: Vec<&str> = texts.all.iter().map(String::as_str).collect();
        // It puts the prompt of the role before a text itself.
        Ok(encoder.encode(&chosen, texts.role, &self.pool, &Silent)?)
    }
}
