use crate::data::{corpus, lines, set};
use ecphory_text::language::{Language, identify};
use std::fmt::Write;

/// How a set of values came out.
#[derive(Default)]
struct Outcome {
    values: usize,
    right: usize,
    wrong: usize,
}

impl Outcome {
    fn of(language: Language, values: impl Iterator<Item = String>) -> Self {
        let mut outcome = Outcome::default();
        for value in values {
            outcome.values += 1;
            match identify(&value).language {
                Some(found) if found == language => outcome.right += 1,
                Some(_) => outcome.wrong += 1,
                None => {}
            }
        }
        outcome
    }

    fn right_percent(&self) -> f64 {
        100.0 * self.right as f64 / self.values as f64
    }

    fn wrong_percent(&self) -> f64 {
        100.0 * self.wrong as f64 / self.values as f64
    }
}

/// Language, file, and what was measured, rounded away from the good side: right at least, wrong at most, in percent.
type Expected = (Language, &'static str, f64, f64);

fn judge(expected: &[Expected], values: impl Fn(&str) -> Vec<String>) {
    let mut table = String::new();
    let mut missed = false;
    for &(language, name, right, wrong) in expected {
        let outcome = Outcome::of(language, values(name).into_iter());
        let (r, w) = (outcome.right_percent(), outcome.wrong_percent());
        let _ = writeln!(
            table,
            "{:<12} {:>5} right {r:5.1} wrong {w:5.1}",
            language.name(),
            outcome.values
        );
        missed |= r < right || w > wrong;
    }
    eprintln!("{table}");
    assert!(!missed, "worse than measured before:\n{table}");
}

const TATOEBA: &[Expected] = &[
    (Language::Afrikaans, "afr", 25.0, 0.5),
    (Language::Amharic, "amh", 100.0, 0.0),
    (Language::Arabic, "ara", 46.0, 0.5),
    (Language::Bengali, "ben", 100.0, 0.0),
    (Language::Chinese, "cmn", 99.5, 0.0),
    (Language::German, "deu", 82.0, 0.5),
    (Language::Greek, "ell", 100.0, 0.0),
    (Language::Finnish, "fin", 65.0, 0.5),
    (Language::French, "fra", 61.0, 0.5),
    (Language::Hindi, "hin", 40.0, 0.0),
    (Language::Indonesian, "ind", 51.0, 1.5),
    (Language::Japanese, "jpn", 99.5, 0.2),
    (Language::Korean, "kor", 100.0, 0.0),
    (Language::Russian, "rus", 50.0, 1.5),
    (Language::Spanish, "spa", 37.0, 1.0),
    (Language::Telugu, "tel", 100.0, 0.0),
    (Language::Thai, "tha", 100.0, 0.0),
    (Language::Turkish, "tur", 37.0, 1.0),
    (Language::Vietnamese, "vie", 96.0, 0.0),
    (Language::English, "eng", 53.5, 0.5),
];

#[test]
fn short_sentences() {
    let Some(dir) = set("tatoeba") else { return };
    judge(TATOEBA, |code| {
        // English stands beside every language; the German file is as good as any.
        let (file, column) = if code == "eng" { ("deu", 1) } else { (code, 0) };
        lines(&dir, &format!("{file}-eng.tsv"))
            .iter()
            .filter_map(|line| Some(line.split('\t').nth(column)?.to_owned()))
            .collect()
    });
}

const PARAGRAPHS: &[Expected] = &[
    (Language::Arabic, "ar", 95.5, 0.2),
    (Language::German, "de", 96.0, 0.5),
    (Language::Greek, "el", 99.0, 0.6),
    (Language::English, "en", 95.0, 0.5),
    (Language::Spanish, "es", 93.0, 0.5),
    (Language::Hindi, "hi", 93.0, 0.1),
    (Language::Russian, "ru", 92.0, 1.5),
    (Language::Thai, "th", 99.5, 0.3),
    (Language::Turkish, "tr", 95.0, 0.3),
    (Language::Vietnamese, "vi", 98.5, 0.2),
    (Language::Chinese, "zh", 99.5, 0.2),
];

#[test]
fn sentences_of_articles() {
    let Some(dir) = set("xquad-r") else { return };
    judge(PARAGRAPHS, |code| {
        corpus(&dir.join(code), "corpus.jsonl").into_iter().map(|(_, text)| text).collect()
    });
}
