//! The nearest of a few names, for hints in error messages. Quadratic in the lengths; not for long lists.

/// Returns the candidate with the smallest edit distance, where that is at most a third of the longer
/// name (and at least one edit is always forgiven).
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|name| (distance(&wanted.to_lowercase(), &name.to_lowercase()), name))
        .filter(|&(edits, name)| {
            edits <= (wanted.chars().count().max(name.chars().count()) / 3).max(1)
        })
        .min_by_key(|&(edits, _)| edits)
        .map(|(_, name)| name)
}

/// Returns the hint `; did you mean ...?` for the end of a message, or nothing.
pub fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// Counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_typing_errors_and_nothing_far_away() {
        let names = ["bm25", "dense", "title-dense"];
        assert_eq!(nearest("bm52", names), Some("bm25"));
        assert_eq!(nearest("Dense", names), Some("dense"));
        assert_eq!(nearest("denes", names), Some("dense"));
        assert_eq!(nearest("colbert", names), None);
        assert_eq!(nearest("", names), None);
    }

    #[test]
    fn counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("ab", "ba"), 1);
    }
}
