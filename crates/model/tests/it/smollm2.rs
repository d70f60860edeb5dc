//! The real SmolLM2-135M-Instruct against PyTorch, where the model is in the cache.

use ecphory_core::Silent;
use ecphory_model::{
    Beam, Decoding, GenerateOptions, Generator, GeneratorOptions, Message, Prompt, StopReason,
};
use serde::Deserialize;

use crate::support::{cached_file, golden, pool};

#[derive(Deserialize)]
struct Golden {
    texts: Vec<Text>,
    logits: Vec<Row>,
    passage: String,
    prompt: Vec<u32>,
    greedy: Vec<u32>,
    beam: Vec<u32>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Row {
    ids: Vec<u32>,
    place: usize,
    /// The highest logit less the lowest.
    range: f32,
    tokens: Vec<usize>,
    values: Vec<f32>,
}

/// Opening takes a second: one test does all.
#[test]
fn tokens_logits_and_answers_equal_pytorch() {
    let Some(directory) = cached_file("smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf") else { return };
    let generator = Generator::open(&directory, &GeneratorOptions::default()).unwrap();
    assert_eq!((generator.vocabulary(), generator.max_tokens()), (49_152, 8192));
    let golden = fs_err::read_to_string(golden("smollm2.json")).unwrap();
    let golden: Golden = serde_json::from_str(&golden).unwrap();
    for Text { text, ids } in &golden.texts {
        assert_eq!(generator.tokens(&Prompt::Text(text)).unwrap(), *ids, "{text:?}");
        let special = text.contains("<|");
        assert!(special || generator.text(ids).unwrap() == *text, "{text:?}");
    }
    let pool = pool(2);
    for row in &golden.logits {
        let logits = generator.logits(&row.ids, &pool).unwrap();
        let logits = &logits[row.place * 49_152..][..49_152];
        for (&token, expected) in row.tokens.iter().zip(&row.values) {
            let difference = (logits[token] - expected).abs();
            assert!(
                difference < 1e-4 * row.range,
                "[{}], token {token}: {}, not {expected}",
                row.place,
                logits[token]
            );
        }
    }
    check_answers(&generator, &golden);
}

fn check_answers(generator: &Generator, golden: &Golden) {
    let messages = [
        Message::system("You answer questions from the passage you are given, briefly."),
        Message::user(format!("Passage: {}\n\nQuestion: Who discovered radium?", golden.passage)),
    ];
    let prompt = Prompt::Chat(&messages);
    assert_eq!(generator.tokens(&prompt).unwrap(), golden.prompt);
    let beam = Decoding::Beam(Beam { width: 3, length_penalty: 1.0 });
    for (decoding, expected) in [(Decoding::Greedy, &golden.greedy), (beam, &golden.beam)] {
        let options = GenerateOptions { max_new_tokens: 24, decoding };
        let made = generator.generate(&prompt, &options, &pool(2), &Silent).unwrap();
        assert_eq!(made.tokens, *expected, "{}", made.text);
        assert!(made.text.contains("Curie"), "{}", made.text);
        let ended = made.tokens.last() == Some(&2);
        assert_eq!(made.stop == StopReason::End, ended);
    }
}
