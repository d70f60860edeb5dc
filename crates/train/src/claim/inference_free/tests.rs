use super::search::{EXPANSIONS, FLOPS, TERMS, search};
use crate::body::{States, rows};
use crate::draws::Draws;
use crate::error::Result;
use crate::matching::{Matching, MatchingSpec, Materials};
use crate::ragged::{NO_TERM, Ragged};
use crate::score::Layout;
use ecphory_kernels::Level;
use ecphory_model::Role;

const COLUMNS: usize = 4;
const WORDS: usize = 30;
const DOCUMENTS: u32 = 37;
const QUERIES: [u32; 3] = [4, 0, 7];

/// Random texts; those of queries have words of their own numbers.
struct Texts;

impl States for Texts {
    fn columns(&self) -> usize {
        COLUMNS
    }

    fn append(&self, role: Role, number: u32, to: &mut Ragged) -> Result<()> {
        let mut draws = Draws::new(u64::from(number) + 100 * u64::from(role == Role::Query));
        let count = 1 + draws.below(6);
        to.values.extend(draws.numbers(count * COLUMNS));
        to.words.extend((1..).take(count));
        to.terms.push(NO_TERM);
        to.terms.extend((1..count).map(|_| draws.below(WORDS) as u32));
        to.offsets.push(to.rows() + count);
        Ok(())
    }
}

fn matching(queries: &str) -> Matching {
    let mut draws = Draws::new(3);
    let terms = draws.numbers(WORDS * COLUMNS);
    let idf: Vec<f32> = (0..WORDS).map(|term| 0.25 * term as f32).collect();
    let materials = Materials {
        columns: COLUMNS,
        pooling: None,
        terms: &terms,
        idf: &idf,
        seed: 0,
        epsilon: 1e-12,
    };
    let spec = format!("dot({queries} | words > linear > lexical)");
    let mut made = spec.parse::<MatchingSpec>().unwrap().build(&materials).unwrap();
    for parameter in made.parameters() {
        let moved = draws.numbers(parameter.values.len());
        parameter.values.iter_mut().zip(moved).for_each(|(value, by)| *value += 0.25 * by - 0.05);
    }
    made
}

#[test]
fn a_search_at_the_terms_of_queries_finds_what_one_at_all_terms_does() {
    let level = Level::detect();
    for queries in ["table", "ones"] {
        let matching = matching(queries);
        let all: Vec<u32> = (0..DOCUMENTS).collect();
        let of_queries =
            matching.queries(level, &rows(&Texts, Role::Query, &QUERIES).unwrap()).unwrap();
        let states = rows(&Texts, Role::Document, &all).unwrap();
        let of_documents = matching.documents(level, &states).unwrap();
        let scores = matching.compare(level, &of_queries, &of_documents, Layout::Shared).unwrap();
        let search = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| search(&matching, &Texts, (&QUERIES, DOCUMENTS)).unwrap())
        };
        let found = search(1);
        assert_eq!(found, search(3));
        assert!(scores.iter().any(|&score| score > 0.0));
        for (at, (score, found)) in scores.iter().zip(&found.scores).enumerate() {
            assert!((score - found).abs() < 1e-5, "{queries}, pair {at}: {found} for {score}");
        }
        let (mut flops, mut terms, mut expansions) = (0.0, 0.0, 0.0);
        for document in 0..DOCUMENTS as usize {
            for term in 0..WORDS {
                let weighs = |made: &crate::matching::Represented, item: usize| {
                    made.branches[0].row(item)[term] != 0.0
                };
                if !weighs(&of_documents, document) {
                    continue;
                }
                let both = (0..QUERIES.len()).filter(|&query| weighs(&of_queries, query)).count();
                flops += both as f64 / (f64::from(DOCUMENTS) * QUERIES.len() as f64);
                // Documents 0, 16 and 32 are looked at as a whole.
                if document % 16 == 0 {
                    terms += 1.0 / 3.0;
                    let own = &states.terms[states.span(document)];
                    expansions += f64::from(u8::from(!own.contains(&(term as u32)))) / 3.0;
                }
            }
        }
        for (name, expected) in [(FLOPS, flops), (TERMS, terms), (EXPANSIONS, expansions)] {
            let noted = found.notes().into_iter().find(|(note, _)| *note == name).unwrap().1;
            assert!((noted - expected).abs() < 1e-9, "{name}: {noted} for {expected}");
            assert!(expected > 0.0, "{name}");
        }
    }
}

#[test]
fn only_weights_of_terms_can_be_narrowed() {
    let spec = "cosine(mean > linear)".parse::<MatchingSpec>().unwrap();
    let made = spec.build(&Materials::without_terms(COLUMNS, None, 0)).unwrap();
    assert!(made.narrowed(&[0]).is_none());
}
