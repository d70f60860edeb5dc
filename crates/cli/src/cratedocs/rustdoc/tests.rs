//! Sources in small, and what is to be found in them.

use super::*;

fn check(source: &str, expect: &[(&str, &str)]) {
    let blocks = blocks(source);
    let found: Vec<_> = blocks.iter().map(|b| (b.path.as_str(), b.markdown.trim())).collect();
    assert_eq!(found, expect, "{source}");
}

#[test]
fn names_items_by_their_scopes() {
    check(
        r"
//! Top.
//!
//! More.

/// A finder.
#[derive(
    Clone,
)]
pub struct Finder<'n> {
    /// A field.
    pub size: usize,
    /// Private.
    other: u8,
}

impl<'n, T: Into<Vec<u8>>> fmt::Trait<T>
    for Finder<'n>
{
}

impl<'n> Finder<'n>
where
    'n: 'static,
{
    /// Finds.
    /// Fast.
    pub const unsafe fn find(&self) {
        body();
    }

    /// Not public.
    pub(crate) fn hide(&self) {}
}
",
        &[
            ("", "Top.\n\nMore."),
            ("Finder", "A finder."),
            ("Finder::size", "A field."),
            ("Finder::find", "Finds.\nFast."),
        ],
    );
}

#[test]
fn module_texts_may_be_block_comments() {
    check(
        "/*!\nOne.\n\n    two();\n*/\n/// S.\npub struct S;\n",
        &[("", "One.\n\n    two();"), ("S", "S.")],
    );
    check("/*! One. */\n/// S.\npub struct S;\n", &[("", "One."), ("S", "S.")]);
}

#[test]
fn members_of_public_traits_and_enums_are_public() {
    check(
        "
/// T.
pub unsafe trait T {
    /// M.
    fn m(&self);
}
/// E.
pub enum E {
    /// V.
    V(u8),
    /// W.
    W,
}
enum P {
    /// No.
    X,
}
",
        &[("T", "T."), ("T::m", "M."), ("E", "E."), ("E::V", "V."), ("E::W", "W.")],
    );
}

#[test]
fn leaves_out_what_is_hidden_and_what_only_tests_see() {
    check(
        "
/// No.
#[doc(hidden)]
pub fn a() {}
#[cfg(test)]
mod tests {
    //! No.
    /// No.
    pub fn b() {}
}
mod inner {
    //! Yes.
    /// Yes.
    pub fn c() {}
}
//// No.
pub fn d() {}
",
        &[("inner", "Yes."), ("inner::c", "Yes.")],
    );
}

#[test]
fn attributes_may_open_code_blocks() {
    check(
        r#"
//! Text.
#![cfg_attr(feature = "a", doc = "```")]
#![cfg_attr(not(feature = "a"), doc = "```ignore")]
//! # hidden
//! ```
"#,
        &[("", "Text.\n```\n# hidden\n```")],
    );
}

#[test]
fn attributes_end_where_their_brackets_do() {
    check(
        r#"
/// F.
#[cfg(any(
    target_os = "[\"",
))] #[inline] pub fn f() {}
/// G.
pub fn g() {}
"#,
        &[("f", "F."), ("g", "G.")],
    );
}

#[test]
fn takes_exported_macros_and_constants() {
    check(
        "
/// M.
#[macro_export]
macro_rules! join {
    () => {};
}
/// C.
pub const LIMIT: usize = 3;
/// S.
pub static mut COUNT: u8 = 0;
",
        &[("join", "M."), ("LIMIT", "C."), ("COUNT", "S.")],
    );
}
