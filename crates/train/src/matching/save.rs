//! Which modules of a model directory a matching function becomes, or which head over words.

use ecphory_model::{AddedModules, DenseModule, TermActivation, TermHead};

use super::{Branch, Comparison, Matching};
use crate::head::{Chain, Lexical, LexicalActivation, Linear, Stage, StaticTable, TableWeights};
use crate::vocabulary::Vocabulary;

/// What the directory that is written builds on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectoryFacts {
    /// Whether the model to begin from scales vectors to unit length.
    pub normalises: bool,
    /// Whether heads saw one vector a text, of unit length, instead of states.
    pub sees_unit_length: bool,
    /// How many tokens of a query and of a document are read.
    pub tokens: [usize; 2],
}

impl Matching {
    /// Returns what has to follow the transformer of the model's directory, so that this function is what is computed of its output:
    /// inner products of vectors, or MaxSim of the vectors of tokens.
    ///
    /// `None` where no directory would do: for fusions, queries with heads of their own, gates, words and terms.
    pub fn modules(&self, facts: DirectoryFacts) -> Option<AddedModules> {
        let [branch] = &self.branches[..] else { return None };
        if branch.query.is_some() {
            return None;
        }
        match branch.comparison {
            Comparison::MaxSim => late(&branch.document, facts),
            Comparison::WordMaxSim => None,
            Comparison::Dot | Comparison::Cosine => pooled(branch, facts),
        }
    }

    /// Returns the head over words that this function has for documents, and the weights that queries are looked up with where they are:
    /// inner products of weights of terms.
    ///
    /// `None` for everything else, and for what the layout has no name for.
    pub fn term_head<'a>(&'a self, vocabulary: &'a Vocabulary) -> Option<TermHead<'a>> {
        let [Branch { query, document, comparison: Comparison::Dot }] = &self.branches[..] else {
            return None;
        };
        let [Stage::Transform(transform), Stage::Lexical(lexical)] = &document.stages[..] else {
            return None;
        };
        let queries = query.as_ref().map(|query| match &query.stages[..] {
            [Stage::StaticTable(table)] => Some(looked_up(table)),
            _ => None,
        });
        Some(TermHead {
            map: &transform.map.weight.values,
            map_bias: &transform.map.bias.as_ref()?.values,
            scale: &transform.scale.values,
            shift: &transform.shift.values,
            tokens: vocabulary.tokens(),
            rows: &lexical.table.values,
            biases: &lexical.bias.values,
            activation: activation(lexical)?,
            queries: match queries {
                None => None,
                Some(weights) => Some(weights?),
            },
        })
    }
}

/// What sentence-transformers has a name for.
fn activation(head: &Lexical) -> Option<TermActivation> {
    match head.activation {
        LexicalActivation::Log => Some(TermActivation::Log),
        LexicalActivation::DoubleLog => Some(TermActivation::DoubleLog),
        LexicalActivation::EluPlusOne => None,
    }
}

/// The weights that a table gives to terms of queries.
fn looked_up(table: &StaticTable) -> Vec<f32> {
    let one = |&weight: &f32| match table.kind {
        TableWeights::Table => weight.max(0.0),
        TableWeights::Binary => f32::from(u8::from(weight > 0.0)),
    };
    table.weights.values.iter().map(one).collect()
}

/// Returns what follows the pooling of the directory.
fn pooled(branch: &Branch, facts: DirectoryFacts) -> Option<AddedModules> {
    let DirectoryFacts { normalises, sees_unit_length, .. } = facts;
    let mut modules = AddedModules::default();
    for (place, stage) in branch.document.stages.iter().enumerate() {
        match stage {
            Stage::Pooling(_) if place == 0 => {}
            Stage::Linear(linear) if !modules.adds_unit_length => {
                modules.dense.push(dense(linear));
            }
            Stage::Normalise(_) => modules.adds_unit_length = true,
            _ => return None,
        }
    }
    let is_dot = branch.comparison == Comparison::Dot;
    modules.drops_unit_length = is_dot && normalises && !sees_unit_length;
    let ends_at_unit_length = normalises && !modules.drops_unit_length;
    let keeps_it = ends_at_unit_length && modules.dense.is_empty();
    modules.adds_unit_length |= !is_dot;
    modules.adds_unit_length &= !keeps_it;
    Some(modules)
}

/// Returns the maps of each token, whose vectors have to end at unit length.
fn late(chain: &Chain, facts: DirectoryFacts) -> Option<AddedModules> {
    let (Stage::Normalise(_), maps) = chain.stages.split_last()? else { return None };
    if facts.sees_unit_length {
        return None;
    }
    let map = |stage: &Stage| match stage {
        Stage::Linear(linear) => Some(dense(linear)),
        _ => None,
    };
    // PyLate makes a map of its own where there is none.
    let dense = maps.iter().map(map).collect::<Option<Vec<_>>>().filter(|maps| !maps.is_empty())?;
    Some(AddedModules { dense, tokens: Some(facts.tokens), ..AddedModules::default() })
}

fn dense(linear: &Linear) -> DenseModule {
    DenseModule {
        weights: linear.weight.values.clone(),
        input: linear.columns(),
        bias: linear.bias.as_ref().map(|bias| bias.values.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DirectoryFacts, MatchingSpec, Materials};
    use crate::head::Pooling;

    #[test]
    fn vectors_have_modules_and_the_rest_has_none() {
        let modules = |spec: &str, normalises: bool, sees: bool| {
            let pooling = (!sees).then_some(Pooling::Mean);
            let idf = [1.0];
            let materials = Materials {
                columns: 2,
                pooling,
                terms: &[1.0, 1.0],
                idf: &idf,
                seed: 0,
                epsilon: 1e-12,
            };
            let is_late = spec.starts_with("maxsim");
            let spec: MatchingSpec = spec.parse().unwrap();
            let facts = DirectoryFacts { normalises, sees_unit_length: sees, tokens: [32, 64] };
            let found = spec.build(&materials).unwrap().modules(facts);
            found.map(|all| {
                assert_eq!(all.tokens, is_late.then_some([32, 64]));
                (all.drops_unit_length, all.dense.len(), all.adds_unit_length)
            })
        };
        assert_eq!(modules("cosine(pooled)", true, false), Some((false, 0, false)));
        assert_eq!(modules("cosine(pooled)", false, false), Some((false, 0, true)));
        assert_eq!(modules("cosine(pooled > linear)", true, false), Some((false, 1, true)));
        assert_eq!(modules("dot(pooled)", true, false), Some((true, 0, false)));
        assert_eq!(modules("dot(pooled > linear(3))", true, true), Some((false, 1, false)));
        assert_eq!(modules("dot(pooled > linear > unit)", false, false), Some((false, 1, true)));
        assert_eq!(modules("maxsim(linear(3) > unit)", true, false), Some((false, 1, false)));
        assert_eq!(modules("maxsim(linear > unit)", true, true), None, "one vector a text");
        for spec in [
            "maxsim(unit)",
            "maxsim(linear)",
            "maxsim(unit > linear)",
            "maxsim(words > unit)",
            "word-maxsim(unit)",
            "dot(table | lexical)",
            "fusion(dot(cls), maxsim(unit))",
        ] {
            assert_eq!(modules(spec, true, false), None, "{spec}");
        }
    }
}
