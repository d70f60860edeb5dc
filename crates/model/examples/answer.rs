//! Answers a question over a passage with a small language model.
//!
//! `cargo run --release -p ecphory-model --example answer -- MODEL QUESTION PASSAGE.txt [SEED]`
//!
//! MODEL is a directory or a GGUF file, such as the directory that `ecphory models pull smollm2` names. The answer is the most
//! likely one token by token or, with a seed, drawn at random.

#![allow(clippy::print_stdout, reason = "an example shows its result")]
#![allow(clippy::print_stderr, reason = "figures go beside the answer")]

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use ecphory_core::Silent;
use ecphory_model::{
    Decoding, GenerateOptions, Generator, GeneratorOptions, Message, Prompt, Sampling,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (model, question, passage, seed) = match &arguments[..] {
        [model, question, passage] => (model, question, passage, None),
        [model, question, passage, seed] => (model, question, passage, Some(seed.parse()?)),
        _ => return Err("usage: answer MODEL QUESTION PASSAGE.txt [SEED]".into()),
    };
    let passage = fs_err::read_to_string(passage)?;
    let pool = rayon::ThreadPoolBuilder::new().build()?;

    let start = Instant::now();
    let generator = Generator::open(&PathBuf::from(model), &GeneratorOptions::default())?;
    eprintln!("opened {} in {:.2} s", generator.name(), start.elapsed().as_secs_f64());

    let conversation = [
        Message::system("You answer questions from the passage you are given, briefly."),
        Message::user(format!("Passage: {}\n\nQuestion: {question}", passage.trim())),
    ];
    let decoding = match seed {
        None => Decoding::Greedy,
        Some(seed) => {
            Decoding::Sample(Sampling { temperature: 0.7, top_k: None, top_p: Some(0.9), seed })
        }
    };
    let options = GenerateOptions { max_new_tokens: 128, decoding };
    let start = Instant::now();
    let mut first = None;
    let answer =
        generator.stream(&Prompt::Chat(&conversation), &options, &pool, &Silent, &mut |piece| {
            first.get_or_insert_with(|| start.elapsed().as_secs_f64());
            print!("{piece}");
            // A pipe that was closed ends the answer's display, not the answer.
            let _ = std::io::stdout().flush();
        })?;
    println!();
    let (first, all) = (first.unwrap_or_default(), start.elapsed().as_secs_f64());
    eprintln!(
        "{} tokens read in {first:.2} s; {} made in {:.2} s ({:.0} ms each); {:?}; log-probability {:.2}",
        answer.prompt_tokens,
        answer.tokens.len(),
        all - first,
        1000.0 * (all - first) / (answer.tokens.len().max(2) - 1) as f64,
        answer.stop,
        answer.log_probability,
    );
    Ok(())
}
