//! The peer candle: its own BERT over a memory map of the same weights, batches filled up to their longest text.

use std::path::Path;

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use ecphory_core::storage::Directory;
use ecphory_text::subword::Tokenizer;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::served::{Engine, Texts};
use crate::side::{count, text};

/// As Cargo.toml pins it.
const VERSION: &str = "0.11.1";

/// What the requests work on.
#[derive(Default)]
pub struct Candle {
    opened: Option<Opened>,
}

struct Opened {
    model: BertModel,
    tokenizer: Tokenizer,
    max_tokens: usize,
    pad: u32,
    batch: usize,
}

impl Engine for Candle {
    fn version(&self) -> String {
        VERSION.to_owned()
    }

    fn open(&mut self, request: &Value) -> Result<()> {
        let folder = Path::new(text(request, "model")?);
        let mut config: Value =
            serde_json::from_str(&fs_err::read_to_string(folder.join("config.json"))?)?;
        // It wants two numbers for training that a configuration need not have.
        for (key, value) in [("hidden_dropout_prob", 0.1), ("initializer_range", 0.02)] {
            if config.get(key).is_none() {
                config[key] = json!(value);
            }
        }
        let config: Config = serde_json::from_value(config)?;
        // A map, which spares it a copy of the file.
        let weights = Directory::map_file(&folder.join("model.safetensors"))?;
        let weights = VarBuilder::from_slice_safetensors(&weights, DType::F32, &Device::Cpu)?;
        self.opened = Some(Opened {
            model: BertModel::load(weights, &config)?,
            tokenizer: Tokenizer::open(&folder.join("tokenizer.json"))?,
            max_tokens: count(request, "max_tokens")?,
            pad: count(request, "pad")? as u32,
            batch: count(request, "batch")?,
        });
        Ok(())
    }

    fn encode(&self, texts: &Texts) -> Result<Vec<f32>> {
        let opened = self.opened.as_ref().context("nothing is open")?;
        let tokens: Vec<Vec<u32>> = texts
            .all
            .par_iter()
            .map(|text| {
                opened.tokenizer.encode(&format!("{}{text}", texts.prefix), opened.max_tokens)
            })
            .collect::<Result<_, _>>()?;
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(tokens[index].len()));
        let mut rows = vec![Vec::new(); tokens.len()];
        for chosen in order.chunks(opened.batch) {
            let sequences: Vec<&[u32]> = chosen.iter().map(|&i| &tokens[i][..]).collect();
            for (&index, row) in chosen.iter().zip(opened.batch_vectors(&sequences)?) {
                rows[index] = row;
            }
        }
        Ok(rows.concat())
    }
}

impl Opened {
    /// The normalised means of some sequences, the longest first.
    fn batch_vectors(&self, sequences: &[&[u32]]) -> candle_core::Result<Vec<Vec<f32>>> {
        let length = sequences[0].len();
        let shape = (sequences.len(), length);
        let filled = |sequence: &[u32], fill: u32| {
            let mut row = sequence.to_vec();
            row.resize(length, fill);
            row
        };
        let ids: Vec<u32> = sequences.iter().flat_map(|s| filled(s, self.pad)).collect();
        let mask: Vec<u32> = sequences.iter().flat_map(|s| filled(&vec![1; s.len()], 0)).collect();
        let ids = Tensor::from_vec(ids, shape, &Device::Cpu)?;
        let mask = Tensor::from_vec(mask, shape, &Device::Cpu)?;
        let states = self.model.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
        let mask = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
        let mean = states.broadcast_mul(&mask)?.sum(1)?.broadcast_div(&mask.sum(1)?)?;
        let norm = mean.sqr()?.sum_keepdim(1)?.sqrt()?;
        mean.broadcast_div(&norm)?.to_vec2()
    }
}
