//! Writes filters as the parser reads them.

use std::fmt;

use super::{Comparison, Filter, Literal, is_keyword, is_name_part, is_name_start};

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Filter::Compare { field, comparison, literal } => {
                write!(f, "{} {comparison} {literal}", Name(field))
            }
            Filter::In { field, literals } => {
                write!(f, "{} in (", Name(field))?;
                for (i, literal) in literals.iter().enumerate() {
                    write!(f, "{}{literal}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Filter::StartsWith { field, prefix } => {
                write!(f, "{} starts_with {}", Name(field), Quoted(prefix))
            }
            Filter::Exists { field } => write!(f, "exists({})", Name(field)),
            Filter::And(all) => join(f, all, " and "),
            Filter::Or(all) => join(f, all, " or "),
            Filter::Not(inner) => write!(f, "not {}", Operand(inner)),
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, all: &[Filter], word: &str) -> fmt::Result {
    for (i, filter) in all.iter().enumerate() {
        write!(f, "{}{}", if i == 0 { "" } else { word }, Operand(filter))?;
    }
    Ok(())
}

/// A filter inside another one: in parentheses where it is a list of conditions.
struct Operand<'a>(&'a Filter);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Filter::And(_) | Filter::Or(_) => write!(f, "({})", self.0),
            other => write!(f, "{other}"),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        })
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Text(text) => write!(f, "{}", Quoted(text)),
            Literal::Integer(number) => write!(f, "{number}"),
            // The debug form keeps the point or the exponent, by which the parser tells the types apart.
            Literal::Float(number) => write!(f, "{number:?}"),
            Literal::Bool(flag) => write!(f, "{flag}"),
        }
    }
}

struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.0.starts_with(is_name_start) && self.0.chars().all(is_name_part);
        if plain && !is_keyword(self.0) {
            f.write_str(self.0)
        } else {
            write_escaped(f, self.0, '`')
        }
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(f, self.0, '"')
    }
}

fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str, quote: char) -> fmt::Result {
    use fmt::Write;
    f.write_char(quote)?;
    for c in text.chars() {
        match c {
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\\' => f.write_str("\\\\")?,
            c if c == quote => write!(f, "\\{c}")?,
            c => f.write_char(c)?,
        }
    }
    f.write_char(quote)
}
