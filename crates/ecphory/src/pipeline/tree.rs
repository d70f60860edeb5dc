//! Walking and checking the tree.

use super::{DEPTH_MAX, Pipeline, PipelineProblem};

impl Pipeline {
    /// Returns what stands directly below, from left to right.
    pub fn operands(&self) -> Vec<&Pipeline> {
        match self {
            Pipeline::Channel(_) | Pipeline::Impacts(_) => Vec::new(),
            Pipeline::Cut { of, .. }
            | Pipeline::Rescore { of, .. }
            | Pipeline::Rerank { of, .. }
            | Pipeline::Expand { of, .. }
            | Pipeline::Where { of, .. } => vec![of],
            Pipeline::Rrf { of, .. } => of.iter().collect(),
            Pipeline::Cc { of, .. } => of.iter().collect(),
            Pipeline::Sum(parts) => parts.iter().map(|(_, part)| part).collect(),
        }
    }

    /// Returns the names of the channels that are read, each once, in the order of their first use.
    pub fn channels(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        let mut stack = vec![self];
        while let Some(node) = stack.pop() {
            let name = match node {
                Pipeline::Channel(name) | Pipeline::Impacts(name) => Some(name),
                Pipeline::Rescore { by, .. } => Some(by),
                Pipeline::Expand { channel, .. } => channel.as_ref(),
                _ => None,
            };
            if let Some(name) = name
                && !names.contains(&name.as_str())
            {
                names.push(name);
            }
            stack.extend(node.operands().into_iter().rev());
        }
        names
    }

    /// Checks what the types leave open: counts, weights, the number of operands, the depth.
    ///
    /// Everything that parses has passed this; a tree built in Rust is checked when it is planned.
    ///
    /// # Errors
    /// The first problem found.
    pub fn check(&self) -> Result<(), PipelineProblem> {
        let mut stack = vec![(self, 1)];
        while let Some((node, depth)) = stack.pop() {
            if depth > DEPTH_MAX {
                return Err(PipelineProblem::TooDeep);
            }
            node.check_node()?;
            stack.extend(node.operands().into_iter().map(|operand| (operand, depth + 1)));
        }
        Ok(())
    }

    /// Checks one node, not what is below it.
    pub(super) fn check_node(&self) -> Result<(), PipelineProblem> {
        match self {
            Pipeline::Channel(name)
            | Pipeline::Impacts(name)
            | Pipeline::Rescore { by: name, .. }
            | Pipeline::Rerank { model: name, .. }
            | Pipeline::Expand { channel: Some(name), .. }
                if name.is_empty() =>
            {
                Err(PipelineProblem::EmptyName)
            }
            Pipeline::Cut { to, .. } if *to == 0 => Err(PipelineProblem::CutToNothing),
            Pipeline::Channel(_)
            | Pipeline::Impacts(_)
            | Pipeline::Cut { .. }
            | Pipeline::Rescore { .. }
            | Pipeline::Rerank { .. }
            | Pipeline::Where { .. } => Ok(()),
            Pipeline::Rrf { of, k, weights } => {
                if of.is_empty() {
                    return Err(PipelineProblem::Operands {
                        of: "rrf",
                        expected: "one or more",
                        found: 0,
                    });
                }
                check_number("k", *k)?;
                match weights {
                    Some(weights) => check_weights(of.len(), weights),
                    None => Ok(()),
                }
            }
            Pipeline::Cc { alpha, .. } => check_share("alpha", *alpha),
            Pipeline::Expand { by, .. } => {
                if by.documents == 0 || by.terms == 0 {
                    return Err(PipelineProblem::ExpandByNothing);
                }
                check_share("original", by.original)
            }
            Pipeline::Sum(parts) => {
                let weights: Vec<f64> = parts.iter().map(|&(weight, _)| weight).collect();
                if parts.is_empty() {
                    return Err(PipelineProblem::Operands {
                        of: "sum",
                        expected: "one or more",
                        found: 0,
                    });
                }
                check_weights(parts.len(), &weights)
            }
        }
    }
}

pub(crate) fn check_number(name: &'static str, value: f64) -> Result<(), PipelineProblem> {
    // A sign of minus on zero would not come back from text, where no number has a sign.
    if value.is_finite() && value.is_sign_positive() {
        return Ok(());
    }
    Err(PipelineProblem::BadNumber { name, value })
}

fn check_share(name: &'static str, value: f64) -> Result<(), PipelineProblem> {
    check_number(name, value)?;
    if value > 1.0 {
        return Err(PipelineProblem::AboveOne { name, value });
    }
    Ok(())
}

pub(crate) fn check_weights(operands: usize, weights: &[f64]) -> Result<(), PipelineProblem> {
    if weights.len() != operands {
        return Err(PipelineProblem::WeightCount { operands, weights: weights.len() });
    }
    for &weight in weights {
        check_number("weight", weight)?;
    }
    if weights.iter().all(|&weight| weight == 0.0) {
        return Err(PipelineProblem::AllWeightsZero);
    }
    Ok(())
}
