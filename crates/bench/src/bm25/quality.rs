//! That the lexical sides give equally good rankings: nDCG@10 on SciFact, and how many of the ten best
//! documents two sides have in common.

use std::path::Path;

use anyhow::{Context, Result};
use ecphory_eval::{Metric, Qrels, Run, evaluate};
use serde::Deserialize;
use serde_json::json;

use super::{Files, Peer};
use crate::cache::Scratch;
use crate::corpus;
use crate::corpus::scifact::SciFact;
use crate::process::Process;

/// What to say of each peer, in their order.
pub struct Quality {
    /// Where each side analyses the texts itself.
    pub own_analysis: Vec<String>,
    /// Where the peers get our terms.
    pub same_terms: Vec<String>,
}

/// The hits of each query, best first: the text's line and its score.
#[derive(Deserialize)]
struct Answer {
    results: Vec<Vec<(usize, f64)>>,
}

/// Indexes and judges SciFact with every side.
pub fn of_sides(peers: &[Peer], scratch: &Scratch) -> Result<Quality> {
    let Some(scifact) = corpus::scifact::read()? else {
        eprintln!("ECPHORY_DATA has no scifact: nDCG is left out");
        let unknown = |what: &str| peers.iter().map(|_| what.to_owned()).collect();
        return Ok(Quality {
            own_analysis: unknown("each its own English analysis; nDCG not checked"),
            same_terms: unknown("same terms, k1, b"),
        });
    };
    let files = Files {
        texts: scratch.path("scifact.txt"),
        terms: scratch.path("scifact-terms.txt"),
        queries: scratch.path("scifact-queries.txt"),
        query_terms: scratch.path("scifact-query-terms.txt"),
        suffix: String::new(),
    };
    corpus::write(&files.texts, &scifact.texts)?;
    corpus::write(&files.queries, &scifact.queries)?;
    corpus::write_terms(&files.texts, &files.terms)?;
    corpus::write_terms(&files.queries, &files.query_terms)?;
    let judge = |side: &mut Process, name: &str, own: bool| -> Result<f64> {
        let folder = scratch.path(&format!("scifact-{name}-{own}"));
        side.ask("index", files.request(&folder, own))?;
        ndcg(side, &files, &folder, own, &scifact)
    };
    let ours = judge(&mut Process::own("ours-bm25", 1)?, "ours", true)?;
    let mut quality = Quality { own_analysis: Vec::new(), same_terms: Vec::new() };
    for peer in peers {
        let mut side = peer.start(1)?;
        let own = judge(&mut side, &peer.name, true)?;
        let same = judge(&mut side, &peer.name, false)?;
        let figures = |theirs: f64| format!("SciFact nDCG@10 {ours:.4} and {theirs:.4}");
        quality.own_analysis.push(format!("each its own English analysis, {}", figures(own)));
        quality.same_terms.push(format!("same terms, k1, b; {}", figures(same)));
    }
    Ok(quality)
}

fn ndcg(
    side: &mut Process,
    files: &Files,
    folder: &Path,
    own: bool,
    scifact: &SciFact,
) -> Result<f64> {
    side.ask("open", files.open_request(folder, own))?;
    let mut run = Run::new("side");
    for (query, hits) in scifact.query_ids.iter().zip(results(side, 100)?) {
        let hits = hits.into_iter().map(|(line, score)| {
            let id = scifact.ids.get(line).context("a hit is no document")?;
            Ok((id.clone(), score))
        });
        run.insert(query.clone(), hits.collect::<Result<_>>()?)?;
    }
    let metric: Metric = "nDCG@10".parse()?;
    Ok(evaluate(&metric, &Qrels::read(&scifact.qrels)?, &run).mean())
}

fn results(side: &mut Process, k: usize) -> Result<Vec<Vec<(usize, f64)>>> {
    let answer: Answer = serde_json::from_value(side.ask("results", json!({ "k": k }))?)?;
    Ok(answer.results)
}

/// Says for each peer how far its ten best agree with ours, after what SciFact said. The first side is ours.
pub fn agreements(
    sides: &mut [Process],
    peers: &[Peer],
    scifact: &[String],
) -> Result<Vec<String>> {
    let ours = results(&mut sides[0], 10)?;
    let mut said = Vec::new();
    for ((side, peer), before) in sides[1..].iter_mut().zip(peers).zip(scifact) {
        let agreed = overlap(&ours, &results(side, 10)?);
        eprintln!("{}: {agreed:.3} of the ten best are ours too", peer.label);
        said.push(format!("{before}, overlap of the top 10 {agreed:.3}"));
    }
    Ok(said)
}

/// The share of our hits that the other has too. A hit whose score equals that of our last one counts,
/// as which of those is shown is chance.
fn overlap(ours: &[Vec<(usize, f64)>], theirs: &[Vec<(usize, f64)>]) -> f64 {
    let mut shared = 0;
    let mut all = 0;
    for (ours, theirs) in ours.iter().zip(theirs) {
        let last = ours.last().map_or(0.0, |hit| hit.1);
        let is_tied = |score: f64| (score - last).abs() <= 1e-5 * last.abs();
        all += ours.len();
        shared += ours
            .iter()
            .filter(|(line, score)| is_tied(*score) || theirs.iter().any(|hit| hit.0 == *line))
            .count();
    }
    f64::from(shared as u32) / f64::from(all.max(1) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_counts_shared_hits_and_forgives_ties_at_the_cut() {
        let ours = vec![vec![(1, 3.0), (2, 2.0), (3, 1.0)]];
        assert_eq!(overlap(&ours, &ours), 1.0);
        assert_eq!(overlap(&ours, &[vec![(1, 3.0), (2, 2.0), (9, 1.0)]]), 1.0);
        assert!((overlap(&ours, &[vec![(1, 3.0), (8, 2.0), (3, 1.0)]]) - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(overlap(&[vec![]], &[vec![]]), 0.0);
    }
}
