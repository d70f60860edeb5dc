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
        (field(), "\\PC{0,5}").prop_map(|(channel, words)| Filter::Matches { channel, words }),
        (field(), -90f64..=90.0, -180f64..=180.0, 0f64..1e9).prop_map(
            |(field, latitude, longitude, metres)| {
                Filter::GeoWithin { field, latitude, longitude, metres }
            }
        ),
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
    check("GEO_WITHIN(a, 52.5,-13, 1.5km)", "geo_within(a, 52.5, -13.0, 1500.0m)");
    check("geo_within(`and`, 0, 0, 1e3m)", "geo_within(`and`, 0.0, 0.0, 1000.0m)");
}

fn check_error(text: &str, offset: usize, message: &str) {
    let error = text.parse::<Filter>().unwrap_err();
    assert_eq!(error.kind(), ecphory_core::ErrorKind::Usage);
    let found = format!("filter: expected {message}\n  {text}\n  {}^", " ".repeat(offset));
    assert_eq!(error.to_string(), found);
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
    check_error("geo_within(a, 91, 0, 1m)", 14, "a latitude from -90 to 90, found `91`");
    check_error("geo_within(a, 1, -180.5, 1m)", 17, "a longitude from -180 to 180, found `-180.5`");
    for distance in ["10", "10miles", "-1m", "NaNm", "infm", "km"] {
        let message = format!("a distance such as `10km` or `500m`, found `{distance}`");
        check_error(&format!("geo_within(a, 1, 1, {distance})"), 20, &message);
    }
    check_error(
        "geo_within(a, 1, 1)",
        18,
        "`,` and a distance such as `10km` or `500m`, found `)`",
    );
}

#[test]
fn an_error_shows_the_line_and_the_place() {
    let error = "year > 2000\n\tand lang ~ \"de\"".parse::<Filter>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "filter: expected one of `=`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `starts_with`, found `~`\n  \tand lang ~ \"de\"\n  \t         ^"
    );
}

fn check_bound(text: &str, message: &str) {
    let field = |name: &str, kind| crate::FieldSchema { name: name.to_owned(), kind };
    let fields = crate::FieldKind::ALL.map(|kind| field(kind.name(), kind)).to_vec();
    let schema = crate::Schema { channels: Vec::new(), fields };
    let error = Bound::new(&text.parse().unwrap(), &schema, &[]).unwrap_err();
    assert_eq!(error.kind(), ecphory_core::ErrorKind::Usage);
    assert_eq!(error.to_string(), format!("filter: {message}"));
}

#[test]
fn a_literal_that_does_not_fit_the_field_gets_a_caret() {
    check_bound(
        "other = 1 and not (integer = \"2020\" or bool = true)",
        "the field `integer` is declared integer, so it cannot be compared with the text \"2020\"\n  \
         other = 1 and not (integer = \"2020\" or bool = true)\n                               ^",
    );
    check_bound(
        "float in (1, 2.5, true)",
        "the field `float` is declared float, so it cannot be compared with true\n  \
         float in (1, 2.5, true)\n                    ^",
    );
    check_bound(
        "keyword != 1.5",
        "the field `keyword` is declared keyword, so it cannot be compared with the number 1.5\n  \
         keyword != 1.5\n             ^",
    );
    check_bound(
        "date >= \"soon\"",
        "the field `date` is declared date, and \"soon\" is none; write it as 2020, 2020-05, 2020-05-17 or 2020-05-17T10:00:00Z\n  \
         date >= \"soon\"\n          ^",
    );
    check_bound(
        "date = 2020",
        "the field `date` is declared date, so it cannot be compared with the number 2020\n  \
         date = 2020\n         ^",
    );
    check_bound(
        "date starts_with \"2020\"",
        "the field `date` is declared date, `starts_with` works on text and keyword\n  \
         date starts_with \"2020\"\n  ^",
    );
    check_bound(
        "text < \"a\" and geo = \"1,2\"",
        "the field `geo` is declared geo, so it cannot be compared with the text \"1,2\"\n  \
         text < \"a\" and geo = \"1,2\"\n                       ^",
    );
    check_bound(
        "geo_within(geo, 1, 2, 3m) and geo_within(other, 1, 2, 3m)",
        "the field `other` is not declared; `geo_within` works on fields declared geo\n  \
         geo_within(geo, 1.0, 2.0, 3.0m) and geo_within(other, 1.0, 2.0, 3.0m)\n  \
         \u{20}                                              ^",
    );
    check_bound(
        "geo_within(keyword, 1, 2, 3m)",
        "the field `keyword` is declared keyword, `geo_within` works on geo\n  \
         geo_within(keyword, 1.0, 2.0, 3.0m)\n             ^",
    );
    check_bound(
        "_id = 17",
        "the field `_id` is declared keyword, so it cannot be compared with the number 17\n  \
         _id = 17\n        ^",
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
        assert!(error.to_string().contains("nests deeper than 64 levels"), "{error}");
        // Far beyond, too, the stack is safe.
        assert!(nested(100_000).parse::<Filter>().is_err());
    }
}

#[test]
fn nothing_compares_with_nan() {
    use Comparison as C;
    let schema = crate::Schema { channels: Vec::new(), fields: Vec::new() };
    let mut key = Vec::new();
    crate::segment::columns::put_float(&mut key, 1.5);
    for comparison in [C::Equal, C::Less, C::LessOrEqual, C::Greater, C::GreaterOrEqual] {
        let holds = |number| {
            let (field, literal) = ("x".to_owned(), Literal::Float(number));
            let filter = Filter::Compare { field, comparison, literal };
            let bound = Bound::new(&filter, &schema, &[]).unwrap();
            let bind::Condition::Field { test, .. } = &bound.conditions[0] else {
                panic!("a field")
            };
            test.holds(&key)
        };
        assert!(!holds(f64::NAN), "1.5 {comparison} NaN");
        let below = matches!(comparison, C::Less | C::LessOrEqual);
        assert_eq!(holds(f64::INFINITY), below, "1.5 {comparison} inf");
    }
}
