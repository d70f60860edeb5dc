use super::*;
use proptest::prelude::*;

fn field() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c_][a-z.-]{0,3}", "\\PC{1,4}", Just("and".to_owned()), Just("TRUE".to_owned())]
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        "[\\PC\n\t\"\\\\]{0,5}".prop_map(Literal::Text),
        any::<i64>().prop_map(Literal::Integer),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Literal::Float),
        any::<bool>().prop_map(Literal::Bool),
    ]
}

fn comparison() -> impl Strategy<Value = Comparison> {
    use Comparison as C;
    prop::sample::select(vec![
        C::Equal,
        C::NotEqual,
        C::Less,
        C::LessOrEqual,
        C::Greater,
        C::GreaterOrEqual,
    ])
}

fn filter() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        (field(), comparison(), literal()).prop_map(|(field, comparison, literal)| {
            Filter::Compare { field, comparison, literal }
        }),
        (field(), proptest::collection::vec(literal(), 1..3))
            .prop_map(|(field, literals)| Filter::In { field, literals }),
        (field(), "\\PC{0,3}").prop_map(|(field, prefix)| Filter::StartsWith { field, prefix }),
        field().prop_map(|field| Filter::Exists { field }),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

proptest! {
    #[test]
    fn display_and_parse_round_trip(filter in filter()) {
        let text = filter.to_string();
        prop_assert_eq!(text.parse::<Filter>().map_err(|e| e.to_string()), Ok(filter), "{}", text);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-c(),=<>!`\"\\\\ 0-9.eE+-]{0,24}|\\PC{0,12}|(not |\\(|a = 1 and ){0,9}") {
        let _ = text.parse::<Filter>();
    }
}

fn check(text: &str, canonical: &str) {
    assert_eq!(text.parse::<Filter>().unwrap().to_string(), canonical);
}

#[test]
fn what_is_read_is_written_in_one_form() {
    check("year>=2020 AND lang=\"de\"", "year >= 2020 and lang = \"de\"");
    check("a=1 or b=2 and not c=3", "a = 1 or (b = 2 and not c = 3)");
    check("((a = 1.50))", "a = 1.5");
    check(
        "prefix(title, \"Ra\") and exists( `my field` )",
        "title starts_with \"Ra\" and exists(`my field`)",
    );
    check("_id in (\"a\", \"b\")", "_id in (\"a\", \"b\")");
    check("not not a != -1e3", "not not a != -1000.0");
    check("notable = true", "notable = true");
    check("überschrift = \"ä\"", "überschrift = \"ä\"");
}

fn check_error(text: &str, offset: usize, message: &str) {
    let error = text.parse::<Filter>().unwrap_err();
    assert_eq!(error.kind(), ecphory_core::ErrorKind::Usage);
    let found = format!("the filter is wrong at byte {offset}: expected {message}");
    assert_eq!(error.to_string(), found, "{text}");
}

#[test]
fn errors_name_the_place() {
    check_error("", 0, "a field (one named like a keyword stands in backticks), found the end");
    check_error(
        "year",
        4,
        "one of `=`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `starts_with`, found the end",
    );
    check_error("year = de", 7, "a text in double quotes, a number, `true` or `false`, found `de`");
    check_error("a = \"x", 4, "a closing quote, found `\"`");
    check_error("a = 1 b = 2", 6, "`and`, `or` or the end, found `b`");
    check_error("(a = 1", 6, "`and`, `or` or `)`, found the end");
    check_error(
        "a = 99999999999999999999",
        4,
        "a number within the range of 64 bits, found `99999999999999999999`",
    );
    check_error("a = 1e999", 4, "a number within the range of 64 bits, found `1e999`");
    check_error("a in ()", 6, "a text in double quotes, a number, `true` or `false`, found `)`");
    check_error(
        "a = \"\\x\"",
        5,
        "one of `\\\\`, `\\n`, `\\r`, `\\t` or an escaped quote, found `\\`",
    );
}

#[test]
fn depth_is_limited() {
    for open in ["(", "not "] {
        let nested = |depth: usize| {
            format!(
                "{}a = 1{}",
                open.repeat(depth),
                if open == "(" { ")".repeat(depth) } else { String::new() }
            )
        };
        nested(64).parse::<Filter>().unwrap();
        let error = nested(65).parse::<Filter>().unwrap_err();
        assert!(error.to_string().contains("more than 64 deep at byte"), "{error}");
        // Far beyond, too, the stack is safe.
        assert!(nested(100_000).parse::<Filter>().is_err());
    }
}
