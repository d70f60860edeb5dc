use std::path::Path;

use ecphory_core::{Document, Silent};
use ecphory_eval::{Dataset, Qrels, Queries, Query};
use ecphory_train::miner::{Candidate, Searcher};

use super::*;
use crate::offline::config;
use crate::tiny_model::{Sequence, sentence, write_model};
use crate::{Engine, SearchOptions};

fn engine(folder: &Path, threads: usize) -> Engine {
    Engine::new(config(folder, threads)).unwrap()
}

/// Sixty documents in several segments, some of them copies; twelve queries with two answers each.
struct Place {
    folder: tempfile::TempDir,
    reader: Reader,
    dataset: Dataset,
}

fn place(threads: usize) -> Place {
    let folder = tempfile::tempdir().unwrap();
    write_model(&folder.path().join("model"), 1);
    let engine = engine(folder.path(), threads);
    let model = format!("dense={}", folder.path().join("model").display());
    let requests = ["bm25", &model].map(|text| text.parse().unwrap());
    let collection = engine.create(folder.path().join("c.ecp"), &requests).unwrap();
    let mut sequence = Sequence(3);
    let texts: Vec<String> = (0..50).map(|_| sentence(&mut sequence, 4)).collect();
    let document = |number: usize| {
        Document::new(format!("d{number}")).with("text", texts[number % 50].clone())
    };
    let documents: Vec<Document> = (0..60).map(document).collect();
    // Each batch is a segment of its own.
    for batch in documents.chunks(7) {
        collection.add(batch, &Silent).unwrap();
    }
    collection.fill(&Silent).unwrap();
    let (mut queries, mut qrels) = (Queries::default(), Qrels::default());
    for number in 0..12 {
        let (id, text) = (format!("q{number}"), sentence(&mut sequence, 2));
        for document in [number * 3, number * 3 + 1] {
            qrels.insert(&id, &format!("d{document}"), 1).unwrap();
        }
        qrels.insert(&id, "d48", 0).unwrap();
        queries.push(Query { id, text }).unwrap();
    }
    let (name, split, corpus) = ("set".to_owned(), "train".to_owned(), "nowhere".into());
    let dataset = Dataset { name, split, corpus, queries, qrels };
    Place { reader: collection.snapshot().unwrap(), dataset, folder }
}

fn request<'a>(place: &Place, pipeline: &str) -> MiningRequest<'a> {
    MiningRequest {
        pipeline: place.reader.pipeline(pipeline).unwrap(),
        ranks: 0..20,
        keep: 4,
        teacher: None,
        queries_are_documents: false,
        audit: 0,
        seed: 7,
    }
}

#[test]
fn a_pipeline_ranks_as_a_search_does() {
    let place = place(2);
    let texts: Vec<&str> = place.dataset.queries.iter().map(|query| query.text.as_str()).collect();
    // Numbers in another order than the collection's, and two documents without one.
    let names: Vec<String> = (0..58).rev().map(|number| format!("d{number}")).collect();
    let ids = Ids::of_documents(&names).unwrap();
    for pipeline in ["bm25", "dense", "hybrid", "rrf(bm25, dense) % 9", "bm25 >> rescore(dense)"] {
        let pipeline = place.reader.pipeline(pipeline).unwrap();
        let searcher =
            PipelineSearcher::new(&place.reader, &pipeline, &texts, &ids, &Silent).unwrap();
        let all: Vec<u32> = (0..12).rev().collect();
        let found = searcher.search(&all, 60).unwrap();
        for (&query, ranking) in all.iter().zip(&found) {
            let options = SearchOptions { k: 60, ..SearchOptions::default() };
            let hits =
                place.reader.search(&pipeline, texts[query as usize], &options).unwrap().hits;
            let numbered = hits.iter().filter_map(|hit| {
                Some(Candidate { document: ids.number(&hit.id)?, score: hit.score })
            });
            let mut expected: Vec<Candidate> = numbered.collect();
            expected.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.document.cmp(&b.document)));
            assert_eq!(ranking, &expected, "{pipeline}, query {query}");
        }
        assert!(!found.concat().is_empty());
        assert_eq!(searcher.search(&all, 0).unwrap(), vec![Vec::new(); 12]);
        assert!(searcher.search(&[12], 5).is_err());
    }
}

#[test]
fn negatives_do_not_depend_on_threads_and_are_none_of_what_they_must_not_be() {
    let (one, two) = (place(1), place(2));
    for pipeline in ["bm25", "hybrid"] {
        let mine =
            |place: &Place| place.reader.mine(&place.dataset, &request(place, pipeline), &Silent);
        let (mined, again) = (mine(&one).unwrap(), mine(&two).unwrap());
        assert_eq!((&mined.sets, &mined.report), (&again.sets, &again.report));
        assert_eq!((mined.sets.len(), mined.left_out), (24, 0));
        for set in &mined.sets {
            let answers = one.dataset.qrels.queries[mined.queries.id(set.query).unwrap()].clone();
            let text = |number: u32| {
                let id = mined.documents.id(number).unwrap();
                one.reader.document(id).unwrap().unwrap().text("text").unwrap().to_owned()
            };
            let answers: Vec<u32> = answers
                .iter()
                .filter(|(_, grade)| **grade > 0)
                .map(|(id, _)| mined.documents.number(id).unwrap())
                .collect();
            assert!(answers.contains(&set.positive));
            for negative in &set.negatives {
                assert!(!answers.contains(&negative.document));
                let copies =
                    answers.iter().filter(|&&answer| text(answer) == text(negative.document));
                assert_eq!(copies.count(), 0);
            }
        }
        // Ten documents are copies of others, some of them of answers.
        assert!(
            mined.report.removed.iter().any(|(name, count)| *name == "duplicate" && *count > 0)
        );
    }
}

#[test]
fn a_teacher_is_a_channel_and_its_scores_are_exact() {
    let place = place(2);
    let mut request = request(&place, "bm25");
    let texts: Vec<&str> = place.dataset.queries.iter().map(|query| query.text.as_str()).collect();
    let ids = place.reader.documents_read(&Silent).unwrap().ids;
    let (channel, near) = ("dense".to_owned(), Nearness::Ratio(0.9));
    let dense = TeacherRequest { reader: &place.reader, channel, near };
    let teacher = ChannelTeacher::new((&place.reader, "dense"), &texts, &ids, &Silent).unwrap();
    let pipeline = place.reader.pipeline("dense").unwrap();
    for (query, text) in (0..).zip(&texts) {
        let options = SearchOptions { k: 60, ..SearchOptions::default() };
        let hits = place.reader.search(&pipeline, text, &options).unwrap().hits;
        let numbers: Vec<u32> = hits.iter().map(|hit| ids.number(&hit.id).unwrap()).collect();
        let expected: Vec<f32> = hits.iter().map(|hit| hit.score).collect();
        let scores = ecphory_train::teacher::Teacher::scores(&teacher, query, &numbers).unwrap();
        assert_eq!(scores, expected);
    }
    let plain = place.reader.mine(&place.dataset, &request, &Silent).unwrap();
    request.teacher = Some(dense.clone());
    request.audit = 5;
    let taught = place.reader.mine(&place.dataset, &request, &Silent).unwrap();
    let removed = |mined: &Mined| mined.report.removed.last().copied().unwrap();
    assert_eq!(removed(&plain).0, "duplicate");
    assert!(removed(&taught).0 == "teacher margin" && removed(&taught).1 > 0);
    assert_eq!((plain.near.len(), taught.near.len()), (0, 5));
    for miss in &taught.near {
        let limit = miss.positive_score - 0.1 * miss.positive_score.abs();
        assert!(miss.score > limit, "{miss:?}");
    }
    let excess = taught.near.iter().map(|miss| miss.score - miss.positive_score);
    assert!(excess.collect::<Vec<_>>().is_sorted_by(|a, b| a >= b));
    let channel = "hybrid".to_owned();
    request.teacher = Some(TeacherRequest { channel, ..dense });
    let error = place.reader.mine(&place.dataset, &request, &Silent).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Usage, "{error}");
}

#[test]
fn what_is_missing_is_left_out_or_said() {
    let mut place = place(2);
    place.dataset.qrels.insert("q0", "gone", 1).unwrap();
    let mined = place.reader.mine(&place.dataset, &request(&place, "bm25"), &Silent).unwrap();
    assert_eq!((mined.sets.len(), mined.left_out), (24, 1));
    let mut empty = request(&place, "bm25");
    empty.ranks = 3..3;
    assert!(place.reader.mine(&place.dataset, &empty, &Silent).is_err());
    place.dataset.qrels = Qrels::default();
    place.dataset.qrels.insert("q0", "gone", 1).unwrap();
    let error = place.reader.mine(&place.dataset, &request(&place, "bm25"), &Silent).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Input);
    // Another collection, which does not have all documents, cannot teach.
    let bench = self::place(1);
    let other =
        bench.reader.engine.create(bench.folder.path().join("o.ecp"), &["bm25".parse().unwrap()]);
    let other = other.unwrap();
    other.add(&[Document::new("d0").with("text", "radium")], &Silent).unwrap();
    let other = other.snapshot().unwrap();
    let mut taught = request(&bench, "bm25");
    let (channel, near) = ("bm25".to_owned(), Nearness::Margin(0.0));
    taught.teacher = Some(TeacherRequest { reader: &other, channel, near });
    let error = bench.reader.mine(&bench.dataset, &taught, &Silent).unwrap_err();
    assert!(error.to_string().contains("the teacher has no score"), "{error}");
}
