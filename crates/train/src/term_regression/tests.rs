use ecphory_core::Silent;

use super::*;
use crate::draws::Draws;
use crate::ragged::Ragged;
use crate::vocabulary::DocumentCounts;

const COLUMNS: usize = 6;
const TERMS: u32 = 9;
const DOCUMENTS_ALL: u32 = 40;
const REGRESSION: TermRegression = TermRegression { ridge: 0.05, open: 1.5, epsilon: 1e-12 };

/// Texts of words of one or two pieces, whose states lie near a vector of each piece.
struct Texts {
    documents: Vec<Ragged>,
    vocabulary: Vocabulary,
}

impl Texts {
    fn new(seed: u64) -> Self {
        let mut draws = Draws::new(seed);
        let vectors = draws.numbers(TERMS as usize * COLUMNS);
        let mut counts = DocumentCounts::default();
        let mut documents = Vec::new();
        for _ in 0..DOCUMENTS_ALL {
            // A special token, then words; of a word with an even number there are two pieces.
            let (mut words, mut terms) = (vec![0], vec![crate::ragged::NO_TERM]);
            for _ in 0..=draws.below(5) {
                let word = draws.below(TERMS as usize) as u32;
                words.extend(vec![word + 1; 1 + usize::from(word.is_multiple_of(2))]);
                terms.extend(
                    [word, (word + 3) % TERMS].iter().take(1 + usize::from(word.is_multiple_of(2))),
                );
            }
            let mut values = draws.numbers(terms.len() * COLUMNS);
            for (row, &term) in values.chunks_exact_mut(COLUMNS).zip(&terms).skip(1) {
                let vector = &vectors[term as usize * COLUMNS..];
                row.iter_mut().zip(vector).for_each(|(value, near)| *value = 0.3 * *value + near);
            }
            counts.add(&terms, &words);
            let (offsets, counted) = (vec![0, terms.len()], Vec::new());
            documents.push(Ragged { values, columns: COLUMNS, offsets, counted, words, terms });
        }
        let row = |_: u32, out: &mut [f32]| out.fill(0.5);
        let shape = (TERMS as usize, COLUMNS);
        let vocabulary = Vocabulary::new(&counts, &[], 99, shape, row).unwrap();
        assert_eq!(vocabulary.tokens().len(), TERMS as usize);
        Self { documents, vocabulary }
    }

    fn first_values(&self, heads: &str) -> Result<FirstValues> {
        let spec = format!("dot({heads})").parse::<crate::matching::MatchingSpec>().unwrap();
        REGRESSION.run(self, DOCUMENTS_ALL, (&spec.branches[0].document, "0.document"), &Silent)
    }
}

impl States for Texts {
    fn columns(&self) -> usize {
        COLUMNS
    }

    fn append(&self, _role: Role, number: u32, to: &mut Ragged) -> Result<()> {
        let document = &self.documents[number as usize];
        to.values.extend(&document.values);
        to.words.extend(&document.words);
        to.terms.extend(&document.terms);
        to.offsets.push(to.rows() + document.rows());
        Ok(())
    }

    fn vocabulary(&self) -> Option<&Vocabulary> {
        Some(&self.vocabulary)
    }
}

/// The rows of a document that the head sees, with their terms, one by one.
fn seen(document: &Ragged, by_words: bool) -> Vec<(Vec<f64>, Vec<u32>)> {
    let row = |at: usize| document.row(at).iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
    if !by_words {
        let terms = |at: usize| document.terms.get(at).filter(|&&term| term < TERMS).copied();
        return (0..document.rows()).map(|at| (row(at), terms(at).into_iter().collect())).collect();
    }
    let mut found = Vec::new();
    for word in 1..=TERMS {
        let of_word = (0..document.rows()).filter(|&at| document.words[at] == word);
        let of_word: Vec<usize> = of_word.collect();
        if of_word.is_empty() {
            continue;
        }
        let mut mean = vec![0.0; COLUMNS];
        let mut terms = Vec::new();
        for &at in &of_word {
            mean.iter_mut().zip(row(at)).for_each(|(to, x)| *to += x / of_word.len() as f64);
            terms.push(document.terms[at]);
        }
        terms.sort_unstable();
        terms.dedup();
        found.push((mean, terms));
    }
    found
}

#[test]
fn rows_of_terms_solve_the_normal_equations() {
    for (seed, heads) in (0..).zip(["words > linear > lexical", "linear > lexical"]) {
        let texts = Texts::new(seed);
        let found = texts.first_values(heads).unwrap();
        let by_words = heads.starts_with("words");
        let all: Vec<(Vec<f64>, Vec<u32>)> =
            texts.documents.iter().flat_map(|document| seen(document, by_words)).collect();
        let mean_of = |rows: &[&Vec<f64>]| -> Vec<f64> {
            let column = |at: usize| rows.iter().map(|row| row[at]).sum::<f64>();
            (0..COLUMNS).map(|at| column(at) / rows.len() as f64).collect()
        };
        let mean = mean_of(&all.iter().map(|(row, _)| row).collect::<Vec<_>>());
        let covariance = |a: usize, b: usize| {
            let product = |(row, _): &(Vec<f64>, _)| (row[a] - mean[a]) * (row[b] - mean[b]);
            all.iter().map(product).sum::<f64>() / all.len() as f64
        };
        let trace: f64 = (0..COLUMNS).map(|at| covariance(at, at)).sum();
        for term in 0..TERMS {
            let rows: Vec<&Vec<f64>> =
                all.iter().filter(|(_, terms)| terms.contains(&term)).map(|(row, _)| row).collect();
            let of_term = mean_of(&rows);
            let vector = &found.vocabulary.vectors()[term as usize * COLUMNS..][..COLUMNS];
            // (covariance + ridge) · vector is how far the term's mean lies from that of all, but for a factor above 0.
            let product = |a: usize| {
                let sum =
                    (0..COLUMNS).map(|b| covariance(a, b) * f64::from(vector[b])).sum::<f64>();
                sum + REGRESSION.ridge * trace / COLUMNS as f64 * f64::from(vector[a])
            };
            let apart = |at: usize| of_term[at] - mean[at];
            let factor = (0..COLUMNS).map(|at| product(at) * apart(at)).sum::<f64>()
                / (0..COLUMNS).map(|at| apart(at).powi(2)).sum::<f64>();
            assert!(factor > 0.0, "{heads}: term {term}");
            for at in 0..COLUMNS {
                let difference = product(at) / factor - apart(at);
                assert!(difference.abs() < 1e-5, "{heads}: term {term}: {difference}");
            }
        }
    }
}

#[test]
fn logits_deviate_by_one_and_as_many_are_above_0_as_asked_for() {
    let texts = Texts::new(5);
    let found = texts.first_values("words > linear > lexical").unwrap();
    let bias = &found.learned["0.document.2.bias"];
    let vector = |term: usize| &found.vocabulary.vectors()[term * COLUMNS..][..COLUMNS];
    let (mut own, mut foreign) = ((0, 0), (0, 0));
    for (term, &bias) in bias.iter().enumerate() {
        let mut with = 0;
        let logits: Vec<f64> = (texts.documents.iter())
            .map(|document| {
                let has = document.terms.contains(&(term as u32));
                with += usize::from(has);
                let product = |(row, _): (Vec<f64>, Vec<u32>)| {
                    row.iter().zip(vector(term)).map(|(x, &y)| x * f64::from(y)).sum::<f64>()
                };
                let products = seen(document, true).into_iter().map(product);
                let most = products.fold(f64::NEG_INFINITY, f64::max) + f64::from(bias);
                let side = if has { &mut own } else { &mut foreign };
                *side = (side.0 + usize::from(most > 1e-5), side.1 + 1);
                most
            })
            .collect();
        let mean = logits.iter().sum::<f64>() / logits.len() as f64;
        let variance = logits.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / logits.len() as f64;
        assert!((variance - 1.0).abs() < 1e-4, "term {term}: {variance}");
        let open = logits.iter().filter(|logit| **logit > 1e-5).count();
        let expected = (REGRESSION.open * with as f64).round() as usize;
        assert_eq!(open, expected.min(logits.len() - 1), "term {term}");
    }
    let share = |(open, all): (usize, usize)| f64::from(open as u32) / f64::from(all as u32);
    // How many are open is given; those that have the term come first.
    assert!(share(own) > 0.9 && share(foreign) < 0.5, "{own:?} {foreign:?}");
}

#[test]
fn threads_change_no_bit_and_the_map_begins_as_the_identity() {
    let texts = Texts::new(7);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| texts.first_values("words > linear > lexical").unwrap())
    };
    let found = on(1);
    assert_eq!(found, on(3));
    let map = &found.learned["0.document.1.weight"];
    let is_one = |at: usize| at.is_multiple_of(COLUMNS + 1);
    assert!(map.iter().enumerate().all(|(at, &x)| x == f32::from(u8::from(is_one(at)))));
}

#[test]
fn what_has_no_first_values_is_refused() {
    let texts = Texts::new(1);
    for heads in ["linear(4) > lexical", "mean > linear"] {
        assert!(texts.first_values(heads).is_err(), "{heads}");
    }
    let mut alike = Texts::new(1);
    alike.documents.iter_mut().for_each(|document| document.values.fill(0.5));
    let error = alike.first_values("linear > lexical").unwrap_err().to_string();
    assert!(error.contains("states that differ"), "{error}");
}
