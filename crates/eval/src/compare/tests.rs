//! Comparisons of made-up systems, and what the renderings hold.

use super::*;
use crate::evaluate::Averaging;
use crate::queries::Query;

struct World {
    qrels: Qrels,
    queries: Queries,
    good: Run,
    bad: Run,
    odd: Run,
}

/// 40 queries with one relevant document: `good` has it first but for a few, `bad` third.
fn world() -> World {
    let mut world = World {
        qrels: Qrels::default(),
        queries: Queries::default(),
        good: Run::new("good"),
        bad: Run::new("bad"),
        odd: Run::new("odd"),
    };
    for n in 0..40 {
        let query = format!("q{n:02}");
        world.qrels.insert(&query, "rel", 1).unwrap();
        let text = format!("<script>alert({n})</script> & \"quotes\"");
        world.queries.push(Query { id: query.clone(), text }).unwrap();
        let hits = |rank: usize| {
            let ids = (0..4).map(|at| if at == rank { "rel".to_owned() } else { format!("d{at}") });
            ids.zip([4.0, 3.0, 2.0, 1.0]).collect::<Vec<_>>()
        };
        world.good.insert(&query, hits(n % 10 / 9)).unwrap();
        world.bad.insert(&query, hits(2)).unwrap();
        if n > 0 {
            world.odd.insert(&query, hits(n % 2 * 2 + 1)).unwrap();
        }
    }
    world
}

fn compare(change: impl Fn(&mut ComparisonOptions)) -> Result<Comparison> {
    let world = world();
    let metrics = ["nDCG@10", "RR", "NumRet(rel=1)"].map(|name| name.parse().unwrap()).to_vec();
    let mut options = ComparisonOptions { baseline: Some(0), ..ComparisonOptions::new(metrics) };
    change(&mut options);
    let systems = ["bad", "good", "odd|<b>"].map(str::to_owned);
    let set = |name: &str| ComparedSet {
        name: name.to_owned(),
        qrels: &world.qrels,
        queries: Some(&world.queries),
        runs: vec![&world.bad, &world.good, &world.odd],
    };
    Comparison::new(&systems, &[set("one"), set("two")], &options)
}

fn cell(comparison: &Comparison, metric: usize, system: usize) -> &Cell {
    &comparison.sets[0].metrics[metric].cells[system]
}

#[test]
fn values_differences_and_marks() {
    let comparison = compare(|_| {}).unwrap();
    assert_eq!(comparison.comparisons, 2 * 3 * 2);
    assert!((cell(&comparison, 1, 0).value - 1.0 / 3.0).abs() < 1e-12);
    assert_eq!(cell(&comparison, 1, 0).difference, None);
    let good = cell(&comparison, 1, 1);
    assert!((good.value - 0.95).abs() < 1e-12);
    assert!((good.difference.unwrap() - (0.95 - 1.0 / 3.0)).abs() < 1e-12);
    assert_eq!(good.mark, Mark::Better);
    let interval = good.interval.unwrap();
    assert!(interval.low > 0.5 && interval.high < 0.7);
    assert!(good.p_corrected.unwrap() > good.p.unwrap());
    // The baseline never lacks a document, `odd` lacks one query: one in 40 is chance.
    let odd = cell(&comparison, 2, 2);
    assert_eq!((odd.value, odd.difference, odd.mark), (39.0, Some(-1.0), Mark::None));
    assert_eq!(comparison.sets[1].missing, [0, 0, 1]);
    let mean = &comparison.means[1][1];
    assert_eq!((mean.p, mean.interval), (None, None));
    assert!((mean.value - 0.95).abs() < 1e-12 && mean.difference.unwrap() > 0.6);
}

#[test]
fn every_option_changes_the_result() {
    let before = compare(|_| {}).unwrap();
    let odd = |comparison: &Comparison| cell(comparison, 0, 2).clone();
    let changed = compare(|o| o.test = Test::T).unwrap();
    assert_ne!(odd(&changed).p, odd(&before).p);
    let changed = compare(|o| o.bootstrap.confidence = 0.5).unwrap();
    assert_ne!(odd(&changed).interval, odd(&before).interval);
    let changed = compare(|o| o.evaluate.averaging = Averaging::Retrieved).unwrap();
    assert_ne!(odd(&changed).value, odd(&before).value);
    let changed = compare(|o| o.evaluate.depth = Some(1)).unwrap();
    assert_ne!(odd(&changed).value, odd(&before).value);
    let changed = compare(|o| o.alpha = 1e-6).unwrap();
    assert_eq!(cell(&changed, 1, 1).mark, Mark::None);
    let changed = compare(|o| o.baseline = Some(1)).unwrap();
    assert_eq!(cell(&changed, 1, 0).mark, Mark::Worse);
    let changed = compare(|o| o.baseline = None).unwrap();
    assert_eq!((changed.comparisons, cell(&changed, 1, 1).p), (0, None));
    assert!(!changed.to_text().contains("Differences"));
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let error = |change: fn(&mut ComparisonOptions)| compare(change).unwrap_err().to_string();
    assert!(error(|o| o.baseline = Some(3)).contains("baseline"));
    assert!(error(|o| o.metrics.clear()).contains("metrics: expected at least one"));
    assert!(error(|o| o.alpha = 0.0).contains("alpha"));
    let rel = compare(|o| o.metrics[1].rel = 5).unwrap_err();
    assert_eq!(rel.to_string(), "data set `one` has no judged query for RR(rel=5)");
}

#[test]
fn more_is_worse_for_some_metrics() {
    let comparison = compare(|o| o.metrics = vec!["Unjudged@2".parse().unwrap()]).unwrap();
    let good = cell(&comparison, 0, 1);
    assert!(good.difference.unwrap() < 0.0);
    assert_eq!(good.mark, Mark::Better);
}

#[test]
fn text_and_markdown() {
    let comparison = compare(|_| {}).unwrap();
    let text = comparison.to_text();
    let expect = "\
RR
  data set     bad    good  odd|<b>
  one       0.3333  0.9500▲  0.3625
  two       0.3333  0.9500▲  0.3625
  mean      0.3333  0.9500   0.3625
";
    assert!(text.contains(expect), "{text}");
    assert!(text.contains("lacks 1 of 40 judged queries"));
    let markdown = comparison.to_markdown();
    assert!(markdown.contains("| one | 0.3333 | 0.9500▲ | 0.3625 |"), "{markdown}");
    assert!(markdown.contains("odd\\|\\<b\\>"));
}

#[test]
fn json_has_every_cell() {
    let json = compare(|_| {}).unwrap().to_json();
    assert_eq!(json["baseline"], "bad");
    let results = json["data_sets"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 9);
    assert_eq!(results[4]["mark"], "better");
    assert_eq!(results[4]["metric"], "RR");
    assert_eq!(json["mean"].as_array().unwrap().len(), 9);
}

#[test]
fn html_is_escaped_and_self_contained() {
    let html = compare(|_| {}).unwrap().to_html("a <title> & more");
    assert!(html.contains("<title>a &lt;title&gt; &amp; more</title>"));
    assert!(html.contains("&lt;script&gt;alert(9)&lt;/script&gt; &amp; &quot;quotes&quot;"));
    for forbidden in ["<script", "http:", "https:", "<link", "<b>", "@import", "url(", "NaN", "inf"]
    {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    for tag in ["svg", "figure", "table", "div", "section", "details", "ul", "title", "span"] {
        let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
        let opened = html
            .match_indices(&open)
            .filter(|(at, _)| html[at + open.len()..].starts_with([' ', '>']));
        assert_eq!(opened.count(), html.matches(&close).count(), "{tag}");
    }
    assert!(html.contains("prefers-color-scheme: dark"));
}

#[test]
fn one_collection_is_one_table() {
    let world = world();
    let mut options =
        ComparisonOptions::new(vec!["nDCG@10".parse().unwrap(), "RR".parse().unwrap()]);
    options.baseline = Some(0);
    let set = ComparedSet {
        name: "only".to_owned(),
        qrels: &world.qrels,
        queries: None,
        runs: vec![&world.bad, &world.good],
    };
    let systems = ["bad", "good"].map(str::to_owned);
    let comparison = Comparison::new(&systems, &[set], &options).unwrap();
    assert!(comparison.means.is_empty());
    let text = comparison.to_text();
    assert!(text.starts_with("only, 40 queries\n  system  nDCG@10      RR\n"), "{text}");
}
