//! Every real test collection opens, and reading and judging are fast enough.

use ecphory_eval::{Dataset, EvaluateOptions, Judgement, Metric, Run};

use crate::data;

#[test]
fn every_collection_opens() {
    let Some(scifact) = data::folder("scifact") else { return };
    let root = scifact.parent().unwrap().to_owned();
    let entries = Dataset::list(std::slice::from_ref(&root)).unwrap();
    assert!(entries.len() >= 17, "{entries:?}");
    for entry in &entries {
        for split in &entry.splits {
            let name = format!("{}/{split}", entry.name);
            let dataset = Dataset::find(&name, std::slice::from_ref(&root)).unwrap();
            assert_eq!(dataset.queries.len(), dataset.qrels.queries.len(), "{name}");
        }
    }
    let dataset = Dataset::find("beir/scifact/test", &[root]).unwrap();
    assert_eq!((dataset.queries.len(), dataset.split.as_str()), (300, "test"));
}

/// 300 queries of 1,000 documents, through a file and back, then judged: seconds would mean that something
/// is quadratic.
#[test]
fn a_full_run_is_judged_quickly() {
    let Some(dir) = data::folder("scifact") else { return };
    let dataset = Dataset::open(dir, None).unwrap();
    let mut run = Run::new("made");
    for (n, query) in dataset.qrels.queries.keys().enumerate() {
        let relevant = dataset.qrels.queries[query].keys().next().unwrap();
        let hits = (0..1000usize).map(|at| {
            let id = if at == n { relevant.clone() } else { format!("x{at}") };
            (id, (1000 - at / 3) as f64)
        });
        run.insert(query.clone(), hits.collect()).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.trec");
    run.write(std::io::BufWriter::new(fs_err::File::create(&path).unwrap())).unwrap();
    let start = std::time::Instant::now();
    let read = Run::read(&path).unwrap();
    let reading = start.elapsed();
    assert_eq!(read, run);
    let start = std::time::Instant::now();
    let judgement = Judgement::new(&dataset.qrels, &read, &EvaluateOptions::default());
    let judging = start.elapsed();
    let start = std::time::Instant::now();
    for name in ["nDCG@10", "AP", "R@100", "RR@10", "Bpref", "nDCG", "IPrec@0.5", "Rprec"] {
        let metric: Metric = name.parse().unwrap();
        assert!(judgement.evaluate(&metric).mean().is_finite());
    }
    let measuring = start.elapsed();
    println!("read {reading:?}, ranked {judging:?}, 8 metrics {measuring:?}");
    assert!(reading.as_secs_f64() < 5.0 && (judging + measuring).as_secs_f64() < 2.0);
}
