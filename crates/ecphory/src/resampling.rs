//! Splits of a data set that tell interpolation from extrapolation: queries are encoded, the protocols of
//! [`ecphory_eval::resample`] draw, and a folder in the layout of BEIR is written.

use std::path::PathBuf;

use ecphory_core::Progress;
use ecphory_eval::resample::{Fold, Regimes, RestTest, Restrain, write_dataset};
use ecphory_eval::{Dataset, Qrels, Queries, Query};
use ecphory_kernels::Level;
use ecphory_kernels::dot::dot;
use ecphory_model::{EncoderOptions, Role};
use ecphory_train::cluster::KMeans;
use ecphory_train::miner::{ExactSearcher, Searcher};
use ecphory_train::{Error as TrainError, Vectors};
use serde_json::json;

use crate::{Engine, Error, Result};

/// k-means stops here where points still move; by then they are few.
const ITERATIONS_MAX: usize = 100;

/// How a data set is resampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The test queries stay; two training sets are drawn. See [`Restrain`].
    Restrain {
        /// How many nearest training queries each test query brings in.
        neighbours: usize,
    },
    /// All queries are grouped; each group is held out once. See [`RestTest`].
    RestTest {
        /// How many groups.
        groups: usize,
    },
}

/// What to resample.
#[derive(Clone, Debug)]
pub struct ResamplingRequest {
    /// How.
    pub protocol: Protocol,
    /// The encoder that says which queries resemble each other: none of those that the splits will compare.
    pub encoder: String,
    /// The seed of everything random.
    pub seed: u64,
    /// The folder to be made.
    pub out: PathBuf,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resampled {
    /// The splits, in the order in which they belong together.
    pub splits: Vec<ResampledSplit>,
    /// Training queries that were left out, as their ids are those of test queries.
    pub same_id: usize,
    /// Neighbours that had no counterpart and are in no split.
    pub unmatched: usize,
}

/// One split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResampledSplit {
    /// Its name, by which data sets are opened.
    pub name: String,
    /// How many queries it has.
    pub queries: usize,
    /// How many relevant pairs.
    pub relevant: usize,
}

/// A name, and which judgments it has.
type Named = (String, Qrels);

impl Engine {
    /// Resamples the training and test split of a data set into a folder that [`Dataset::open`] opens.
    ///
    /// Reports the task `encode`, and `cluster` where queries are grouped.
    ///
    /// # Errors
    /// Where the encoder cannot be opened, a setting is out of its range, a regime would be empty, or the folder exists or
    /// cannot be written.
    pub fn resample(
        &self,
        train: &Dataset,
        test: &Dataset,
        request: &ResamplingRequest,
        progress: &dyn Progress,
    ) -> Result<Resampled> {
        if request.out.exists() {
            return Err(ecphory_eval::Error::OutputExists { path: request.out.clone() }.into());
        }
        let relevant = |set: &Dataset, query: &Query| relevant_of(&set.qrels, &query.id);
        let known: Vec<&Query> =
            train.queries.iter().filter(|query| relevant(train, query) > 0).collect();
        let trained: Vec<&Query> =
            known.iter().copied().filter(|query| test.queries.text(&query.id).is_none()).collect();
        let tested: Vec<&Query> = test.queries.iter().collect();
        let encoder = self.encoder(&request.encoder, &EncoderOptions::default())?;
        let texts: Vec<&str> =
            trained.iter().chain(&tested).map(|query| query.text.as_str()).collect();
        let vectors =
            unit(self.encode(&encoder, &texts, Role::Query, progress)?, encoder.dimensions());
        let drawn = Drawing { train, trained: &trained, test, tested: &tested, request };
        let (splits, unmatched) = self.pool().install(|| match request.protocol {
            Protocol::Restrain { neighbours } => {
                drawn.regimes(&vectors, encoder.dimensions(), neighbours)
            }
            Protocol::RestTest { groups } => {
                drawn.folds(&vectors, encoder.dimensions(), groups, progress)
            }
        })?;
        let mut queries = Queries::default();
        for query in trained.iter().chain(&tested) {
            // Ids are different: training queries with the id of a test query were left out.
            let pushed = queries.push((*query).clone());
            debug_assert!(pushed.is_ok());
        }
        let note = note(train, test, request, encoder.fingerprint());
        write_dataset(&request.out, &test.corpus, &queries, &splits, &[("split.json", note)])?;
        let split = |(name, qrels): &Named| ResampledSplit {
            name: name.clone(),
            queries: qrels.queries.len(),
            relevant: qrels.queries.keys().map(|query| relevant_of(qrels, query)).sum(),
        };
        let same_id = known.len() - trained.len();
        Ok(Resampled { splits: splits.iter().map(split).collect(), same_id, unmatched })
    }
}

/// Says how the splits were made.
fn note(train: &Dataset, test: &Dataset, request: &ResamplingRequest, fingerprint: &str) -> String {
    let protocol = match request.protocol {
        Protocol::Restrain { neighbours } => json!({"restrain": {"neighbours": neighbours}}),
        Protocol::RestTest { groups } => json!({"resttest": {"groups": groups}}),
    };
    let note = json!({
        "data": test.name, "train": train.split, "test": test.split, "protocol": protocol,
        "encoder": request.encoder, "fingerprint": fingerprint, "seed": request.seed,
    });
    format!("{note:#}\n")
}

/// What splits are drawn from.
struct Drawing<'a> {
    train: &'a Dataset,
    trained: &'a [&'a Query],
    test: &'a Dataset,
    tested: &'a [&'a Query],
    request: &'a ResamplingRequest,
}

impl Drawing<'_> {
    fn regimes(
        &self,
        vectors: &[f32],
        columns: usize,
        count: usize,
    ) -> Result<(Vec<Named>, usize)> {
        if count == 0 {
            let (setting, expected) = ("neighbours", "at least 1");
            return Err(TrainError::Setting { setting, expected, got: "0".to_owned() }.into());
        }
        let (train, test) = vectors.split_at(self.trained.len() * columns);
        let train = Vectors::new("vector of training query", train, columns)?;
        let test = Vectors::new("vector of test query", test, columns)?;
        let searcher = ExactSearcher::new(Level::detect(), test, train)?;
        let all: Vec<u32> = (0..self.tested.len() as u32).collect();
        let neighbours: Vec<Vec<usize>> = searcher
            .search(&all, count)?
            .into_iter()
            .map(|ranking| ranking.iter().map(|near| near.document as usize).collect())
            .collect();
        let relevant: Vec<usize> =
            self.trained.iter().map(|query| relevant_of(&self.train.qrels, &query.id)).collect();
        let seed = self.request.seed;
        let drawn = Restrain { neighbours: &neighbours, relevant: &relevant, seed }.draw()?;
        let Regimes { interpolation, extrapolation, unmatched } = drawn;
        let splits = vec![
            ("train-interpolation".to_owned(), self.of_train(&interpolation)),
            ("train-extrapolation".to_owned(), self.of_train(&extrapolation)),
            ("test".to_owned(), self.test.qrels.clone()),
        ];
        Ok((splits, unmatched))
    }

    fn folds(
        &self,
        vectors: &[f32],
        columns: usize,
        groups: usize,
        progress: &dyn Progress,
    ) -> Result<(Vec<Named>, usize)> {
        let (seed, level) = (self.request.seed, Level::detect());
        let means = KMeans { clusters: groups, iterations_max: ITERATIONS_MAX, seed, level };
        let found = means.run(Vectors::new("vector of query", vectors, columns)?, progress);
        let found = found.map_err(|error| match error {
            TrainError::Interrupted => Error::Interrupted { doing: "clustering queries" },
            other => other.into(),
        })?;
        let (train, test) = found.assignment.split_at(self.trained.len());
        let mut splits = Vec::new();
        for fold in (RestTest { train, test }).folds()? {
            let Fold { held_out, train, interpolation, extrapolation } = fold;
            splits.push((format!("fold{held_out}-train"), self.of_train(&train)));
            splits.push((format!("fold{held_out}-interpolation"), self.of_test(&interpolation)));
            splits.push((format!("fold{held_out}-extrapolation"), self.of_test(&extrapolation)));
        }
        Ok((splits, 0))
    }

    fn of_train(&self, places: &[usize]) -> Qrels {
        self.train.qrels.of_queries(places.iter().map(|&at| &*self.trained[at].id))
    }

    fn of_test(&self, places: &[usize]) -> Qrels {
        self.test.qrels.of_queries(places.iter().map(|&at| &*self.tested[at].id))
    }
}

fn relevant_of(qrels: &Qrels, query: &str) -> usize {
    let judged = qrels.queries.get(query).into_iter().flatten();
    judged.filter(|(_, grade)| **grade > 0).count()
}

/// Brings rows to length one, so that inner products are cosines; rows of zeros stay.
fn unit(mut vectors: Vec<f32>, columns: usize) -> Vec<f32> {
    for row in vectors.chunks_exact_mut(columns) {
        let length = dot(Level::detect(), row, row).sqrt();
        if length > 0.0 {
            for value in row {
                *value /= length;
            }
        }
    }
    vectors
}
