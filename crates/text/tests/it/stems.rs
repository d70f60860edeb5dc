use crate::data::golden;
use ecphory_text::stem::Stemmer;

fn stem(stemmer: Stemmer, word: &str) -> String {
    let mut word = word.to_owned();
    stemmer.stem(&mut word, &mut Vec::new());
    word
}

/// Equal to the author's program on every word; where that departs from the paper of 1980, the golden has both.
#[test]
fn porter_equals_the_authors_program() {
    let golden = golden("stems.porter.tsv");
    let mut departures = 0;
    for line in golden.lines() {
        let [word, program, paper] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        assert_eq!(stem(Stemmer::Porter, word), program, "{word}");
        if program != paper {
            let short = word.len() <= 2;
            let bli = word.ends_with("bly") || word.ends_with("bli");
            let logi = word.ends_with("logy") || word.ends_with("logi") || word.ends_with("logies");
            assert!(short || bli || logi, "{word}: {program} and {paper}");
            departures += 1;
        }
    }
    assert!(departures > 0);
}

#[test]
fn snowball_equals_the_reference_package() {
    let mut wrong = Vec::new();
    for &stemmer in Stemmer::ALL.iter().filter(|&&stemmer| stemmer != Stemmer::Porter) {
        let golden = golden(&format!("stems.{}.tsv", stemmer.name()));
        let differing: Vec<String> = golden
            .lines()
            .map(|line| line.split_once('\t').unwrap())
            .filter(|(word, expect)| stem(stemmer, word) != *expect)
            .map(|(word, expect)| format!("{word}: {} not {expect}", stem(stemmer, word)))
            .collect();
        if !differing.is_empty() {
            let shown = &differing[..differing.len().min(8)];
            wrong.push(format!("{} {}: {shown:?}", stemmer.name(), differing.len()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
