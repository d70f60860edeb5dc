//! Words, rows of words and their beginnings against a naive look at the documents, across segments and after deletions.

use ecphory_core::storage::Memory;
use ecphory_core::{DocAddress, Document, ErrorKind};
use ecphory_index::{Filter, Schema, Snapshot};
use proptest::prelude::*;

use crate::support::*;

const WORDS: [&str; 6] = ["a", "ab", "abc", "b", "ba", "ä"];

fn snapshot(texts: &[Vec<&str>], cut: usize) -> (Snapshot, Vec<Document>) {
    let texts = texts.iter().enumerate();
    // A text of nothing would be refused; a point is no word.
    let documents =
        texts.map(|(i, words)| doc(i, &format!("{} .", words.join(" "))).with("title", "ab"));
    let documents: Vec<Document> = documents.collect();
    let (first, second) = documents.split_at(cut.min(documents.len()));
    let schema = Schema { channels: vec![bm25_channel(raw(0.9, 0.4))], fields: Vec::new() };
    let batches: Vec<Vec<Document>> = [first, second]
        .into_iter()
        .filter(|batch| !batch.is_empty())
        .map(<[Document]>::to_vec)
        .collect();
    (add(&create(&Memory::new(), schema), &batches), documents)
}

fn select(snapshot: &Snapshot, filter: &str) -> ecphory_index::Result<Vec<usize>> {
    let filter: Filter = filter.parse()?;
    let selection = snapshot.select(&filter)?;
    let id = |at: DocAddress| snapshot.id(at).unwrap().parse().unwrap();
    let mut ids: Vec<usize> = selection.iter().map(id).collect();
    ids.sort_unstable();
    Ok(ids)
}

proptest! {
    #[test]
    fn equals_the_naive_look(
        texts in proptest::collection::vec(proptest::collection::vec(prop::sample::select(&WORDS[..]), 0..8), 1..12),
        cut in 0usize..12,
        row in proptest::collection::vec(prop::sample::select(&WORDS[..]), 1..4),
        open in any::<bool>(),
    ) {
        let (snapshot, documents) = snapshot(&texts, cut);
        let words = format!("{}{}", row.join(" "), if open { "*" } else { "" });
        // The channel reads the title before the text.
        let stands = |words: &Vec<&str>| {
            let all: Vec<&str> = ["ab"].iter().chain(words).copied().collect();
            all.windows(row.len()).any(|window| {
                let (last, before) = window.split_last().unwrap();
                let (end, start) = row.split_last().unwrap();
                before == start && if open { last.starts_with(end) } else { last == end }
            })
        };
        let expected: Vec<usize> = (0..documents.len()).filter(|&i| stands(&texts[i])).collect();
        let found = select(&snapshot, &format!("matches(bm25, \"{words}\")")).unwrap();
        prop_assert_eq!(&found, &expected, "{}", words);
        let others = select(&snapshot, &format!("not matches(bm25, \"{words}\")")).unwrap();
        prop_assert_eq!(others.len() + found.len(), documents.len());
    }
}

#[test]
fn words_are_joined_by_the_filters_own_words() {
    let texts = [
        vec!["Radium", "glows"],
        vec!["radium", "and", "glow"],
        vec!["glow", "radium"],
        vec!["Radon"],
    ];
    let (snapshot, _) = snapshot(&texts, 2);
    let found = |filter: &str| select(&snapshot, filter).unwrap();
    assert_eq!(found("matches(bm25, \"RADIUM\")"), [0, 1, 2]);
    assert_eq!(found("matches(bm25, \"rad*\")"), [0, 1, 2, 3]);
    assert_eq!(found("matches(bm25, \"radium glow\")"), [0; 0]);
    assert_eq!(found("matches(bm25, \"radium glow*\")"), [0]);
    assert_eq!(found("matches(bm25, \"glow\") and not matches(bm25, \"glow radium\")"), [1]);
    assert_eq!(found("matches(bm25, \"radon\") or matches(bm25, \"glows\")"), [0, 3]);
    assert_eq!(found("matches(bm25, \"absent\") or matches(bm25, \"xyz*\")"), [0; 0]);
}

#[test]
fn what_cannot_be_looked_for_is_refused_with_its_place() {
    let (snapshot, _) = snapshot(&[vec!["a"]], 0);
    let refused = |filter: &str| select(&snapshot, filter).unwrap_err();
    let channel = refused("matches(text, \"a\")");
    assert_eq!(channel.kind(), ErrorKind::Usage);
    assert_eq!(
        channel.to_string(),
        "filter: `text` is no bm25 channel, whose words `matches` looks for; there is bm25
  matches(text, \"a\")
          ^"
    );
    assert!(refused("matches(bm25, \"...\")").to_string().contains("leaves no word of \"...\""));
    for beginning in ["*", "a *", "a-b*"] {
        let error = refused(&format!("matches(bm25, \"{beginning}\")")).to_string();
        assert!(error.contains("before `*` stands the beginning of one word"), "{error}");
    }
    assert!(refused("matches(bm25)").to_string().contains("expected `,` and words"));
}
