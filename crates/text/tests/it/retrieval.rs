use crate::data::{corpus, lines, set};
use ecphory_text::Analyzer;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Instant;

/// Mean nDCG@10 over the judged queries of BM25 with Lucene's formula, k1 0.9 and b 0.4, one field: as small as it can be.
fn bm25(dir: &Path, spec: &str) -> f64 {
    let analyzer: Analyzer = spec.parse().unwrap();
    let documents = corpus(dir, "corpus.jsonl");
    let mut postings: HashMap<String, BTreeMap<usize, f64>> = HashMap::new();
    let mut lengths = vec![0.0; documents.len()];
    for (doc, (_, text)) in documents.iter().enumerate() {
        analyzer.for_each_term(text, &mut |term| {
            lengths[doc] += 1.0;
            *postings.entry(term.to_owned()).or_default().entry(doc).or_default() += 1.0;
        });
    }
    let count = documents.len() as f64;
    let average = lengths.iter().sum::<f64>() / count;
    let mut qrels: BTreeMap<String, HashMap<String, f64>> = BTreeMap::new();
    for line in lines(&dir.join("qrels"), "test.tsv").iter().skip(1) {
        let [query, doc, grade] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        qrels.entry(query.into()).or_default().insert(doc.into(), grade.parse().unwrap());
    }
    let queries: HashMap<String, String> = corpus(dir, "queries.jsonl").into_iter().collect();
    let mut total = 0.0;
    for (query, judged) in &qrels {
        let mut scores: HashMap<usize, f64> = HashMap::new();
        for term in analyzer.terms(&queries[query]) {
            let Some(list) = postings.get(&term) else { continue };
            let df = list.len() as f64;
            let idf = (1.0 + (count - df + 0.5) / (df + 0.5)).ln();
            for (&doc, tf) in list {
                let norm = 0.9 * (1.0 - 0.4 + 0.4 * lengths[doc] / average);
                *scores.entry(doc).or_default() += idf * tf / (tf + norm);
            }
        }
        let mut ranked: Vec<(usize, f64)> = scores.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let gain = |rank: usize, grade: f64| grade / (rank as f64 + 2.0).log2();
        let found: f64 = (ranked.iter().take(10).enumerate())
            .map(|(rank, &(doc, _))| {
                gain(rank, judged.get(&documents[doc].0).copied().unwrap_or(0.0))
            })
            .sum();
        let mut ideal: Vec<f64> = judged.values().copied().collect();
        ideal.sort_by(|a, b| b.total_cmp(a));
        let best: f64 =
            ideal.iter().take(10).enumerate().map(|(rank, &grade)| gain(rank, grade)).sum();
        total += found / best;
    }
    total / qrels.len() as f64
}

/// Anserini's figure for BM25 over one field of SciFact is 0.6789.
#[test]
fn english_reproduces_anserini_on_scifact() {
    let Some(dir) = set("scifact") else { return };
    let found = bm25(&dir, "english");
    eprintln!("english: nDCG@10 {found:.4}");
    assert!((found - 0.6789).abs() < 0.003, "{found}");
}

/// Measures; run it in release with `--ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn throughput() {
    let Some(dir) = set("scifact") else { return };
    let texts: Vec<String> =
        corpus(&dir, "corpus.jsonl").into_iter().map(|(_, text)| text).collect();
    let bytes: usize = texts.iter().map(String::len).sum();
    for spec in [
        "words",
        "raw",
        "words(possessive, lower, stop=english)",
        "english",
        "words(lower, stem=english)",
        "auto",
    ] {
        let analyzer: Analyzer = spec.parse().unwrap();
        let mut best = f64::INFINITY;
        let mut terms = 0u64;
        for _ in 0..5 {
            let start = Instant::now();
            terms = 0;
            for text in &texts {
                analyzer.for_each_term(text, &mut |_| terms += 1);
            }
            best = best.min(start.elapsed().as_secs_f64());
        }
        eprintln!("{spec:<40} {:7.1} MB/s, {terms} terms", bytes as f64 / best / 1e6);
    }
}
