use super::*;
use proptest::prelude::*;

fn parse(spec: &str) -> Analyzer {
    spec.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn check(spec: &str, text: &str, expect: &[&str]) {
    assert_eq!(parse(spec).terms(text), expect, "{spec}: {text}");
}

#[test]
fn english_as_lucene() {
    check(
        "english",
        "The dogs' owner isn't John's; the U.S.A. has 3.5% of O'Neill’s p53-mutants.",
        &["dog", "owner", "isn't", "john", "u.s.a", "ha", "3.5", "o'neil", "p53", "mutant"],
    );
    check("english", "This is the end of it", &["end"]);
    // No normalisation: Lucene has none.
    check("english", "cafe\u{301}s", &["cafe\u{301}"]);
}

#[test]
fn other_languages() {
    check("german", "Die Häuser der Städte", &["haus", "stadt"]);
    check("german", "Die Ha\u{308}user", &["haus"]);
    check("french", "L'avion qu’il préfère", &["avion", "préfer"]);
    check("italian", "dell'arte nell'acqua", &["arte", "acqua"]);
    check("russian", "Дома и книги", &["дом", "книг"]);
    check("raw", "Die HÄUSER's", &["die", "häuser's"]);
    check("whitespace", "Die HÄUSER, 3.5%", &["Die", "HÄUSER,", "3.5%"]);
    check("whitespace(lower)", "a\u{3000}B", &["a", "b"]);
}

#[test]
fn bigrams_as_lucene() {
    check("cjk", "日本語", &["日本", "本語"]);
    check("cjk", "日 本", &["日", "本"]);
    check("cjk", "日本ＡＰＩのﾃｽﾄ", &["日本", "api", "のテ", "テス", "スト"]);
    check("cjk", "漢、字かな", &["漢", "字か", "かな"]);
    check("cjk", "한국어 GPU", &["한국", "국어", "gpu"]);
    check("cjk", "ｶﾞｷﾞ", &["ガギ"]);
    // Not a bigram script: stays a run.
    check("cjk", "สวัสดี", &["สวัสดี"]);
    check("unspaced", "สวัสดี", &["สวั", "วัส", "สดี"]);
    check("unspaced", "ก", &["ก"]);
}

#[test]
fn auto_routes_by_language() {
    let auto = parse("auto");
    assert_eq!(auto.terms("東京都"), ["東京", "京都"]);
    assert_eq!(
        auto.terms("Die alten Häuser stehen noch immer in den Städten"),
        parse("german").terms("Die alten Häuser stehen noch immer in den Städten")
    );
    // Too short for a guess: the default.
    assert_eq!(auto.terms("running"), ["run"]);
    assert_eq!(parse("auto(default=raw)").terms("running"), ["running"]);
    assert_eq!(Analyzer::for_language(Language::Thai), parse("unspaced"));
    assert_eq!(Analyzer::for_language(Language::Swedish), parse("swedish"));
    assert_eq!(Analyzer::for_language(Language::Turkish), parse("raw"));
}

#[test]
fn specs_round_trip() {
    let explicit = ["auto(default=words(lower))", "words", "whitespace(nfkc, lower, stem=english)"];
    for spec in Analyzer::names().chain(explicit) {
        let analyzer = parse(spec);
        assert_eq!(analyzer.to_string(), spec);
        let expanded = parse(&analyzer.expanded());
        assert_eq!(expanded.expanded(), analyzer.expanded());
        let text = "L'été: The dogs' 日本語 ｶﾞ ก็ dell'arte Überläufern";
        assert_eq!(expanded.terms(text), analyzer.terms(text), "{spec}");
    }
    assert_eq!(
        parse(" words( stem=de,lower ,) ".replace(",)", ")").as_str()).to_string(),
        "words(lower, stem=german)"
    );
    assert_eq!(parse("auto").to_string(), "auto(default=english)");
    assert_eq!(Analyzer::default(), parse("english"));
}

#[test]
fn bad_specs_say_where_and_what_else() {
    for (spec, offset, message) in [
        ("englsh", 0, "unknown analyser `englsh`; did you mean `english`?"),
        ("words(lowr)", 6, "did you mean `lower`"),
        ("words(lower, stem=portr)", 18, "did you mean `porter`"),
        ("words(stop=klingon)", 11, "unknown stop list `klingon`"),
        ("words(stem)", 10, "expected `=`"),
        ("words(lower=yes)", 6, "takes no value"),
        ("words(nfc, nfkc)", 11, "second normalisation"),
        ("words(lower, lower)", 13, "twice"),
        ("whitespace(bigrams=cjk)", 11, "needs the characters"),
        ("english(lower)", 8, "takes no options"),
        ("auto(default=auto)", 13, "its own default"),
        ("auto(fallback=raw)", 5, "unknown option"),
        ("auto(default)", 12, "expected `=`"),
        ("auto(default=words(x))", 19, "unknown step"),
        ("", 0, "expected a name"),
    ] {
        let error = spec.parse::<Analyzer>().unwrap_err();
        assert_eq!(error.offset(), Some(offset), "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
}

/// Each step, added to the plain ones, changes something.
#[test]
fn no_step_is_without_effect() {
    let text = "Dogs's l'eau ﬁ e\u{301} ÉTÉ the Ｗ 日本 dell'arte";
    let plain = parse("words").terms(text);
    for step in
        ["nfc", "nfkc", "width", "possessive", "elision=french", "elision=italian", "lower", "fold"]
    {
        assert_ne!(parse(&format!("words({step})")).terms(text), plain, "{step}");
    }
    assert_ne!(parse("words(bigrams=cjk)").terms(text), plain);
    assert_ne!(
        parse("words(bigrams=unspaced)").terms("ภาษา"),
        parse("words(bigrams=cjk)").terms("ภาษา")
    );
    for list in crate::stop::StopList::ALL {
        let all: Vec<&str> = list.words().collect();
        let kept = parse(&format!("words(lower, stop={})", list.name())).terms(&all.join(" "));
        // Words with an inner hyphen or apostrophe would be left; there are none.
        assert!(kept.is_empty(), "{}: {kept:?}", list.name());
    }
}

fn steps() -> impl Strategy<Value = Steps> {
    use crate::{fold::Elision, stem::Stemmer, stop::StopList};
    let pick = |all: &'static [Stemmer]| proptest::option::of(proptest::sample::select(all));
    let switches = proptest::array::uniform4(any::<bool>());
    let normal = proptest::option::of(proptest::sample::select(&[Normal::Nfc, Normal::Nfkc]));
    let bigrams =
        proptest::option::of(proptest::sample::select(&[Bigrams::Cjk, Bigrams::Unspaced]));
    let elision = proptest::option::of(proptest::sample::select(Elision::ALL));
    let stop = proptest::option::of(proptest::sample::select(StopList::ALL));
    let split = proptest::sample::select(&[Split::Words, Split::Whitespace]);
    (switches, normal, elision, stop, pick(Stemmer::ALL), bigrams, split).prop_map(
        |([width, possessive, lower, fold], normal, elision, stop, stem, bigrams, split)| Steps {
            split,
            normal,
            width,
            possessive,
            elision,
            lower,
            stop,
            fold,
            stem,
            bigrams: bigrams.filter(|_| split == Split::Words),
        },
    )
}

proptest! {
    #[test]
    fn every_combination_round_trips(steps in steps()) {
        let analyzer = Analyzer::from_steps(steps);
        prop_assert_eq!(analyzer.to_string().parse::<Analyzer>().unwrap(), analyzer);
    }

    #[test]
    fn no_text_breaks_an_analyser(steps in steps(), text in "[a-zA-Z'’ 1.é\u{301}漢カｶﾞ한กั😀ßİ]{0,40}") {
        for term in Analyzer::from_steps(steps).terms(&text) {
            prop_assert!(!term.is_empty());
            prop_assert!(!term.contains(char::is_whitespace), "{term:?}");
        }
    }

    #[test]
    fn specs_never_panic(spec in "(auto|words|whitespace|english|x)?[a-z(),= ]{0,20}") {
        if let Ok(analyzer) = spec.parse::<Analyzer>() {
            prop_assert_eq!(analyzer.to_string().parse::<Analyzer>().unwrap(), analyzer);
        }
    }
}
