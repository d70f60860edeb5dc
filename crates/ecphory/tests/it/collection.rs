use ecphory::{Document, ErrorKind, Pipeline, Reader, SearchOptions, Silent};

use crate::support::{Bench, StopAfter, documents, requests, write_model};

/// The hits of a few queries with their scores: what two equal collections have to agree on.
pub fn answers(reader: &Reader, pipeline: &str) -> Vec<(String, f32)> {
    let pipeline: Pipeline = pipeline.parse().unwrap();
    let options = SearchOptions { k: 1000, ..SearchOptions::default() };
    let queries = ["radium decay", "moon light orbit", "penicillin"];
    let responses = reader.search_batch(&pipeline, &queries, &options, &Silent).unwrap();
    responses.into_iter().flat_map(|r| r.hits).map(|hit| (hit.id, hit.score)).collect()
}

#[test]
fn a_collection_begins_to_exist_with_its_first_documents() {
    let bench = Bench::new();
    let collection = bench.create("c.ecp", &["bm25"]);
    assert!(!bench.path("c.ecp").exists());
    assert_eq!(collection.snapshot().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(collection.fill(&Silent).unwrap_err().kind(), ErrorKind::NotFound);

    let twice = [documents(3, 1), documents(1, 2)].concat();
    assert_eq!(collection.add(&twice, &Silent).unwrap_err().kind(), ErrorKind::Conflict);
    let empty = [Document::new("x").with("text", " ")];
    assert_eq!(collection.add(&empty, &Silent).unwrap_err().kind(), ErrorKind::Input);
    let stopped = collection.add(&documents(50, 1), &StopAfter::new(0)).unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::Interrupted);
    let left: Vec<_> = fs_err::read_dir(bench.folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");

    collection.add(&documents(3, 1), &Silent).unwrap();
    assert_eq!(collection.snapshot().unwrap().documents(), 3);
    let opened = bench.engine.open(bench.path("c.ecp")).unwrap();
    assert_eq!(opened.snapshot().unwrap().documents(), 3);
}

#[test]
fn adding_is_all_or_nothing_and_readers_do_not_change() {
    let bench = Bench::new();
    let collection = bench.create("c.ecp", &["bm25"]);
    let all = documents(30, 1);
    collection.add(&all[..20], &Silent).unwrap();
    let before = collection.snapshot().unwrap();
    // The last of the batch is there already.
    let error = collection.add(&[&all[20..], &all[..1]].concat(), &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("d0"), "{error}");
    assert_eq!(collection.snapshot().unwrap().documents(), 20);
    collection.add(&all[20..], &Silent).unwrap();
    assert_eq!(before.documents(), 20);
    let after = collection.snapshot().unwrap();
    assert_eq!(after.documents(), 30);
    assert!(after.generation() > before.generation());
    assert_eq!(after.document("d25").unwrap().as_ref(), Some(&all[25]));
    assert_eq!(after.document("nobody").unwrap(), None);
}

#[test]
fn two_steps_of_adding_and_filling_equal_one() {
    let bench = Bench::new();
    let all = documents(120, 3);
    let dense = format!("dense={}", bench.model("model", 1));
    let whole = bench.filled(&all);
    let collection = bench.create("parts.ecp", &["bm25", &dense]);
    for part in all.chunks(50) {
        collection.add(part, &Silent).unwrap();
        assert_eq!(collection.fill(&Silent).unwrap().documents, part.len() as u64);
    }
    let parts = collection.snapshot().unwrap();
    assert_eq!((whole.segments(), parts.segments()), (1, 3));
    for pipeline in ["bm25", "dense", "hybrid", "rrf(bm25, dense)"] {
        assert_eq!(answers(&whole, pipeline), answers(&parts, pipeline), "{pipeline}");
    }
}

#[test]
fn filling_goes_on_where_it_was_interrupted() {
    let bench = Bench::new();
    let all = documents(300, 3);
    let dense =
        format!("dense={}(passages=sentences(words=4, overlap=1))", bench.model("model", 1));
    let whole = bench.create("whole.ecp", &["bm25", &dense]);
    whole.add(&all, &Silent).unwrap();
    let filled = whole.fill(&Silent).unwrap();
    assert_eq!(filled.documents, 300);
    assert!(filled.vectors > 300, "{filled:?}");

    // Another engine: the first would have all vectors in its cache.
    let other = Bench::new();
    other.model("model", 1);
    let dense =
        dense.replace(bench.folder.path().to_str().unwrap(), other.folder.path().to_str().unwrap());
    let collection = other.create("parts.ecp", &["bm25", &dense]);
    collection.add(&all, &Silent).unwrap();
    let (mut interruptions, mut partly) = (0, false);
    for looks in (0..).step_by(25) {
        match collection.fill(&StopAfter::new(looks)) {
            Ok(_) => break,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}"),
        }
        interruptions += 1;
        let coverage = collection.snapshot().unwrap().coverage("dense").unwrap();
        partly |= coverage.covered > 0 && coverage.covered < coverage.total;
    }
    assert!(interruptions > 0 && partly);
    let (whole, parts) = (whole.snapshot().unwrap(), collection.snapshot().unwrap());
    assert_eq!(parts.coverage("dense").unwrap().covered, 300);
    for pipeline in ["dense", "hybrid"] {
        assert_eq!(answers(&whole, pipeline), answers(&parts, pipeline), "{pipeline}");
    }
    assert_eq!(collection.fill(&Silent).unwrap().documents, 0);
}

#[test]
fn a_channel_that_is_not_complete_is_said_to_be() {
    let bench = Bench::new();
    let dense = format!("dense={}", bench.model("model", 1));
    let collection = bench.create("c.ecp", &["bm25", &dense]);
    let all = documents(40, 3);
    collection.add(&all[..30], &Silent).unwrap();
    let search = |pipeline: &str| {
        let reader = collection.snapshot().unwrap();
        let options = SearchOptions { k: 100, explain: true, documents: false };
        reader.search(&reader.pipeline(pipeline).unwrap(), "radium moon", &options).unwrap()
    };
    let lexical: Vec<String> = search("bm25").hits.into_iter().map(|hit| hit.id).collect();
    assert!(search("bm25").notes.is_empty());
    let response = search("hybrid");
    assert_eq!(response.notes, ["channel `dense` covers 0 of 30 documents so far"]);
    let hybrid: Vec<String> = response.hits.into_iter().map(|hit| hit.id).collect();
    assert_eq!(hybrid, lexical);
    assert!(search("dense").hits.is_empty());

    collection.fill(&Silent).unwrap();
    collection.add(&all[30..], &Silent).unwrap();
    let response = search("bm25 >> rescore(dense)");
    assert_eq!(response.notes[0], "channel `dense` covers 30 of 40 documents so far");
    let unscored = response.hits.iter().filter(|hit| hit.score == -1.0).count();
    assert!(unscored > 0);
    assert!(response.notes[1].starts_with(&format!("{unscored} of {} ", response.hits.len())));
    assert_eq!(response.hits.len(), search("bm25").hits.len());
}

#[test]
fn documents_without_text_for_a_channel_are_covered_but_not_found() {
    let bench = Bench::new();
    let dense = format!("dense={}(fields=text)", bench.model("model", 1));
    let collection = bench.create("c.ecp", &["bm25", &dense]);
    let all = [
        Document::new("both").with("title", "radium").with("text", "decay"),
        Document::new("title").with("title", "radium decay"),
    ];
    collection.add(&all, &Silent).unwrap();
    let filled = collection.fill(&Silent).unwrap();
    assert_eq!((filled.documents, filled.vectors), (2, 1));
    let found: Vec<String> =
        answers(&collection.snapshot().unwrap(), "dense").into_iter().map(|(id, _)| id).collect();
    assert_eq!(found, ["both", "both", "both"]);
}

#[test]
fn another_model_under_the_same_name_is_refused() {
    let bench = Bench::new();
    let model = bench.model("model", 1);
    let collection = bench.create("c.ecp", &[&format!("dense={model}")]);
    collection.add(&documents(5, 1), &Silent).unwrap();
    collection.fill(&Silent).unwrap();
    fs_err::remove_dir_all(&model).unwrap();
    write_model(model.as_ref(), 2);
    // The engine that has the old model open may go on with it; a new one sees the new files.
    let fresh = crate::support::engine(bench.folder.path());
    let collection = fresh.open(bench.path("c.ecp")).unwrap();
    let reader = collection.snapshot().unwrap();
    let pipeline = reader.pipeline("dense").unwrap();
    let search = reader.search(&pipeline, "radium", &SearchOptions::default()).unwrap_err();
    collection.add(&documents(9, 5)[5..], &Silent).unwrap();
    let fill = collection.fill(&Silent).unwrap_err();
    for error in [search, fill] {
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(
            error.to_string().contains("channel `dense` was filled by another model"),
            "{error}"
        );
    }
    fs_err::remove_dir_all(&model).unwrap();
    let gone = reader.search(&pipeline, "radium", &SearchOptions::default());
    assert!(gone.is_err());
}

#[test]
fn creating_and_opening_say_what_is_wrong() {
    let bench = Bench::new();
    let create = |name: &str, channels: &[&str]| {
        bench.engine.create(bench.path(name), &requests(channels)).unwrap_err()
    };
    assert_eq!(create("c.ecp", &["dense=nobody"]).kind(), ErrorKind::NotFound);
    assert_eq!(create("c.ecp", &["bm25", "bm25"]).kind(), ErrorKind::Usage);
    assert_eq!(create("c.ecp", &[]).kind(), ErrorKind::Usage);
    let relative = bench.engine.create("/", &requests(&["bm25"])).unwrap_err();
    assert_eq!(relative.kind(), ErrorKind::Usage);
    fs_err::write(bench.path("file"), "x").unwrap();
    assert_eq!(create("file", &["bm25"]).kind(), ErrorKind::Conflict);
    for name in ["nothing", "file", "."] {
        let error = bench.engine.open(bench.path(name)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains("`ecphory index` makes one"), "{error}");
    }
    let collection = bench.create("c.ecp", &["bm25"]);
    collection.add(&documents(5, 1), &Silent).unwrap();
    assert_eq!(create("c.ecp", &["bm25"]).kind(), ErrorKind::Conflict);
    fs_err::write(bench.path("c.ecp").join("CURRENT"), "damaged").unwrap();
    for entry in fs_err::read_dir(bench.path("c.ecp")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.metadata().unwrap().len() > 0 {
            let mut bytes = fs_err::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs_err::write(&path, bytes).unwrap();
        }
    }
    assert_eq!(bench.engine.open(bench.path("c.ecp")).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn channels_come_back_as_they_were_asked_for() {
    let bench = Bench::new();
    let model = bench.model("model", 1);
    let asked = [
        "bm25".to_owned(),
        "titles:bm25(fields=title, k1=1.2, b=0.75, analyzer=german)".to_owned(),
        format!("long:dense={model}(max_tokens=8, passages=sentences(words=4, overlap=1))"),
    ];
    let collection = bench.create("c.ecp", &asked.each_ref().map(String::as_str));
    collection.add(&documents(5, 1), &Silent).unwrap();
    let reader = collection.snapshot().unwrap();
    let got: Vec<String> = reader.channels().iter().map(ToString::to_string).collect();
    assert_eq!(got, asked);
    assert_eq!(reader.encoded_channels(), ["long"]);
    assert_eq!(reader.coverage("titles").unwrap().covered, 5);
    assert_eq!(reader.coverage("long").unwrap().covered, 0);
    assert!(reader.coverage("lng").unwrap_err().to_string().contains("long"));
}
