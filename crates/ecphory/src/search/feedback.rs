//! Pseudo-relevance feedback: the words of the best documents as a query.

use ecphory_index::QueryTerm;
use rustc_hash::FxHashMap;

use crate::pipeline::Rm3;

/// Returns the query mixed with the words that are most probable in documents, each with its score and its terms.
///
/// With the score of a document as its probability, a word's is the sum of `score · frequency / length` over the documents, which is the first
/// relevance model of Lavrenko and Croft (2001). The best words, and the query, are brought to a sum of one each and mixed; the whole
/// then weighs as much as the query did, so that scores stay comparable. Without documents it is the query.
pub(super) fn expand(
    asked: &[QueryTerm],
    documents: &[(f64, Vec<QueryTerm>)],
    by: &Rm3,
) -> Vec<QueryTerm> {
    let mut likely: FxHashMap<&str, f64> = FxHashMap::default();
    for (score, terms) in documents {
        let length: f64 = terms.iter().map(|term| f64::from(term.weight)).sum();
        for term in terms {
            *likely.entry(&term.term).or_default() += score * f64::from(term.weight) / length;
        }
    }
    let mut best: Vec<(&str, f64)> = likely.into_iter().filter(|&(_, share)| share > 0.0).collect();
    best.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    best.truncate(by.terms as usize);
    let weight: f64 = asked.iter().map(|term| f64::from(term.weight)).sum();
    let all: f64 = best.iter().map(|&(_, share)| share).sum();
    if all == 0.0 || weight == 0.0 {
        return asked.to_vec();
    }
    let mut mixed: Vec<(String, f64)> = asked
        .iter()
        .map(|term| (term.term.clone(), by.original * f64::from(term.weight)))
        .collect();
    for (term, share) in best {
        let added = (1.0 - by.original) * share / all * weight;
        match mixed.iter_mut().find(|(known, _)| known == term) {
            Some((_, own)) => *own += added,
            None => mixed.push((term.to_owned(), added)),
        }
    }
    let mixed = mixed.into_iter().filter(|&(_, weight)| weight > 0.0);
    mixed.map(|(term, weight)| QueryTerm { term, weight: weight as f32 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(pairs: &[(&str, f32)]) -> Vec<QueryTerm> {
        pairs.iter().map(|&(term, weight)| QueryTerm { term: term.to_owned(), weight }).collect()
    }

    #[test]
    fn words_are_mixed_by_their_share_of_the_documents() {
        let asked = terms(&[("radium", 1.0), ("moon", 1.0)]);
        let documents = [
            (3.0, terms(&[("radium", 1.0), ("salt", 1.0), ("glow", 1.0), ("blue", 1.0)])),
            (1.0, terms(&[("radium", 1.0), ("lamp", 3.0)])),
        ];
        // radium has 3/4 + 1/4, the others 3/4 each, of which one has room: the first by name.
        let by = Rm3 { documents: 2, terms: 2, original: 0.5 };
        let got = expand(&asked, &documents, &by);
        let named: Vec<&str> = got.iter().map(|term| term.term.as_str()).collect();
        assert_eq!(named, ["radium", "moon", "blue"]);
        for (term, weight) in got.iter().zip([0.5 + 1.0 / 1.75, 0.5, 0.75 / 1.75]) {
            assert!((f64::from(term.weight) - weight).abs() < 1e-6, "{got:?}");
        }
    }

    #[test]
    fn without_documents_or_with_all_of_the_query_it_stays_what_it_was() {
        let asked = terms(&[("radium", 2.0)]);
        assert_eq!(expand(&asked, &[], &Rm3::default()), asked);
        let documents = [(1.0, terms(&[("salt", 1.0)]))];
        let by = Rm3 { original: 1.0, ..Rm3::default() };
        assert_eq!(expand(&asked, &documents, &by), asked);
    }
}
