//! Beam search.
//!
//! The definition is that of the transformers library (`_beam_search`, `early_stopping=False`): of all continuations of the open
//! sequences by one token, the best `width · (1 + ends)` are looked at. Those among the first `width` that end become
//! finished, the best `width` that do not end stay open. At the last token every one of the first `width` counts as finished.

use ecphory_core::Progress;

use super::options::Beam;
use super::sampling::{log_sum, most_likely_of};
use super::session::{Choice, Session};
use crate::error::{Error, Result};
use crate::eval::KeyValues;

/// A sequence that has not ended.
struct Open {
    tokens: Vec<u32>,
    log_probability: f64,
}

/// A sequence that has, with its score.
struct Finished {
    tokens: Vec<u32>,
    log_probability: f64,
    score: f64,
}

/// An open sequence and one more token.
struct Candidate {
    parent: usize,
    token: u32,
    log_probability: f64,
}

/// Finds a continuation of up to `most` tokens.
pub(super) fn search(
    session: &mut Session<'_>,
    prompt: &[u32],
    most: usize,
    beam: &Beam,
    progress: &dyn Progress,
) -> Result<Choice> {
    let (cache, mut logits) = session.read_prompt(prompt, progress)?;
    let mut caches = vec![cache];
    let mut open = vec![Open { tokens: Vec::new(), log_probability: 0.0 }];
    let mut finished: Vec<Finished> = Vec::new();
    let looked_at = beam.width * (1 + session.ends().max(1));
    let score = |log_probability: f64, length: usize| {
        log_probability / (length as f64).powf(f64::from(beam.length_penalty))
    };
    for length in 1..=most {
        let candidates = best(&open, &logits, looked_at);
        let mut staying = Vec::new();
        for (rank, candidate) in candidates.into_iter().enumerate() {
            let ends = length == most || session.is_end(candidate.token);
            if !ends {
                if staying.len() < beam.width {
                    staying.push(candidate);
                }
            } else if rank < beam.width {
                let Candidate { parent, token, log_probability } = candidate;
                let mut tokens = open[parent].tokens.clone();
                tokens.push(token);
                let score = score(log_probability, length);
                finished.push(Finished { tokens, log_probability, score });
            }
        }
        finished.sort_by(|a, b| b.score.total_cmp(&a.score));
        finished.truncate(beam.width);
        progress.advance(1);
        let Some(first) = staying.first() else { break };
        let hope = score(first.log_probability, length);
        if finished.len() == beam.width && finished.iter().all(|f| f.score >= hope) {
            break;
        }
        if progress.cancelled() {
            return Err(Error::Interrupted);
        }
        caches = follow(caches, &staying);
        let tokens: Vec<u32> = staying.iter().map(|candidate| candidate.token).collect();
        open = staying.into_iter().map(|candidate| grow(&open, &candidate)).collect();
        logits = session.read_tokens(&tokens, &mut caches);
    }
    let best = finished.into_iter().next().expect("at the last token sequences are finished");
    Ok(Choice { tokens: best.tokens, log_probability: best.log_probability })
}

/// Returns the best `count` continuations by one token, the best first.
fn best(open: &[Open], logits: &[f32], count: usize) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    let rows = logits.chunks_exact(logits.len() / open.len());
    for (parent, (sequence, logits)) in open.iter().zip(rows).enumerate() {
        let before = sequence.log_probability - log_sum(logits);
        candidates.extend(most_likely_of(logits, count).into_iter().map(|token| {
            let log_probability = before + f64::from(logits[token as usize]);
            Candidate { parent, token, log_probability }
        }));
    }
    // Of equal ones that of the better parent comes first: the sort is stable.
    candidates.sort_by(|a, b| b.log_probability.total_cmp(&a.log_probability));
    candidates.truncate(count);
    candidates
}

fn grow(open: &[Open], candidate: &Candidate) -> Open {
    let mut tokens = open[candidate.parent].tokens.clone();
    tokens.push(candidate.token);
    Open { tokens, log_probability: candidate.log_probability }
}

/// Gives each sequence the cache of its parent; the last child of a parent takes it, the others copy it.
fn follow(caches: Vec<KeyValues>, children: &[Candidate]) -> Vec<KeyValues> {
    let mut caches: Vec<Option<KeyValues>> = caches.into_iter().map(Some).collect();
    let cache_of = |(place, child): (usize, &Candidate)| {
        let is_last = children[place + 1..].iter().all(|later| later.parent != child.parent);
        let cache = &mut caches[child.parent];
        let taken = if is_last { cache.take() } else { cache.clone() };
        taken.expect("it is taken by the last child only")
    };
    children.iter().enumerate().map(cache_of).collect()
}
