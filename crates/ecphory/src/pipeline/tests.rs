use proptest::prelude::*;

use super::*;

fn check(text: &str, canonical: &str) {
    let parsed: Pipeline = text.parse().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(parsed.to_string(), canonical);
    assert_eq!(canonical.parse::<Pipeline>().unwrap(), parsed);
}

/// The error's message has to be `message`, and its caret stand under the character after `before`.
fn refuse(text: &str, before: &str, message: &str) {
    let error = text.parse::<Pipeline>().expect_err(text);
    let shown = error.to_string();
    assert!(shown.contains(message), "{shown}\nshould say: {message}");
    let caret = shown.lines().last().unwrap();
    assert_eq!(caret.chars().count(), before.chars().count() + 3, "{shown}");
    assert!(text.starts_with(before));
}

#[test]
fn the_language_by_examples() {
    check("bm25", "bm25");
    check(" rrf( bm25,dense ) ", "rrf(bm25, dense, k=60)");
    check("rrf(bm25, dense, k=10, weights=[2, 1])", "rrf(bm25, dense, k=10, weights=[2, 1])");
    check("cc(bm25, dense)", "cc(bm25, dense, alpha=0.5)");
    check(
        "rrf(bm25, dense) % 100 >> rescore(dense)",
        "rrf(bm25, dense, k=60) % 100 >> rescore(dense)",
    );
    check("bm25 % 100 >> cross( minilm-cross )", "bm25 % 100 >> cross(minilm-cross)");
    check("a >> cross(\"./my models/x\") % 5", "(a >> cross(\"./my models/x\")) % 5");
    check("rrf(a >> cross(\"m\"), b)", "rrf(a >> cross(m), b, k=60)");
    check(
        "bm25 % 50 >> expand(rm3, terms=5) % 9",
        "(bm25 % 50 >> expand(rm3, documents=10, terms=5, original=0.6)) % 9",
    );
    check(
        "a >> expand( rm3,channel=\"my a\",original=1,documents=3 )",
        "a >> expand(rm3, channel=\"my a\", documents=3, terms=20, original=1)",
    );
    check("impacts( bm25 ) % 9", "impacts(bm25) % 9");
    check("0.3*bm25 + dense*.7", "0.3 * bm25 + 0.7 * dense");
    check("a + b + c", "a + b + c");
    check("1 * a", "1 * a");
    check("(((bm25)))", "bm25");
    check("\"my channel\" % 3", "\"my channel\" % 3");
    check("\"a\\\"b\\\\\"", "\"a\\\"b\\\\\"");
    check("\"bm25\"", "bm25");
    check("title-dense.v1", "title-dense.v1");
}

#[test]
fn precedence_is_cut_times_plus_then() {
    check("0.5 * a % 3 + b % 4 >> rescore(c)", "0.5 * a % 3 + b % 4 >> rescore(c)");
    let parsed: Pipeline = "0.5 * a % 3 + b >> rescore(c)".parse().unwrap();
    let sum = Pipeline::sum([(0.5, Pipeline::channel("a").top(3)), (1.0, Pipeline::channel("b"))]);
    assert_eq!(parsed, sum.rescore("c"));
    check("(a + b) % 5", "(a + b) % 5");
    check("a + (b + c)", "a + (b + c)");
    check("(a >> rescore(b)) % 5", "(a >> rescore(b)) % 5");
    check("a >> rescore(b) % 5", "(a >> rescore(b)) % 5");
    check("rrf(a >> rescore(b), c + d)", "rrf(a >> rescore(b), c + d, k=60)");
    check("a % 5 % 3", "a % 5 % 3");
}

#[test]
fn filters_stand_before_or_after() {
    check("bm25 >> where(year >= 2020)", "bm25 >> where(year >= 2020)");
    check("where(year >= 2020) >> bm25", "bm25 >> where(year >= 2020)");
    check(
        "where(a = 1) >> where(b = \")\") >> rrf(x, y) >> rescore(x)",
        "rrf(x, y, k=60) >> where(a = 1) >> where(b = \")\") >> rescore(x)",
    );
    check("rrf(where((a = 1)) >> x, y)", "rrf(x >> where(a = 1), y, k=60)");
    check("x >> where(`odd (name` = 1)", "x >> where(`odd (name` = 1)");
}

#[test]
fn errors_point_to_their_place() {
    refuse("", "", "expected a channel, a fusion or `(`, found the end");
    refuse("bm25 dense", "bm25 ", "expected `>>`, `+`, `*`, `%` or the end, found `dense`");
    refuse("rrf(bm25, dense", "rrf(bm25, dense", "expected `,` or `)`, found the end");
    refuse("rff(bm25, dense)", "", "no function is called `rff`; did you mean `rrf`?");
    refuse("bm25 >> rescor(dense)", "bm25 >> ", "did you mean `rescore`?");
    refuse("bm25 >> dense", "bm25 >> ", "write `>> rescore(dense)`");
    refuse("rescore(dense)", "", "write `bm25 >> rescore(...)`");
    refuse("bm25 >> cros(m)", "bm25 >> ", "did you mean `cross`?");
    refuse("cross(m)", "", "write `bm25 >> cross(...)`");
    refuse("a >> cross(models/x)", "a >> cross(", "its path in quotes, found `models/x`");
    refuse("a >> cross(./x)", "a >> cross(", "its path in quotes, found `./x`");
    refuse("a >> cross()", "a >> cross(", "the name of a model, or its path in quotes, found `)`");
    refuse("a >> cross(\"\")", "a >> cross(", "a name is empty");
    refuse("a >> cross(m, n)", "a >> cross(m", "expected `)` after the name of one model");
    refuse("a >> expand(rm4)", "a >> expand(", "expected `rm3`, found `rm4`");
    refuse("a >> expand(rm3, term=1)", "a >> expand(rm3, ", "did you mean `terms`?");
    refuse("a >> expand(rm3, terms=0)", "a >> expand(rm3, terms=", "`0` is no count");
    refuse("a >> expand(rm3, original=2)", "a >> ", "original is a share, from 0 to 1");
    refuse("a >> expand(rm3, 5)", "a >> expand(rm3, ", "expected an option");
    refuse("impacts(a, b)", "impacts(a", "expected `)` after the name of one channel");
    refuse("expand(rm3)", "", "write `bm25 >> expand(...)`");
    refuse("where(a = 1)", "", "a filter alone retrieves nothing");
    refuse("bm25 % 0", "bm25 % ", "`0` is no count");
    refuse("bm25 % 1.5", "bm25 % ", "`1.5` is no count");
    refuse("bm25 % x", "bm25 % ", "expected how many hits to keep, found `x`");
    refuse("rrf(a, b, kk=1)", "rrf(a, b, ", "`rrf` has no option `kk`; did you mean `k`?");
    refuse("rrf(a, b, k=1, k=2)", "rrf(a, b, k=1, ", "`k` is given twice");
    refuse("rrf(a, b, weights=[1])", "", "2 operands have 1 weights");
    refuse("x + rrf(a, b, weights=[0, 0])", "x + ", "every weight is 0");
    refuse("cc(a)", "", "`cc` takes two operands, found 1");
    refuse("cc(a, b, alpha=1.5)", "", "from 0 to 1");
    refuse("0.5 + a", "0.5 ", "expected `*` between a weight and what it weighs");
    refuse("0 * a", "", "every weight is 0");
    refuse("1.2.3 * a", "", "`1.2.3` is no number");
    refuse("1e999 * a", "", "is no number");
    refuse("a & b", "a ", "the character '&' has no meaning");
    refuse("-0.5 * a", "", "the character '-'");
    refuse("a + \"b", "a + ", "never closed");
    refuse("a + \"\"", "a + ", "a name is empty");
    refuse("a >> where(year > 1", "a >> ", "no closing `)`");
    refuse("a >> where(year > )", "a >> where(year > ", "expected");
    refuse("ä + &", "ä + ", "the character '&'");
}

#[test]
fn only_the_line_with_the_problem_is_shown() {
    let error = "rrf(bm25,\n\tdense &,\n  x)".parse::<Pipeline>().unwrap_err().to_string();
    assert!(error.ends_with("\n  \tdense &,\n  \t      ^"), "{error}");
}

#[test]
fn depth_is_limited_in_every_form() {
    let fusions =
        |depth: usize| (1..depth).fold(Pipeline::channel("a"), |inner, _| Pipeline::rrf([inner]));
    let deep = fusions(DEPTH_MAX);
    assert_eq!(deep.check(), Ok(()));
    assert_eq!(deep.to_string().parse::<Pipeline>().unwrap(), deep);
    assert_eq!(Pipeline::from_json(&deep.to_json()).unwrap(), deep);
    assert_eq!(Pipeline::from_toml(&deep.to_toml()).unwrap(), deep);
    let deeper = fusions(DEPTH_MAX + 1);
    assert_eq!(deeper.check(), Err(PipelineProblem::TooDeep));
    assert!(deeper.to_string().parse::<Pipeline>().is_err());
    assert!(Pipeline::from_json(&deeper.to_json()).is_err());
    assert!(Pipeline::from_toml(&deeper.to_toml()).is_err());
    let parentheses = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parentheses(DEPTH_MAX - 1).parse::<Pipeline>().is_ok());
    for text in [parentheses(100_000), "(".repeat(100_000), "rrf(".repeat(100_000)] {
        assert_eq!(text.parse::<Pipeline>().unwrap_err().problem, PipelineProblem::TooDeep);
    }
    let cuts = format!("a{}", " % 5".repeat(100));
    assert_eq!(cuts.parse::<Pipeline>().unwrap_err().problem, PipelineProblem::TooDeep);
}

#[test]
fn toml_and_json_by_hand() {
    let toml = "k = 10\n\n[[rrf]]\nchannel = \"bm25\"\n\n[[rrf]]\nto = 100\ncut = { channel = \"dense\" }\n";
    let json = r#"{"rescore": {"cc": [{"channel": "a"}, {"channel": "b"}]}, "by": "a"}"#;
    assert_eq!(Pipeline::from_toml(toml).unwrap().to_string(), "rrf(bm25, dense % 100, k=10)");
    assert_eq!(Pipeline::from_json(json).unwrap().to_string(), "cc(a, b, alpha=0.5) >> rescore(a)");
}

#[test]
fn documents_that_are_no_pipelines() {
    let refuse = |json: &str, message: &str| {
        let error = Pipeline::from_json(json).expect_err(json).to_string();
        assert!(error.contains(message), "{error}\nshould say: {message}");
    };
    refuse("{", "EOF");
    refuse("[]", "at pipeline: expected a table");
    refuse("{}", "expected one of the keys");
    refuse(r#"{"channel": 3}"#, "at pipeline.channel: expected a string, found `3`");
    refuse(r#"{"channel": "a", "k": 1}"#, "`channel` has no key `k`");
    refuse(
        r#"{"rrf": [{"channel": "a"}, {"cut": {"channel": "b"}, "to": 0}]}"#,
        "at pipeline.rrf[1]",
    );
    refuse(r#"{"rrf": [], "k": 60}"#, "takes one or more operands");
    refuse(r#"{"rrf": [{"channel": "a"}], "kk": 60}"#, "did you mean `k`?");
    refuse(r#"{"cc": [{"channel": "a"}]}"#, "takes two operands, found 1");
    refuse(r#"{"cross": {"channel": "a"}}"#, "at pipeline.model: expected a string");
    refuse(r#"{"cut": {"channel": "a"}}"#, "at pipeline.to");
    refuse(r#"{"cut": {"channel": "a"}, "to": 5000000000}"#, "at pipeline.to");
    refuse(r#"{"sum": [{"channel": "a"}], "weights": [-1]}"#, "from 0 on");
    refuse(r#"{"where": "year >", "of": {"channel": "a"}}"#, "at pipeline.where: expected");
    assert!(Pipeline::from_toml("channel = ").is_err());
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z][a-z0-9_.-]{0,5}",
        1 => prop::sample::select(vec!["rrf", "where", "weights", "k", "hybrid"]).prop_map(str::to_owned),
        1 => "\\PC{1,6}",
    ]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => (1_u32..1000).prop_map(|n| f64::from(n) / 100.0),
        1 => Just(1.0),
        1 => prop::num::f64::POSITIVE.prop_filter("is finite", |n| n.is_finite()),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    prop::sample::select(vec![
        "year >= 2020",
        "lang = \"de\" and not exists(retracted)",
        "(a = 1 or b in (\"x)\", \"(\\\"\")) and c < -1.5",
        "`odd ) name` != true",
        "title starts_with \"\\\\\"",
    ])
    .prop_map(|text| text.parse().unwrap())
}

fn tree() -> impl Strategy<Value = Pipeline> {
    let leaf = name().prop_map(Pipeline::Channel);
    leaf.prop_recursive(5, 24, 3, |inner| {
        let parts = || prop::collection::vec((number(), inner.clone()), 1..4);
        prop_oneof![
            (inner.clone(), 1..u32::MAX).prop_map(|(of, to)| of.top(to)),
            (parts(), number(), any::<bool>()).prop_map(|(parts, k, weighted)| {
                let (weights, of): (Vec<f64>, Vec<Pipeline>) = parts.into_iter().unzip();
                Pipeline::Rrf { of, k, weights: weighted.then_some(weights) }
            }),
            (inner.clone(), inner.clone(), 0_u32..=100).prop_map(|(a, b, percent)| Pipeline::cc(
                a,
                b,
                f64::from(percent) / 100.0
            )),
            parts().prop_map(Pipeline::Sum),
            name().prop_map(Pipeline::Impacts),
            (inner.clone(), name()).prop_map(|(of, by)| of.rescore(by)),
            (inner.clone(), name()).prop_map(|(of, model)| of.cross(model)),
            (inner.clone(), filter()).prop_map(|(of, filter)| of.filter(filter)),
            (inner.clone(), prop::option::of(name()), 1..u32::MAX, 1..u32::MAX, 0_u32..=100)
                .prop_map(|(of, channel, documents, terms, percent)| {
                    let by = Rm3 { documents, terms, original: f64::from(percent) / 100.0 };
                    Pipeline::Expand { of: Box::new(of), channel, by }
                }),
        ]
    })
}

proptest! {
    #[test]
    fn every_form_round_trips(tree in tree()) {
        prop_assert_eq!(tree.check(), Ok(()));
        let text = tree.to_string();
        let parsed = text.parse::<Pipeline>();
        prop_assert_eq!(parsed.as_ref(), Ok(&tree), "{}", text);
        let toml = tree.to_toml();
        let parsed = Pipeline::from_toml(&toml);
        prop_assert_eq!(parsed.as_ref(), Ok(&tree), "{}", toml);
        let json = tree.to_json();
        let parsed = Pipeline::from_json(&json);
        prop_assert_eq!(parsed.as_ref(), Ok(&tree), "{}", json);
    }

    // The caret's place has to be a character boundary, and nothing may panic.
    #[test]
    fn any_text_is_parsed_or_refused(text in "[a-z \"'(),=%+*>\\[\\]0-9.ä\n]{0,30}") {
        if let Err(error) = text.parse::<Pipeline>() {
            prop_assert!(text.is_char_boundary(error.offset.unwrap()));
            prop_assert!(error.to_string().contains('^'));
        }
    }
}
