//! Choosing a token from its logits.

use std::cmp::Ordering;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::options::Sampling;

/// Orders tokens by their logits, the highest first, of equal ones the lowest id first.
pub(super) fn by_logit(logits: &[f32]) -> impl Fn(&u32, &u32) -> Ordering + '_ {
    |a, b| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b))
}

/// Returns the most likely token.
pub(super) fn most_likely(logits: &[f32]) -> u32 {
    (0..logits.len() as u32).min_by(by_logit(logits)).unwrap_or(0)
}

/// Returns the `count` most likely tokens in order.
pub(super) fn most_likely_of(logits: &[f32], count: usize) -> Vec<u32> {
    let mut tokens: Vec<u32> = (0..logits.len() as u32).collect();
    if count < tokens.len() {
        tokens.select_nth_unstable_by(count, by_logit(logits));
        tokens.truncate(count);
    }
    tokens.sort_unstable_by(by_logit(logits));
    tokens
}

/// Returns what has to be subtracted from a logit to make it the logarithm of a probability: the logarithm of the sum of
/// their exponentials, in double precision.
pub(super) fn log_sum(logits: &[f32]) -> f64 {
    let highest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|x| (f64::from(*x) - highest).exp()).sum();
    highest + sum.ln()
}

/// Draws tokens.
pub(super) struct Sampler {
    sampling: Sampling,
    random: ChaCha8Rng,
}

impl Sampler {
    pub(super) fn new(sampling: &Sampling) -> Self {
        Self { sampling: *sampling, random: ChaCha8Rng::seed_from_u64(sampling.seed) }
    }

    /// Draws a token.
    pub(super) fn pick(&mut self, logits: &[f32]) -> u32 {
        let candidates = candidates(logits, &self.sampling);
        let total: f64 = candidates.iter().map(|(_, probability)| probability).sum();
        // 53 bits, as many as a number below 1 has.
        let unit = (self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let mut left = unit * total;
        for (token, probability) in &candidates {
            left -= probability;
            if left < 0.0 {
                return *token;
            }
        }
        candidates.last().map_or(0, |(token, _)| *token)
    }
}

/// Returns the tokens that may be drawn, the most likely first, with their probabilities before those that may not
/// be drawn for `top_p` were left out.
fn candidates(logits: &[f32], sampling: &Sampling) -> Vec<(u32, f64)> {
    let tokens = most_likely_of(logits, sampling.top_k.unwrap_or(logits.len()));
    let highest = tokens.first().map_or(0.0, |token| f64::from(logits[*token as usize]));
    let weight = |token: u32| {
        ((f64::from(logits[token as usize]) - highest) / f64::from(sampling.temperature)).exp()
    };
    let mut candidates: Vec<(u32, f64)> = tokens.iter().map(|&t| (t, weight(t))).collect();
    let total: f64 = candidates.iter().map(|(_, weight)| weight).sum();
    for (_, weight) in &mut candidates {
        *weight /= total;
    }
    if let Some(top_p) = sampling.top_p {
        // A token stays as long as those before it have not reached the sum.
        let mut sum = 0.0;
        let kept = candidates.iter().take_while(|(_, probability)| {
            let stays = sum < f64::from(top_p);
            sum += probability;
            stays
        });
        let kept = kept.count().max(1);
        candidates.truncate(kept);
    }
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logits of the probabilities 1/16, 1/2, 1/8, 1/4, 1/16, which are exact in binary.
    fn logits() -> Vec<f32> {
        [0.0625f32, 0.5, 0.125, 0.25, 0.0625].map(f32::ln).to_vec()
    }

    fn kept(sampling: Sampling) -> Vec<u32> {
        candidates(&logits(), &sampling).iter().map(|(token, _)| *token).collect()
    }

    #[test]
    fn top_p_keeps_the_least_tokens_that_reach_it() {
        let with = |p| kept(Sampling { top_p: Some(p), ..Sampling::default() });
        assert_eq!(with(0.01), [1]);
        assert_eq!(with(0.49), [1]);
        assert_eq!(with(0.51), [1, 3]);
        assert_eq!(with(0.74), [1, 3]);
        assert_eq!(with(0.76), [1, 3, 2]);
        assert_eq!(with(0.88), [1, 3, 2, 0]);
        assert_eq!(with(1.0), [1, 3, 2, 0, 4]);
    }

    #[test]
    fn top_k_comes_before_top_p_and_after_temperature() {
        assert_eq!(kept(Sampling { top_k: Some(3), ..Sampling::default() }), [1, 3, 2]);
        // Of the first two, the first has two thirds.
        let both = |p| Sampling { top_k: Some(2), top_p: Some(p), ..Sampling::default() };
        assert_eq!((kept(both(0.66)), kept(both(0.67))), (vec![1], vec![1, 3]));
        // At temperature 1/2 probabilities are squared: 256, 64, 16, 4, 4 of 344.
        let cold = Sampling { temperature: 0.5, ..Sampling::default() };
        let probabilities = candidates(&logits(), &cold);
        for ((_, got), expected) in probabilities.iter().zip([256.0, 64.0, 16.0, 4.0, 4.0]) {
            assert!((got - expected / 344.0).abs() < 1e-6);
        }
    }

    #[test]
    fn draws_follow_the_probabilities_and_the_seed() {
        let draws = |seed| -> Vec<u32> {
            let mut sampler = Sampler::new(&Sampling { seed, ..Sampling::default() });
            (0..4000).map(|_| sampler.pick(&logits())).collect()
        };
        let drawn = draws(7);
        assert_eq!(drawn, draws(7));
        assert_ne!(drawn, draws(8));
        for (token, expected) in [(0, 250), (1, 2000), (2, 500), (3, 1000), (4, 250)] {
            let count = drawn.iter().filter(|t| **t == token).count();
            // Five standard deviations of the largest.
            assert!(count.abs_diff(expected) < 160, "token {token}: {count}, not about {expected}");
        }
    }

    #[test]
    fn one_candidate_is_the_most_likely_token() {
        let mut sampler = Sampler::new(&Sampling { top_k: Some(1), ..Sampling::default() });
        for _ in 0..50 {
            assert_eq!(sampler.pick(&logits()), most_likely(&logits()));
        }
        assert_eq!(most_likely(&[2.0, 5.0, 5.0]), 1);
        assert_eq!(most_likely_of(&[2.0, 5.0, 5.0, 1.0], 3), [1, 2, 0]);
    }

    #[test]
    fn the_logarithm_of_a_sum_does_not_overflow() {
        assert!((log_sum(&[1000.0, 1000.0]) - (1000.0 + 2f64.ln())).abs() < 1e-12);
        assert!((log_sum(&logits())).abs() < 1e-6);
    }

    #[test]
    fn what_is_not_a_number_is_no_panic() {
        let mut sampler = Sampler::new(&Sampling { top_p: Some(0.5), ..Sampling::default() });
        assert!(sampler.pick(&[f32::NAN; 4]) < 4);
        assert!(most_likely(&[f32::NAN, 1.0]) < 2);
    }
}
