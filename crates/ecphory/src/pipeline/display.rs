//! A pipeline as text, in the one spelling that the parser gives back as the same tree.

use std::fmt;

use super::{Pipeline, Rm3, lexer};

/// How tightly a node holds together; a looser operand needs parentheses.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Binding {
    Then,
    Sum,
    Cut,
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pipeline::Channel(name) => write_name(f, name),
            Pipeline::Impacts(name) => {
                f.write_str("impacts(")?;
                write_name(f, name)?;
                f.write_str(")")
            }
            Pipeline::Cut { of, to } => {
                write_operand(f, of, Binding::Cut)?;
                write!(f, " % {to}")
            }
            Pipeline::Rrf { of, k, weights } => {
                f.write_str("rrf(")?;
                write_list(f, of)?;
                write!(f, ", k={k}")?;
                if let Some(weights) = weights {
                    f.write_str(", weights=[")?;
                    write_list(f, weights)?;
                    f.write_str("]")?;
                }
                f.write_str(")")
            }
            Pipeline::Cc { of, alpha } => write!(f, "cc({}, {}, alpha={alpha})", of[0], of[1]),
            Pipeline::Sum(parts) => write_sum(f, parts),
            Pipeline::Rescore { of, by } => {
                write_operand(f, of, Binding::Then)?;
                f.write_str(" >> rescore(")?;
                write_name(f, by)?;
                f.write_str(")")
            }
            Pipeline::Rerank { of, by, model } => {
                write_operand(f, of, Binding::Then)?;
                write!(f, " >> {}(", by.name())?;
                write_name(f, model)?;
                f.write_str(")")
            }
            Pipeline::Expand { of, channel, by } => {
                write_operand(f, of, Binding::Then)?;
                f.write_str(" >> expand(rm3")?;
                if let Some(channel) = channel {
                    f.write_str(", channel=")?;
                    write_name(f, channel)?;
                }
                let Rm3 { documents, terms, original } = by;
                write!(f, ", documents={documents}, terms={terms}, original={original})")
            }
            Pipeline::Where { of, filter } => {
                write_operand(f, of, Binding::Then)?;
                write!(f, " >> where({filter})")
            }
        }
    }
}

fn write_sum(f: &mut fmt::Formatter<'_>, parts: &[(f64, Pipeline)]) -> fmt::Result {
    for (i, (weight, part)) in parts.iter().enumerate() {
        if i > 0 {
            f.write_str(" + ")?;
        }
        // A sum of one part keeps its weight: without it the score would not be normalised.
        if *weight != 1.0 || parts.len() == 1 {
            write!(f, "{weight} * ")?;
        }
        write_operand(f, part, Binding::Cut)?;
    }
    Ok(())
}

fn write_operand(f: &mut fmt::Formatter<'_>, operand: &Pipeline, around: Binding) -> fmt::Result {
    let inside = match operand {
        Pipeline::Rescore { .. }
        | Pipeline::Rerank { .. }
        | Pipeline::Expand { .. }
        | Pipeline::Where { .. } => Binding::Then,
        Pipeline::Sum(_) => Binding::Sum,
        _ => Binding::Cut,
    };
    if inside < around { write!(f, "({operand})") } else { write!(f, "{operand}") }
}

fn write_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
    }
    Ok(())
}

fn write_name(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    if lexer::is_plain_name(name) {
        return f.write_str(name);
    }
    write!(f, "\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}
