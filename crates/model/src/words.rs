//! Whole words by number, as `ColBERTer` counts them (Hofstätter et al. 2022).

use sha2::{Digest, Sha256};

/// The number of tokens that are part of no word: special tokens, those of a prompt, and those of a word that was cut.
pub(crate) const NO_WORD: u32 = 0;

/// Returns the number of a word: the first 32 bits of the SHA-256 of the word in lower case, never [`NO_WORD`].
///
/// Two words of a text meet by chance once in four billion pairs; over a whole dictionary some do.
pub(crate) fn number(word: &str) -> u32 {
    let digest = Sha256::digest(word.to_lowercase().as_bytes());
    let first = digest[..4].try_into().expect("a digest has 32 bytes");
    u32::from_be_bytes(first).max(NO_WORD + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers() {
        // FIPS 180-2, appendix B.1: the digest of `abc` begins with ba7816bf.
        assert_eq!(number("abc"), 0xba78_16bf);
        assert_eq!(number("ABC"), number("abc"));
        assert_eq!(number("ÜBER"), number("über"));
        assert_ne!(number("abd"), number("abc"));
    }
}
