//! Which modules of a model directory a matching function becomes.

use ecphory_model::{AddedModules, DenseModule};

use super::{Comparison, Matching};
use crate::head::Stage;

impl Matching {
    /// Returns what has to follow the pooling of the model's directory, so that inner products of its vectors are this function;
    /// `normalises` says that the directory scales vectors to unit length, which `sees_unit_length` says that the heads saw.
    ///
    /// `None` where no such directory would do: for fusions, queries with heads of their own, gates, words and terms, and for
    /// token vectors.
    pub fn modules(&self, normalises: bool, sees_unit_length: bool) -> Option<AddedModules> {
        let [branch] = &self.branches[..] else { return None };
        let is_single = matches!(branch.comparison, Comparison::Dot | Comparison::Cosine);
        if branch.query.is_some() || !is_single {
            return None;
        }
        let mut modules = AddedModules::default();
        for (place, stage) in branch.document.stages.iter().enumerate() {
            match stage {
                Stage::Pooling(_) if place == 0 => {}
                Stage::Linear(linear) if !modules.adds_unit_length => {
                    modules.dense.push(DenseModule {
                        weights: linear.weight.values.clone(),
                        input: linear.columns(),
                        bias: linear.bias.as_ref().map(|bias| bias.values.clone()),
                    });
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
}

#[cfg(test)]
mod tests {
    use super::super::{MatchingSpec, Materials};
    use crate::head::Pooling;

    #[test]
    fn vectors_have_modules_and_the_rest_has_none() {
        let modules = |spec: &str, normalises: bool, sees: bool| {
            let pooling = (!sees).then_some(Pooling::Mean);
            let idf = [1.0];
            let materials =
                Materials { columns: 2, pooling, terms: &[1.0, 1.0], idf: &idf, seed: 0 };
            let spec: MatchingSpec = spec.parse().unwrap();
            let found = spec.build(&materials).unwrap().modules(normalises, sees);
            found.map(|all| (all.drops_unit_length, all.dense.len(), all.adds_unit_length))
        };
        assert_eq!(modules("cosine(pooled)", true, false), Some((false, 0, false)));
        assert_eq!(modules("cosine(pooled)", false, false), Some((false, 0, true)));
        assert_eq!(modules("cosine(pooled > linear)", true, false), Some((false, 1, true)));
        assert_eq!(modules("dot(pooled)", true, false), Some((true, 0, false)));
        assert_eq!(modules("dot(pooled > linear(3))", true, true), Some((false, 1, false)));
        assert_eq!(modules("dot(pooled > linear > unit)", false, false), Some((false, 1, true)));
        for spec in ["maxsim(linear)", "dot(table | lexical)", "fusion(dot(cls), maxsim(unit))"] {
            assert_eq!(modules(spec, true, false), None, "{spec}");
        }
    }
}
