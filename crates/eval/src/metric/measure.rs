//! The closed set of measures.

/// What a metric measures. The names of `ir_measures` stand first, then `trec_eval`'s where it has one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Measure {
    /// `nDCG`, ndcg, `ndcg_cut`: discounted cumulative gain over that of the ideal ranking.
    Ndcg {
        /// The gain of a judgment.
        dcg: Dcg,
        /// Gains that differ from the judgment.
        gains: Gains,
    },
    /// `AP`, map, `map_cut`; `GMAP`, `gm_map`.
    AveragePrecision {
        /// Whether the queries are put together by their geometric mean.
        geometric: bool,
    },
    /// `RR`, `recip_rank`: one over the rank of the first relevant document.
    ReciprocalRank,
    /// `P`, P; `P(relative=True)`, `relative_P`.
    Precision {
        /// Whether the value is divided by the best that is possible.
        relative: bool,
    },
    /// `R`, recall.
    Recall,
    /// `Success`, success: 1 where a relevant document is seen.
    Success,
    /// `Rprec`, Rprec; `Rprec(mult=0.5)`, `Rprec_mult`: precision at a multiple of the number of relevant documents.
    Rprec {
        /// The multiple.
        mult: f64,
    },
    /// `Bpref`, bpref; `GMBpref`, `gm_bpref`: relevant before judged nonrelevant documents.
    Bpref {
        /// Whether the queries are put together by their geometric mean.
        geometric: bool,
    },
    /// `infAP`, `infAP`: average precision inferred from a pool that was judged in part.
    InferredAp,
    /// `Judged`: the share of documents seen that the judgments name.
    Judged,
    /// `Unjudged`, unj: the share of the ranks asked for that hold a document without judgment.
    Unjudged,
    /// `NumQ`, `num_q`.
    NumQ,
    /// `NumRet`, `num_ret`; `NumRet(rel=1)`, `num_rel_ret`.
    NumRet {
        /// Whether only relevant documents count.
        relevant: bool,
    },
    /// `NumRel`, `num_rel`.
    NumRel,
    /// `NumNonRelRet`, `num_nonrel_judged_ret`: judged nonrelevant documents that were retrieved.
    NumNonRelRet,
    /// `IPrec@0.1`, `iprec_at_recall`: the best precision at this recall or beyond.
    InterpolatedPrecision {
        /// The recall.
        recall: f64,
    },
    /// `AvgIPrec`, `11pt_avg`: the mean of interpolated precisions.
    AverageInterpolated {
        /// The levels of recall, in the order given.
        recalls: Vec<f64>,
    },
    /// `SetP`, `set_P`; `SetP(relative=True)`, `set_relative_P`.
    SetPrecision {
        /// Whether the value is divided by the best that is possible.
        relative: bool,
    },
    /// `SetR`, `set_recall`.
    SetRecall,
    /// `SetF`, `set_F`: `(β + 1)·P·R / (β·P + R)`; β is not squared, as in `trec_eval`.
    SetF {
        /// The relative importance of recall.
        beta: f64,
    },
    /// `SetAP`, `set_map`: `P · R`.
    SetAp,
    /// `RBP`, rbp: rank-biased precision.
    RankBiased {
        /// The persistence.
        p: f64,
        /// Whether the gain is the judgment over the query's highest, instead of 0 or 1.
        graded: bool,
    },
    /// `RBPResid`, `rbp_resid`: what unjudged documents could add to rank-biased precision.
    RankBiasedResidual {
        /// The persistence.
        p: f64,
    },
    /// `nDCGRel`, `ndcg_rel`: nDCG averaged over the ranks of relevant documents.
    NdcgRel {
        /// Gains that differ from the judgment.
        gains: Gains,
    },
    /// `RnDCG`, Rndcg: nDCG averaged over the depths at which the ideal gain changes.
    Rndcg {
        /// Gains that differ from the judgment.
        gains: Gains,
    },
    /// `G`, G: gain discounted by what the documents before fell short of the ideal.
    Gain {
        /// Gains that differ from the judgment.
        gains: Gains,
    },
    /// `BinG`, binG: the same with gains of 0 and 1.
    BinaryGain,
    /// `Utility`, utility: a weighted sum over the table of retrieved and relevant.
    Utility {
        /// The worth of a relevant document retrieved, a nonrelevant one retrieved, and a relevant
        /// one missed.
        weights: [f64; 3],
    },
}

impl Measure {
    /// Returns whether the measure is computed from gains rather than from relevant or not.
    pub(crate) fn is_gain(&self) -> bool {
        matches!(
            self,
            Measure::Ndcg { .. }
                | Measure::NdcgRel { .. }
                | Measure::Rndcg { .. }
                | Measure::Gain { .. }
                | Measure::RankBiased { .. }
        )
    }
}

/// How a judgment becomes a gain in nDCG.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dcg {
    /// The judgment itself (Järvelin and Kekäläinen 2002, with the discount of `trec_eval`).
    #[default]
    Log2,
    /// `2^judgment − 1` (Burges et al. 2005).
    ExpLog2,
}

/// A map from judgment to gain; a judgment that is not in it is its own gain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gains(Vec<(i32, f64)>);

impl Gains {
    /// Makes a map; entries that change nothing are left out. The last entry of a level counts.
    pub fn new(pairs: impl IntoIterator<Item = (i32, f64)>) -> Self {
        let map: std::collections::BTreeMap<i32, f64> = pairs.into_iter().collect();
        Self(map.into_iter().filter(|(level, gain)| f64::from(*level) != *gain).collect())
    }

    /// Returns the gain of a judgment.
    pub fn of(&self, level: i32) -> f64 {
        let found = self.0.iter().find(|(known, _)| *known == level);
        found.map_or(f64::from(level), |(_, gain)| *gain)
    }

    /// Returns the judgments whose gain differs from them, ascending.
    pub fn pairs(&self) -> &[(i32, f64)] {
        &self.0
    }
}
