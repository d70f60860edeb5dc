//! Where documents stand in a list of postings.

/// Calls `found(place, i)` for each document `wanted[i]` that stands at `docs[place]`. Both are in increasing order.
///
/// The next document is looked for in strides that double, so that the cost is a few steps for each wanted document and at most
/// twice the length of the list, whichever is less.
pub(super) fn shared(docs: &[[u8; 2]], wanted: &[u16], mut found: impl FnMut(usize, usize)) {
    let doc_at = |place: usize| u16::from_le_bytes(docs[place]);
    let mut place = 0;
    for (i, &doc) in wanted.iter().enumerate() {
        let mut stride = 1;
        let mut low = place;
        while low + stride < docs.len() && doc_at(low + stride) < doc {
            low += stride;
            stride *= 2;
        }
        let high = docs.len().min(low + stride + 1);
        place = low + docs[low..high].partition_point(|&at| u16::from_le_bytes(at) < doc);
        if place == docs.len() {
            return;
        }
        if doc_at(place) == doc {
            found(place, i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_looking_up_each_finds(
            docs in proptest::collection::btree_set(prop_oneof![0u16..300, 0u16..], 0..200),
            wanted in proptest::collection::btree_set(prop_oneof![0u16..300, 0u16..], 0..60),
        ) {
            let list: Vec<[u8; 2]> = docs.iter().map(|doc| doc.to_le_bytes()).collect();
            let wanted: Vec<u16> = wanted.into_iter().collect();
            let all: Vec<u16> = docs.into_iter().collect();
            let mut expected = Vec::new();
            for (i, doc) in wanted.iter().enumerate() {
                expected.extend(all.binary_search(doc).ok().map(|place| (place, i)));
            }
            let mut met = Vec::new();
            shared(&list, &wanted, |place, i| met.push((place, i)));
            prop_assert_eq!(met, expected);
        }
    }
}
