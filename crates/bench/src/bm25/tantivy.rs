//! The tantivy side, set up as its authors advise: an mmap directory, a budget of memory per indexing
//! thread, one segment before searching, and the collector of the top k by score, which prunes by block.
//!
//! Positions are not indexed, as none of the sides has them.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, Query, TermQuery};
use tantivy::schema::{
    FAST, Field, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{
    Language, LowerCaser, RemoveLongFilter, SimpleTokenizer, Stemmer, StopWordFilter, TextAnalyzer,
    WhitespaceTokenizer,
};
use tantivy::{Index, IndexWriter, Searcher, TantivyDocument, Term};

use crate::corpus;
use crate::side::{Side, count, text};
use crate::sizes::folder_bytes;
use crate::threads;

/// Never filled by the corpus of this workload, so that indexing is not slowed by merges.
const BUDGET_BYTES_PER_THREAD: usize = 500_000_000;
/// Its own English analysis: words, lower case, stop words, Snowball's stemmer.
const OWN: &str = "own_english";
/// Terms that are analysed already.
const TERMS: &str = "whitespace";

/// What the requests work on: after `open` a searcher and the terms of the queries.
pub struct Tantivy {
    threads: usize,
    open: Option<(Searcher, Vec<Vec<Term>>)>,
}

impl Tantivy {
    pub fn new(threads: usize) -> Self {
        Self { threads, open: None }
    }

    /// From a file of texts to a committed index. With its own analysis the texts are kept in it, as our
    /// collection keeps them; of terms that are analysed already there is only the index.
    fn index(&self, input: &Path, folder: &Path, own_analysis: bool) -> Result<Value> {
        fs_err::create_dir_all(folder)?;
        let start = Instant::now();
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(if own_analysis { OWN } else { TERMS })
            .set_index_option(IndexRecordOption::WithFreqs);
        let options = TextOptions::default().set_indexing_options(indexing);
        let options = if own_analysis { options | STORED } else { options };
        let mut schema = Schema::builder();
        let body = schema.add_text_field("text", options);
        let line = schema.add_u64_field("line", FAST);
        let index = Index::create_in_dir(folder, schema.build())?;
        register(&index)?;
        let budget = BUDGET_BYTES_PER_THREAD * self.threads;
        let mut writer: IndexWriter = index.writer_with_num_threads(self.threads, budget)?;
        let mut documents = 0u64;
        // It takes documents one by one, so the texts need not be in memory.
        for text in corpus::lines(input)? {
            let mut document = TantivyDocument::new();
            document.add_text(body, text?);
            document.add_u64(line, documents);
            writer.add_document(document)?;
            documents += 1;
        }
        writer.commit()?;
        let seconds = start.elapsed().as_secs_f64();
        let segments = index.searchable_segment_ids()?;
        if segments.len() > 1 {
            writer.merge(&segments).wait()?;
        }
        writer.garbage_collect_files().wait()?;
        writer.wait_merging_threads()?;
        Ok(json!({
            "seconds": seconds,
            "documents": documents,
            "bytes": folder_bytes(folder, |_| true)?,
            "index_bytes": folder_bytes(folder, |path| path.extension().is_none_or(|e| e != "store"))?,
        }))
    }

    /// Opens an index; queries are lines of text with its own analysis, of terms otherwise.
    fn open(&mut self, folder: &Path, queries: &Path, own_analysis: bool) -> Result<Value> {
        let index = Index::open_in_dir(folder)?;
        register(&index)?;
        let body = index.schema().get_field("text")?;
        let name = if own_analysis { OWN } else { TERMS };
        let mut analyzer = index.tokenizers().get(name).context("the tokenizer is registered")?;
        let queries = corpus::read(queries)?;
        let queries = queries.iter().map(|query| terms(&mut analyzer, body, query)).collect();
        self.open = Some((index.reader()?.searcher(), queries));
        Ok(json!({}))
    }

    fn search(&self, k: usize) -> Result<Value> {
        let (searcher, queries) = self.open.as_ref().context("nothing is open")?;
        let start = Instant::now();
        let hits = threads::sum(self.threads, queries, |terms| {
            Ok(searcher.search(&query(terms), &TopDocs::with_limit(k).order_by_score())?.len())
        })?;
        Ok(
            json!({ "seconds": start.elapsed().as_secs_f64(), "queries": queries.len(), "hits": hits }),
        )
    }

    fn results(&self, k: usize) -> Result<Value> {
        let (searcher, queries) = self.open.as_ref().context("nothing is open")?;
        let mut results = Vec::with_capacity(queries.len());
        for terms in queries {
            let mut hits = Vec::new();
            let found = searcher.search(&query(terms), &TopDocs::with_limit(k).order_by_score())?;
            for (score, address) in found {
                let reader = searcher.segment_reader(address.segment_ord);
                let lines = reader.fast_fields().u64("line")?;
                let line = lines.first(address.doc_id).context("every document has its line")?;
                hits.push((line, score));
            }
            results.push(hits);
        }
        Ok(json!({ "results": results }))
    }
}

/// A union of terms; a term that is asked for twice counts twice, as in the other sides.
fn query(terms: &[Term]) -> BooleanQuery {
    let one = |term: &Term| -> Box<dyn Query> {
        Box::new(TermQuery::new(term.clone(), IndexRecordOption::WithFreqs))
    };
    BooleanQuery::union(terms.iter().map(one).collect())
}

fn terms(analyzer: &mut TextAnalyzer, field: Field, query: &str) -> Vec<Term> {
    let mut terms = Vec::new();
    analyzer.token_stream(query).process(&mut |token| {
        terms.push(Term::from_field_text(field, &token.text));
    });
    terms
}

fn register(index: &Index) -> Result<()> {
    let stop = StopWordFilter::new(Language::English).context("tantivy has English stop words")?;
    let own = TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(RemoveLongFilter::limit(40))
        .filter(LowerCaser)
        .filter(stop)
        .filter(Stemmer::new(Language::English))
        .build();
    index.tokenizers().register(OWN, own);
    let terms = TextAnalyzer::builder(WhitespaceTokenizer::default()).build();
    index.tokenizers().register(TERMS, terms);
    Ok(())
}

impl Side for Tantivy {
    fn ask(&mut self, op: &str, request: &Value) -> Result<Value> {
        let path = |key| text(request, key).map(Path::new);
        // Which of the two files of a request to read, and how.
        let own = request["own_analysis"].as_bool().unwrap_or(false);
        match op {
            "version" => {
                let version = tantivy::version_string().split(',').next().unwrap_or("?");
                Ok(json!({ "version": version.trim_start_matches("tantivy v") }))
            }
            "index" => self.index(path(if own { "texts" } else { "terms" })?, path("folder")?, own),
            "open" => {
                self.open(path("folder")?, path(if own { "queries" } else { "query_terms" })?, own)
            }
            "search" => self.search(count(request, "k")?),
            "results" => self.results(count(request, "k")?),
            _ => bail!("there is no operation `{op}`"),
        }
    }
}
