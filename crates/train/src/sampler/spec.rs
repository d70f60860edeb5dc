//! Samplers by a spec string: `shuffled`, or `clusters(count=40)` of the queries' vectors.

use std::fmt;
use std::str::FromStr;

use ecphory_core::Progress;
use ecphory_kernels::Level;

use super::{QueryClusters, Sampler, Shuffled};
use crate::cluster::KMeans;
use crate::error::{Error, Result};
use crate::spec::{Source, number};
use crate::vectors::Vectors;

/// How often k-means moves its centroids at most.
const ITERATIONS_MAX: usize = 25;

/// Which queries meet in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamplerSpec {
    /// Any.
    Shuffled,
    /// Those of a cluster of their vectors.
    Clusters {
        /// How many clusters k-means makes; never more than there are queries.
        count: usize,
    },
}

impl SamplerSpec {
    /// Makes a sampler of some queries; `vectors` holds a vector for each query that there is, trained on or not.
    ///
    /// # Errors
    /// Clusters without vectors, and what the samplers and k-means say.
    pub fn build(
        self,
        queries: &[u32],
        batch: usize,
        seed: u64,
        vectors: Option<Vectors<'_>>,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Sampler>> {
        let Self::Clusters { count } = self else {
            return Ok(Box::new(Shuffled::new(queries.to_vec(), batch, seed)?));
        };
        let vectors = vectors.ok_or(Error::Nothing { what: "vectors of queries" })?;
        let rows: Vec<f32> =
            queries.iter().flat_map(|&query| vectors.row(query as usize)).copied().collect();
        let means = KMeans {
            clusters: count.min(queries.len()),
            iterations_max: ITERATIONS_MAX,
            seed,
            level: Level::detect(),
        };
        let rows = Vectors::new("vector of query", &rows, vectors.columns())?;
        let groups = means.run(rows, progress)?.groups().into_iter();
        let groups = groups.map(|group| {
            group.into_iter().map(|place| queries[place as usize]).collect::<Vec<u32>>()
        });
        Ok(Box::new(QueryClusters::new(groups.collect(), batch, seed)?))
    }
}

impl FromStr for SamplerSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let source = Source { what: "sampler", text };
        let call = source.parse()?;
        match (call.name, &call.settings[..]) {
            ("shuffled", []) => Ok(Self::Shuffled),
            ("shuffled", [setting, ..]) => Err(source.expected(setting.offset, "no settings")),
            ("clusters", [setting]) if setting.key == "count" => {
                let good = |count: &usize| *count > 0;
                let count = number(source, setting, good, "a number of clusters")?;
                Ok(Self::Clusters { count })
            }
            ("clusters", _) => Err(source.expected(call.offset, "`count` with it, and no more")),
            _ => Err(source.expected(call.offset, "`shuffled` or `clusters(count=…)`")),
        }
    }
}

impl fmt::Display for SamplerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shuffled => f.write_str("shuffled"),
            Self::Clusters { count } => write!(f, "clusters(count={count})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use ecphory_core::Silent;

    use super::*;

    #[test]
    fn specs_come_back_and_build_what_they_say() {
        for spec in ["shuffled", "clusters(count=40)"] {
            assert_eq!(spec.parse::<SamplerSpec>().unwrap().to_string(), spec);
        }
        for wrong in ["", "clusters", "clusters(count=0)", "shuffled(count=2)", "random"] {
            assert!(wrong.parse::<SamplerSpec>().is_err(), "{wrong}");
        }
        // Two heaps of queries, of which batches never mix.
        let values: Vec<f32> =
            (0..12).flat_map(|i| [f32::from(i >= 6), i as f32 / 100.0]).collect();
        let vectors = Vectors::new("vector of query", &values, 2).unwrap();
        let queries: Vec<u32> = (0..12).filter(|query| query % 6 != 0).collect();
        let spec: SamplerSpec = "clusters(count=2)".parse().unwrap();
        let mut sampler = spec.build(&queries, 5, 3, Some(vectors), &Silent).unwrap();
        for step in 0..20 {
            let batch = sampler.batch(step);
            let first = batch[0] / 6;
            assert!(batch.iter().all(|query| query / 6 == first && query % 6 != 0), "{batch:?}");
        }
        assert!(spec.build(&queries, 5, 3, None, &Silent).is_err());
    }
}
