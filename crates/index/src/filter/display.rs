//! Writes filters as the parser reads them, and knows where in that text each operand stands.

use std::fmt::{self, Write};

use super::{Comparison, Filter, Literal, is_keyword, is_name_part, is_name_start};

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printer { out: f, written: 0, operands: Vec::new() }.filter(self)
    }
}

/// Writes a filter; returns the text, and where each field and each literal begins, in order.
pub(super) fn with_operands(filter: &Filter) -> (String, Vec<usize>) {
    let mut text = String::new();
    let mut printer = Printer { out: &mut text, written: 0, operands: Vec::new() };
    printer.filter(filter).expect("a string can always grow");
    let operands = printer.operands;
    (text, operands)
}

struct Printer<'a> {
    out: &'a mut dyn Write,
    written: usize,
    operands: Vec<usize>,
}

impl Write for Printer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.written += text.len();
        self.out.write_str(text)
    }
}

impl Printer<'_> {
    /// The recursion is bounded by the parser's limit on depth.
    fn filter(&mut self, filter: &Filter) -> fmt::Result {
        match filter {
            Filter::Compare { field, comparison, literal } => {
                self.operand(&Name(field))?;
                write!(self, " {comparison} ")?;
                self.operand(literal)
            }
            Filter::In { field, literals } => {
                self.operand(&Name(field))?;
                self.write_str(" in (")?;
                for (i, literal) in literals.iter().enumerate() {
                    self.write_str(if i == 0 { "" } else { ", " })?;
                    self.operand(literal)?;
                }
                self.write_char(')')
            }
            Filter::StartsWith { field, prefix } => {
                self.operand(&Name(field))?;
                self.write_str(" starts_with ")?;
                self.operand(&Quoted(prefix))
            }
            Filter::Exists { field } => {
                self.write_str("exists(")?;
                self.operand(&Name(field))?;
                self.write_char(')')
            }
            Filter::GeoWithin { field, latitude, longitude, metres } => {
                self.write_str("geo_within(")?;
                self.operand(&Name(field))?;
                write!(self, ", {latitude:?}, {longitude:?}, {metres:?}m)")
            }
            Filter::Matches { channel, words } => {
                self.write_str("matches(")?;
                self.operand(&Name(channel))?;
                self.write_str(", ")?;
                self.operand(&Quoted(words))?;
                self.write_char(')')
            }
            Filter::And(all) => self.join(all, " and "),
            Filter::Or(all) => self.join(all, " or "),
            Filter::Not(inner) => {
                self.write_str("not ")?;
                self.inside(inner)
            }
        }
    }

    fn operand(&mut self, operand: &dyn fmt::Display) -> fmt::Result {
        self.operands.push(self.written);
        write!(self, "{operand}")
    }

    fn join(&mut self, all: &[Filter], word: &str) -> fmt::Result {
        for (i, filter) in all.iter().enumerate() {
            self.write_str(if i == 0 { "" } else { word })?;
            self.inside(filter)?;
        }
        Ok(())
    }

    /// A filter inside another one: in parentheses where it is a list of conditions.
    fn inside(&mut self, filter: &Filter) -> fmt::Result {
        if !matches!(filter, Filter::And(_) | Filter::Or(_)) {
            return self.filter(filter);
        }
        self.write_char('(')?;
        self.filter(filter)?;
        self.write_char(')')
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
