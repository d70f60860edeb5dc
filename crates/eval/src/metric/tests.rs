//! Names there and back, parameters, errors, and values worked out by hand.

use super::*;
use crate::evaluate::EvaluateOptions;
use crate::ranking::UNJUDGED;
use proptest::prelude::*;

fn metric(text: &str) -> Metric {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn check_name(given: &str, canonical: &str) {
    let parsed = metric(given);
    assert_eq!(parsed.to_string(), canonical, "{given}");
    assert_eq!(metric(canonical), parsed, "{canonical}");
}

#[test]
fn names_are_made_canonical() {
    for same in [
        "nDCG@10",
        "nDCG",
        "AP",
        "AP@100",
        "AP(rel=2)@100",
        "RR@10",
        "P(rel=2)@10",
        "R@100",
        "Success@5",
        "Rprec",
        "Rprec(mult=0.2)",
        "Bpref(rel=3)",
        "Judged@10",
        "Judged",
        "NumRet",
        "NumRet(rel=1)",
        "IPrec@0.1",
        "SetF(beta=2.0)",
        "SetP(relative=True)",
        "RBP",
        "RBP(rel=1,p=0.5)@10",
        "infAP",
        "nDCG(dcg='exp-log2')@20",
        "nDCG(gains={1:3,2:9,4:4.5})",
        "AP(judged_only=True)",
        "GMAP",
        "Utility(weights=[2,-1,0])",
        "AvgIPrec(recall=[0.25,0.5,0.75])",
        "BinG",
        "G",
        "RnDCG",
        "nDCGRel",
        "RBPResid(p=0.9)",
        "Unjudged@5",
        "NumQ",
        "NumRel(rel=2)",
        "NumNonRelRet",
        "SetAP",
        "SetR",
        "GMBpref",
    ] {
        check_name(same, same);
    }
    check_name("P(rel=1)@10", "P@10");
    check_name(" ndcg( dcg = \"exp-log2\" ) @ 20 ", "nDCG(dcg='exp-log2')@20");
    check_name("nDCG(gains={0:0,2:3,1:1})", "nDCG(gains={2:3})");
    check_name("MRR@10", "RR@10");
    check_name("NumRelRet", "NumRet(rel=1)");
    check_name("precision(relative=false)@5", "P@5");
}

#[test]
fn names_of_trec_eval() {
    check_name("ndcg_cut_10", "nDCG@10");
    check_name("ndcg_cut.10", "nDCG@10");
    check_name("map", "AP");
    check_name("recip_rank", "RR");
    check_name("P_10", "P@10");
    check_name("recall_100", "R@100");
    check_name("iprec_at_recall_0.10", "IPrec@0.1");
    check_name("relative_P_5", "P(relative=True)@5");
    check_name("ndcg_1=3,2=9,4=4.5", "nDCG(gains={1:3,2:9,4:4.5})");
    check_name("utility_2,-1,0,0", "Utility(weights=[2,-1,0])");
    check_name("11pt_avg_.25,.5,.75", "AvgIPrec(recall=[0.25,0.5,0.75])");
    check_name("rbp", "RBP(p=0.9)");
    check_name("set_F_0.5", "SetF(beta=0.5)");
}

fn check_error(text: &str, expect: &str) {
    let error = text.parse::<Metric>().unwrap_err();
    assert_eq!(error.kind(), ecphory_core::ErrorKind::Usage);
    assert!(error.to_string().contains(expect), "{error}");
}

#[test]
fn what_is_wrong_is_said() {
    check_error("nDGC@10", "no metric is called `nDGC@10`; did you mean `nDCG`?");
    check_error("recal@10", "did you mean `Recall`?");
    check_error("zzzzzzzz", "no metric is called `zzzzzzzz`");
    check_error("", "no metric is called ``");
    check_error("P", "cutoff: expected `@` and a number of ranks");
    check_error("nDCG@0", "cutoff: expected an integer from 1 up, got `0`");
    check_error("nDCG@10.5", "got `10.5`");
    check_error("Rprec@10", "cutoff: expected none for this metric");
    check_error("IPrec@1.5", "recall: expected a number from 0 to 1");
    check_error("nDCG(rel=2)@10", "parameter: expected one of dcg, gains, judged_only, got `rel`");
    check_error("NumQ(rel=2)", "expected no parameters");
    check_error("P(rel=-1)@10", "rel: expected an integer from 0 up, got `-1`");
    check_error("P(rel=True)@10", "rel: expected an integer from 0 up, got `True`");
    check_error("nDCG(dcg='x')", "'log2' or 'exp-log2'");
    check_error("P(rel=2@10", "expected `,` or `)` at byte 7");
    check_error("P(rel=2)@10x", "got `10x`");
    check_error("AP rest", "expected the end at byte 3");
    check_error("RBP(p=1)", "p: expected a number from 0 to below 1");
    check_error("Utility(weights=[1,2])", "three numbers");
    check_error("utility_1,-1,0,5", "three numbers");
}

fn check_value(text: &str, labels: &[i32], judgments: &[i32], expect: f64) {
    let ranking = Ranking::of_labels(labels.to_vec(), judgments);
    let got = metric(text).value(&ranking);
    assert!((got - expect).abs() < 1e-12, "{text}: {got} is not {expect}");
}

#[test]
fn values_by_hand() {
    let labels = [0, 2, UNPOOLED, 1];
    let judged = [2, 1, 1, 0, 0];
    check_value("P@4", &labels, &judged, 0.5);
    check_value("P@8", &labels, &judged, 0.25);
    check_value("P(rel=2)@4", &labels, &judged, 0.25);
    check_value("P(relative=True)@8", &labels, &judged, 2.0 / 3.0);
    check_value("R@2", &labels, &judged, 1.0 / 3.0);
    check_value("RR", &labels, &judged, 0.5);
    check_value("RR@1", &labels, &judged, 0.0);
    check_value("AP", &labels, &judged, (0.5 + 0.5) / 3.0);
    check_value("Rprec", &labels, &judged, 1.0 / 3.0);
    check_value("Judged@4", &labels, &judged, 0.75);
    check_value("Judged@10", &labels, &judged, 0.75);
    check_value("Unjudged@10", &labels, &judged, 0.1);
    check_value("SetF", &labels, &judged, 2.0 * 0.5 * (2.0 / 3.0) / (0.5 + 2.0 / 3.0));
    check_value("Bpref", &labels, &judged, (0.5 + 0.5) / 3.0);
    check_value("IPrec@0.5", &labels, &judged, 0.5);
    check_value("IPrec@1.0", &labels, &judged, 0.0);
    let log = |x: f64| x.log2();
    let (dcg, best) = (2.0 / log(3.0) + 1.0 / log(5.0), 2.0 + 1.0 / log(3.0) + 1.0 / log(4.0));
    check_value("nDCG", &labels, &judged, dcg / best);
    check_value("nDCG@2", &labels, &judged, (2.0 / log(3.0)) / (2.0 + 1.0 / log(3.0)));
    let best = 3.0 + 1.0 / log(3.0) + 1.0 / log(4.0);
    check_value("nDCG(dcg='exp-log2')", &labels, &judged, (3.0 / log(3.0) + 1.0 / log(5.0)) / best);
    check_value("RBP(rel=1,p=0.5)", &labels, &judged, 0.5 * (0.5 + 0.125));
    check_value("RBP(p=0.5)", &labels, &judged, 0.5 * (0.5 + 0.5 * 0.125));
    check_value("AP(judged_only=True)", &labels, &judged, (0.5 + 2.0 / 3.0) / 3.0);
}

const ALL: [&str; 31] = [
    "nDCG",
    "nDCG(dcg='exp-log2')@3",
    "AP",
    "GMAP",
    "RR",
    "P@3",
    "P(relative=True)@3",
    "R@3",
    "Success@2",
    "Rprec",
    "Rprec(mult=0.5)",
    "Bpref",
    "Judged@3",
    "Unjudged@3",
    "NumRet",
    "NumNonRelRet",
    "IPrec@0.5",
    "AvgIPrec",
    "SetP",
    "SetR",
    "SetF",
    "SetAP",
    "RBP",
    "RBPResid",
    "BinG",
    "Utility",
    "AP(rel=2)@4",
    "nDCGRel",
    "RnDCG",
    "G",
    "infAP",
];

/// The last four do not always grow when a better document moves up.
const MONOTONE: usize = ALL.len() - 4;

proptest! {
    // Every order of the tied documents is tried; best and worst case have to be the extremes.
    #[test]
    fn ties_bound_every_order(
        labels in proptest::collection::vec(-2i32..4, 1..6),
        missed in proptest::collection::vec(-2i32..4, 0..3),
        which in 0usize..MONOTONE,
    ) {
        let metric = metric(ALL[which]);
        let judged = labels.iter().chain(&missed).copied().collect::<Vec<i32>>();
        let mut ids: Vec<(String, i32)> = judged.iter().enumerate().map(|(i, &j)| (format!("{i}"), j)).collect();
        ids.retain(|(_, judgment)| *judgment != UNPOOLED);
        let hits: Vec<(String, f64)> = (0..labels.len()).map(|i| (i.to_string(), 1.0)).collect();
        let ranking = Ranking::new(&ids.into_iter().collect(), Some(&hits), &EvaluateOptions::default());
        let a = metric.value_arranged(&ranking, Ties::HighestFirst);
        let b = metric.value_arranged(&ranking, Ties::LowestFirst);
        let (worst, best) = (a.min(b), a.max(b));
        let (mut lowest, mut highest) = (f64::INFINITY, f64::NEG_INFINITY);
        for order in orders(ranking.labels.clone()) {
            let mut other = ranking.clone();
            other.labels = order;
            let value = metric.value(&other);
            lowest = lowest.min(value);
            highest = highest.max(value);
        }
        prop_assert!((worst - lowest).abs() < 1e-12 && (best - highest).abs() < 1e-12,
            "{metric}: {worst} {lowest} {best} {highest}");
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[nDCGAPR(){}\\[\\]@=,:0-9.'a-z_ é-]{0,24}") {
        if let Ok(metric) = text.parse::<Metric>() {
            prop_assert_eq!(metric.to_string().parse::<Metric>().unwrap(), metric);
        }
    }

    #[test]
    fn values_lie_between_0_and_1(
        labels in proptest::collection::vec(-2i32..4, 0..12),
        missed in proptest::collection::vec(0i32..4, 0..4),
        which in 0usize..ALL.len(),
    ) {
        let judged: Vec<i32> = labels.iter().chain(&missed).copied().filter(|&j| j != UNPOOLED).collect();
        let ranking = Ranking::of_labels(labels, &judged);
        let metric = metric(ALL[which]);
        let value = metric.value(&ranking);
        prop_assert!(value.is_finite());
        if !matches!(ALL[which], "NumRet" | "NumNonRelRet" | "Utility") {
            prop_assert!((0.0..=1.0 + 1e-9).contains(&value), "{}: {}", ALL[which], value);
        }
    }
}

fn orders(labels: Vec<i32>) -> Vec<Vec<i32>> {
    if labels.len() <= 1 {
        return vec![labels];
    }
    let mut all = Vec::new();
    for first in 0..labels.len() {
        let mut rest = labels.clone();
        let head = rest.remove(first);
        for mut tail in orders(rest) {
            tail.insert(0, head);
            all.push(tail);
        }
    }
    all
}

#[test]
fn labels_of_documents_nobody_judged() {
    assert_eq!((UNPOOLED, UNJUDGED), (-1, -2));
}
