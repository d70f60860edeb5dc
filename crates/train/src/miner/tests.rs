use super::*;
use crate::ids::Ids;
use crate::teacher::Teacher;
use crate::vectors::Vectors;
use ecphory_core::{ErrorKind, Silent};
use ecphory_kernels::Level;
use ecphory_kernels::dot::dot;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

/// Small whole numbers, so that sums are exact and many scores are equal.
fn whole(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919 + seed * 104_729) % 65_537 % 5) as f32 - 2.0).collect()
}

fn brute(queries: &[f32], documents: &[f32], columns: usize, depth: usize) -> Vec<Vec<Candidate>> {
    let of_query = |query: &[f32]| {
        let mut all: Vec<Candidate> = (0..)
            .zip(documents.chunks(columns))
            .map(|(document, row)| Candidate { document, score: dot(Level::Portable, query, row) })
            .collect();
        all.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.document.cmp(&b.document)));
        all.truncate(depth);
        all
    };
    queries.chunks(columns).map(of_query).collect()
}

#[test]
fn exact_search_is_brute_force_down_to_ties() {
    for (queries, documents, columns) in [(1, 1, 1), (3, 700, 5), (300, 129, 9), (130, 400, 40)] {
        let query_values = whole(queries * columns, 1);
        let document_values = whole(documents * columns, 2);
        let numbers: Vec<u32> = (0..queries as u32).collect();
        for level in Level::available() {
            let searcher = ExactSearcher::new(
                level,
                Vectors::new("query", &query_values, columns).unwrap(),
                Vectors::new("document", &document_values, columns).unwrap(),
            )
            .unwrap();
            for depth in [0, 1, 10, documents, documents + 7] {
                let found = searcher.search(&numbers, depth).unwrap();
                assert_eq!(found, brute(&query_values, &document_values, columns, depth));
            }
        }
    }
}

#[test]
fn a_query_is_found_alike_alone_and_in_any_pool() {
    let columns = 33;
    let values: Vec<f32> = (0..900 * columns).map(|i| (i as f32 * 0.37).sin()).collect();
    let vectors = Vectors::new("vector", &values, columns).unwrap();
    let searcher = ExactSearcher::new(Level::detect(), vectors, vectors).unwrap();
    let queries: Vec<u32> = (0..400).rev().collect();
    let in_pool = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| searcher.search(&queries, 20).unwrap())
    };
    let together = in_pool(1);
    assert_eq!(together, in_pool(3));
    for at in [0, 127, 128, 399] {
        assert_eq!(searcher.search(&queries[at..=at], 20).unwrap()[0], together[at]);
    }
}

#[test]
fn searches_that_cannot_be_are_refused() {
    let values = [1.0, 2.0, 3.0, 4.0];
    let rows = |columns| Vectors::new("query", &values, columns).unwrap();
    let error = ExactSearcher::new(Level::Portable, rows(1), rows(2)).unwrap_err().to_string();
    assert_eq!(error, "columns of the queries: expected 2, got 1");
    let searcher = ExactSearcher::new(Level::Portable, rows(2), rows(2)).unwrap();
    assert_eq!(searcher.search(&[2], 1).unwrap_err().to_string(), "query 2: there are 2");
    let huge = [f32::MAX, f32::MAX, -f32::MAX, -f32::MAX];
    let huge = Vectors::new("vector", &huge, 2).unwrap();
    let searcher = ExactSearcher::new(Level::Portable, huge, huge).unwrap();
    let error = searcher.search(&[1], 1).unwrap_err().to_string();
    assert_eq!(error, "scores of query 1: value 0 is -inf");
}

/// Ranks the documents q, q + 1, q + 2, … modulo the number of documents.
struct Turning(u32);

impl Searcher for Turning {
    fn search(&self, queries: &[u32], depth: usize) -> Result<Vec<Vec<Candidate>>> {
        let ranking = |&query: &u32| {
            let places = 0..self.0.min(depth as u32);
            places
                .map(|place| Candidate {
                    document: (query + place) % self.0,
                    score: 100.0 - place as f32,
                })
                .collect()
        };
        Ok(queries.iter().map(ranking).collect())
    }
}

fn positives() -> Positives {
    // More queries than a block holds.
    Positives::new((0..1200).map(|query| (query, vec![(query + 1) % 50, (query + 30) % 50])))
        .unwrap()
}

fn documents(set: &MinedSet) -> Vec<u32> {
    set.negatives.iter().map(|negative| negative.document).collect()
}

fn mining<'a>(searcher: &'a dyn Searcher, filters: &'a [&'a dyn Filter]) -> Mining<'a> {
    Mining { searcher, filters, ranks: 0..10, keep: 4, seed: 1 }
}

#[test]
fn positives_are_never_negatives_and_ranks_are_a_range() {
    let searcher = Turning(50);
    let all = Mining { ranks: 2..40, keep: 100, ..mining(&searcher, &[]) };
    let (sets, report) = all.run(&positives(), &Silent).unwrap();
    assert_eq!(sets.len(), 2400);
    for (set, (query, first)) in sets.iter().zip((0..1200).flat_map(|q| [(q, true), (q, false)])) {
        assert_eq!((set.query, set.positive), (query, (query + if first { 1 } else { 30 }) % 50));
        // Rank 1 is a positive, but ranks begin at 2; rank 30 is one.
        let expected: Vec<u32> =
            (2..40).filter(|&place| place != 30).map(|place| (query + place) % 50).collect();
        assert_eq!(documents(set), expected);
    }
    assert_eq!(report.candidates, 2400 * 38);
    assert_eq!(report.removed, [("positive", 2400)]);
    assert_eq!(report.short, 2400);
}

#[test]
fn draws_are_uniform_and_follow_from_the_seed() {
    let searcher = Turning(50);
    let how = mining(&searcher, &[]);
    let (sets, report) = how.run(&positives(), &Silent).unwrap();
    assert_eq!(report.short, 0);
    let mut counts = [0u32; 10];
    for set in &sets {
        assert_eq!(set.negatives.len(), 4);
        assert!(set.negatives.is_sorted_by(|a, b| a.score > b.score));
        for document in documents(set) {
            counts[((document + 50 - set.query % 50) % 50) as usize] += 1;
        }
    }
    assert_eq!(counts.iter().sum::<u32>(), 9600);
    // Of nine ranks each comes alike; rank 1 is the positive.
    assert_eq!(counts[1], 0);
    let expected = 9600.0 / 9.0;
    let chi: f64 = counts.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
    assert!(chi - expected < 26.1, "{counts:?}");
    assert_eq!(how.run(&positives(), &Silent).unwrap().0, sets);
    assert_ne!(Mining { seed: 2, ..how.clone() }.run(&positives(), &Silent).unwrap().0, sets);
    // A pair's draw is its own: other queries do not matter.
    let alone = Positives::new([(7, vec![8, 37])]).unwrap();
    assert_eq!(how.run(&alone, &Silent).unwrap().0, sets[14..16]);
}

#[test]
fn random_documents_are_all_alike() {
    let searcher = RandomDocuments::new(40, 3).unwrap();
    let mut counts = [0u32; 40];
    let queries: Vec<u32> = (0..4000).collect();
    for depth in [5, 30] {
        let rankings = searcher.search(&queries, depth).unwrap();
        for ranking in &rankings {
            assert_eq!(ranking.len(), depth);
            assert!(ranking.is_sorted_by(|a, b| a.document < b.document));
            for candidate in ranking {
                counts[candidate.document as usize] += 1;
            }
        }
        assert_eq!(rankings, searcher.search(&queries, depth).unwrap());
    }
    let expected = 4000.0 * 35.0 / 40.0;
    let chi: f64 = counts.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
    assert!(chi < 72.1, "{counts:?}");
    assert_eq!(searcher.search(&[0], 90).unwrap()[0].len(), 40);
    assert!(RandomDocuments::new(0, 3).is_err());
}

fn candidates(documents: &[u32]) -> Vec<Candidate> {
    documents.iter().map(|&document| Candidate { document, score: 1.0 }).collect()
}

fn filtered(filter: &dyn Filter, query: u32, documents: &[u32]) -> Vec<u32> {
    let mut left = candidates(documents);
    let pair = Pair { query, positive: 0, positives: &[0, 1] };
    filter.apply(&pair, &mut left).unwrap();
    left.into_iter().map(|candidate| candidate.document).collect()
}

#[test]
fn the_query_itself_is_no_negative() {
    let filter = SelfExclusion::new(vec![Some(5), None]);
    assert_eq!(filtered(&filter, 0, &[4, 5, 6]), [4, 6]);
    assert_eq!(filtered(&filter, 1, &[4, 5, 6]), [4, 5, 6]);
    let pair = Pair { query: 2, positive: 0, positives: &[0] };
    assert!(filter.apply(&pair, &mut candidates(&[1])).is_err());
}

#[test]
fn copies_are_no_negatives() {
    let texts =
        ["The cat sat.", "A dog", "the  cat, sat", "a dog!", "Mouse", "mouse", "bird", "Is it?"];
    let keys: Vec<u64> = texts.iter().map(|text| text_key(text)).collect();
    let filter = DuplicateText::new(vec![text_key("is it"), text_key("other")], keys);
    // 2 and 3 are copies of the positives, 5 of the candidate before it, 7 of the query.
    assert_eq!(filtered(&filter, 0, &[2, 4, 3, 5, 6, 7]), [4, 6]);
    assert_eq!(filtered(&filter, 1, &[7, 5, 4]), [7, 5]);
    assert_ne!(text_key("ab c"), text_key("a bc"));
    assert_ne!(text_key("ab"), text_key("ab c"));
    assert_eq!(text_key("ÄRGER  — 3"), text_key("ärger 3"));
    let pair = Pair { query: 0, positive: 0, positives: &[0] };
    let error = filter.apply(&pair, &mut candidates(&[8])).unwrap_err().to_string();
    assert_eq!(error, "document 8: there are 8");
}

/// Scores a document by its number, less something.
struct Numbers(f32);

impl Teacher for Numbers {
    fn scores(&self, _query: u32, documents: &[u32]) -> Result<Vec<f32>> {
        Ok(documents.iter().map(|&document| 20.0 - document as f32 - self.0).collect())
    }
}

#[test]
fn what_the_teacher_likes_too_much_is_no_negative() {
    // The positive has 20; documents 1, 2, … have 19, 18, ….
    let teacher = Numbers(0.0);
    let below = TeacherMargin::below(&teacher, 3.0).unwrap();
    assert_eq!(filtered(&below, 0, &[6, 2, 3, 4, 1]), [6, 3, 4]);
    let within = TeacherMargin::within(&teacher, 0.9).unwrap();
    assert_eq!(filtered(&within, 0, &[1, 2, 3]), [2, 3]);
    // The positive has −5, and 5.6 is needed, not 4.5.
    let negative = Numbers(25.0);
    let within = TeacherMargin::within(&negative, 0.88).unwrap();
    assert_eq!(filtered(&within, 0, &[0, 1, 2]), [1, 2]);
    assert!(TeacherMargin::below(&teacher, f32::NAN).is_err());
    assert!(TeacherMargin::within(&teacher, 0.0).is_err());
    assert!(TeacherMargin::within(&teacher, 1.5).is_err());
}

#[test]
fn filters_are_applied_in_turn_and_counted() {
    let searcher = Turning(50);
    let own = SelfExclusion::new((0..1200).map(|query| Some(query % 50)).collect());
    let teacher = Numbers(0.0);
    let margin = TeacherMargin::below(&teacher, 1000.0).unwrap();
    let filters: [&dyn Filter; 2] = [&own, &margin];
    let (sets, report) = mining(&searcher, &filters).run(&positives(), &Silent).unwrap();
    assert!(sets.iter().all(|set| set.negatives.is_empty()));
    let pairs = 2400;
    let removed = [("positive", pairs), ("self", pairs), ("teacher margin", pairs * 8)];
    assert_eq!(report.removed, removed);
    assert_eq!((report.candidates, report.short), (pairs * 10, pairs));
}

#[test]
fn a_round_trip_keeps_what_is_found() {
    let result = round_trip(&Turning(50), &positives(), 2, &Silent).unwrap();
    assert_eq!((result.kept.len(), result.dropped.len()), (1200, 1200));
    assert!(result.kept.iter().all(|&(query, document)| document == (query + 1) % 50));
    assert!(result.dropped.iter().all(|&(query, document)| document == (query + 30) % 50));
    assert_eq!(round_trip(&Turning(50), &positives(), 1, &Silent).unwrap().kept, []);
    assert!(round_trip(&Turning(50), &positives(), 0, &Silent).is_err());
}

#[test]
fn a_pool_hides_what_its_run_does_not_show() {
    let relevant = Positives::new([(0, vec![1, 30, 3]), (1, vec![40]), (2, vec![2])]).unwrap();
    let pool = simulate_pool(&Turning(50), &relevant, 5, &Silent).unwrap();
    let visible: Vec<_> = pool.visible.iter().map(|(q, docs)| (q, docs.to_vec())).collect();
    assert_eq!(visible, [(0, vec![1, 3]), (2, vec![2])]);
    assert_eq!(pool.hidden, [(0, 30), (1, 40)]);
    let set = |query, documents| MinedSet { query, positive: 0, negatives: candidates(documents) };
    let mined = [set(0, &[30, 31]), set(1, &[30, 40]), set(2, &[30])];
    assert_eq!(pool.hidden_share(&mined), 0.4);
    assert_eq!(pool.hidden_share(&[]), 0.0);
    // A ranking that goes deeper than the pool brings back what it hid.
    let deep = Mining { ranks: 0..45, keep: 45, ..mining(&Turning(50), &[]) };
    let (sets, _) = deep.run(&pool.visible, &Silent).unwrap();
    // Query 0 has 43 negatives with document 30 among them, query 2 has 44.
    assert_eq!(pool.hidden_share(&sets), 2.0 / (2.0 * 43.0 + 44.0));
    let nothing = Positives::new([(0, vec![30])]).unwrap();
    assert!(simulate_pool(&Turning(50), &nothing, 5, &Silent).is_err());
    assert!(simulate_pool(&Turning(50), &nothing, 0, &Silent).is_err());
}

#[test]
fn a_union_ranks_by_the_best_place() {
    let list = |documents: &[u32]| Fixed(vec![candidates(documents)]);
    let (a, b) = (list(&[5, 3, 9]), list(&[9, 5, 2, 1]));
    let union = Union::new(vec![&a, &b]).unwrap();
    let found = union.search(&[0], 4).unwrap().remove(0);
    let found: Vec<(u32, f32)> = found.iter().map(|c| (c.document, c.score)).collect();
    assert_eq!(found, [(5, 1.0), (9, 1.0), (3, 0.5), (2, 1.0 / 3.0)]);
    assert_eq!(union.search(&[0], 9).unwrap()[0].len(), 5);
    assert!(union.search(&[0, 1], 9).is_err());
    assert!(Union::new(vec![]).is_err());
}

#[test]
fn queries_without_positives_and_repeats_are_refused() {
    let message = |all: &[(u32, Vec<u32>)]| Positives::new(all.to_vec()).unwrap_err().to_string();
    assert_eq!(message(&[(1, vec![2]), (4, vec![])]), "query 4 has no positive document");
    assert_eq!(message(&[(1, vec![2]), (1, vec![3])]), "query 1 is there twice");
    assert_eq!(message(&[(1, vec![2, 5, 2])]), "positive document 2 is there twice");
    let searcher = Turning(50);
    let how = mining(&searcher, &[]);
    assert!(Mining { ranks: 5..5, ..how.clone() }.run(&positives(), &Silent).is_err());
    assert!(Mining { keep: 0, ..how }.run(&positives(), &Silent).is_err());
}

/// Counts what is reported and cancels after so many units.
struct Counted {
    done: AtomicU64,
    open: AtomicU64,
    limit: u64,
}

impl Progress for Counted {
    fn begin(&self, task: &str, total: u64) {
        assert_eq!((task, total), ("mine", 1200));
        self.open.fetch_add(1, Ordering::Relaxed);
    }
    fn advance(&self, units: u64) {
        self.done.fetch_add(units, Ordering::Relaxed);
    }
    fn end(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
    fn cancelled(&self) -> bool {
        self.done.load(Ordering::Relaxed) >= self.limit
    }
}

#[test]
fn progress_is_reported_and_work_can_be_stopped() {
    let searcher = Turning(50);
    for (limit, done) in [(u64::MAX, 1200), (1, QUERY_BLOCK as u64)] {
        let counted = Counted { done: AtomicU64::new(0), open: AtomicU64::new(0), limit };
        let result = mining(&searcher, &[]).run(&positives(), &counted);
        assert_eq!(counted.done.into_inner(), done);
        assert_eq!(counted.open.into_inner(), 0);
        match result {
            Ok(_) => assert_eq!(limit, u64::MAX),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Interrupted),
        }
    }
}

/// Answers with what it was made with, whatever is asked.
struct Fixed(Vec<Vec<Candidate>>);

impl Searcher for Fixed {
    fn search(&self, _queries: &[u32], _depth: usize) -> Result<Vec<Vec<Candidate>>> {
        Ok(self.0.clone())
    }
}

struct Failing;

impl Searcher for Failing {
    fn search(&self, _queries: &[u32], _depth: usize) -> Result<Vec<Vec<Candidate>>> {
        Err(Error::Search { kind: ErrorKind::Corrupt, source: "a broken part".into() })
    }
}

#[test]
fn searchers_that_say_nonsense_are_refused() {
    let message = |rankings| {
        let one = Positives::new([(3, vec![0])]).unwrap();
        mining(&Fixed(rankings), &[]).run(&one, &Silent).unwrap_err().to_string()
    };
    assert_eq!(message(vec![]), "rankings of the searcher: expected 1, got 0");
    let long = candidates(&(0..11).collect::<Vec<_>>());
    assert_eq!(message(vec![long]), "length of a ranking: expected 10, got 11");
    let nan = vec![Candidate { document: 1, score: f32::NAN }];
    assert_eq!(message(vec![nan]), "ranking of query 3: value 0 is NaN");
    let error = mining(&Failing, &[]).run(&positives(), &Silent).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::Corrupt, "searching failed: a broken part".into())
    );
}

fn ids() -> (Ids, Ids) {
    (Ids::of_queries(["q0", "q 1"]).unwrap(), Ids::of_documents(["a", "b\"", "c"]).unwrap())
}

fn sets() -> Vec<MinedSet> {
    let negative = |document, score| Candidate { document, score };
    vec![
        MinedSet { query: 1, positive: 0, negatives: vec![negative(2, 0.1), negative(1, -1e-9)] },
        MinedSet { query: 0, positive: 2, negatives: vec![] },
        MinedSet { query: 1, positive: 1, negatives: vec![negative(0, 16_777_215.0)] },
    ]
}

#[test]
fn mined_sets_come_back_from_files() {
    let dir = tempfile::tempdir().unwrap();
    let (queries, documents) = ids();
    for (name, start) in [("m.tsv", "q 1\ta\tc\t0.1\tb\"\t"), ("m.jsonl", "{\"query\":\"q 1\"")] {
        let path = dir.path().join(name);
        write_mined(&path, &sets(), &queries, &documents).unwrap();
        assert!(fs_err::read_to_string(&path).unwrap().starts_with(start));
        assert_eq!(read_mined(&path, &queries, &documents).unwrap(), sets());
    }
    let names: BTreeSet<_> =
        fs_err::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, BTreeSet::from(["m.jsonl".into(), "m.tsv".into()]));
}

#[test]
fn bad_files_name_the_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mined");
    let (queries, documents) = ids();
    let message = |text: &str| {
        fs_err::write(&path, text).unwrap();
        let error = read_mined(&path, &queries, &documents).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        error.to_string()
    };
    assert!(message("q0\ta\tc\n").ends_with("split by tabs, got 3 columns"));
    assert!(message("q0\ta\n\nq0\n").contains("mined, line 3: expected query, positive"));
    assert!(message("q0\ta\tc\tinf\n").ends_with("line 1: the score `inf` is not a finite number"));
    assert!(
        message("q0\ta\tc\t1\ta\t1\n")
            .ends_with("`a` is the positive of query `q0` and among its negatives")
    );
    assert!(
        message("q0\ta\tx\t1\ty\t1\nq0\tz\n").ends_with(
            "3 of its documents are not in this collection, the first in line 1: x, y, z"
        )
    );
    assert!(
        message("q0\ta\nq7\tz\n")
            .ends_with("1 of its queries are not in this collection, the first in line 2: q7")
    );
    assert!(message("{\"query\": 3}").contains("line 1: expected an object with query, positive"));
    assert!(message("{\"query\":\"q0\",\"positive\":\"a\",\"negatives\":[{\"document\":\"c\",\"score\":1e99}]}")
        .contains("line 1: "));
    // A tab cannot be written as a column, but as JSON.
    let odd = Ids::of_documents(["a", "b\tb", "c"]).unwrap();
    let path = dir.path().join("out.tsv");
    let error = write_mined(&path, &sets(), &queries, &odd).unwrap_err().to_string();
    assert!(error.contains("line 1: the id `b\tb` is empty or holds a tab"), "{error}");
    assert!(!path.exists());
    let path = dir.path().join("out.jsonl");
    write_mined(&path, &sets(), &queries, &odd).unwrap();
    assert_eq!(read_mined(&path, &queries, &odd).unwrap(), sets());
    let unknown = [MinedSet { query: 9, positive: 0, negatives: vec![] }];
    assert!(write_mined(&path, &unknown, &queries, &odd).is_err());
    assert_eq!(read_mined(&path, &queries, &odd).unwrap(), sets());
}
