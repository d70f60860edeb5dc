//! Values of `ir_measures` (through `pytrec_eval`) and scipy; see `golden/make_reference.py`.

use std::collections::BTreeSet;
use std::path::Path;

use ecphory_eval::significance::Randomisation;
use ecphory_eval::{
    Averaging, EvaluateOptions, Judgement, Metric, Qrels, Run, paired_randomisation_test,
    paired_t_test,
};
use serde_json::{Map, Value};

use crate::data;

fn reference() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/reference.json");
    serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
}

fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |value, byte| {
        (value ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The same run as `made_run` of the script makes: 17 different scores, so ties everywhere.
fn made_run(qrels: &Qrels) -> Run {
    let documents: BTreeSet<&String> = qrels.queries.values().flat_map(|j| j.keys()).collect();
    let mut run = Run::new("made");
    for (query, judged) in &qrels.queries {
        let mut hits = Vec::new();
        for &document in &documents {
            let value = fnv(&format!("{query} {document}"));
            let one_in = if judged.contains_key(document) { 2 } else { 9 };
            if (value / 64).is_multiple_of(one_in) {
                let relevant = judged.get(document).is_some_and(|&judgment| judgment > 0);
                let score = (value / 4096 % 17) as f64 / 4.0 + f64::from(u8::from(relevant));
                hits.push((document.clone(), score));
            }
        }
        run.insert(query.clone(), hits).unwrap();
    }
    run
}

fn listed() -> EvaluateOptions {
    EvaluateOptions { averaging: Averaging::Listed, ..EvaluateOptions::default() }
}

fn check_values(qrels: &Qrels, expect: &Map<String, Value>) {
    let run = made_run(qrels);
    let judgement = Judgement::new(qrels, &run, &listed());
    for (name, values) in expect {
        let metric: Metric = name.parse().unwrap();
        assert_eq!(&metric.to_string(), name);
        let result = judgement.evaluate(&metric);
        assert_eq!(result.values.len(), values.as_object().unwrap().len());
        for (query, value) in values.as_object().unwrap() {
            let (got, expect) = (result.values[query], value.as_f64().unwrap());
            assert!((got - expect).abs() < 1e-6, "{name} {query}: {got}, not {expect}");
        }
    }
}

fn check_means(qrels: &Qrels, expect: &Map<String, Value>) {
    let run = made_run(qrels);
    let judgement = Judgement::new(qrels, &run, &listed());
    for (name, value) in expect {
        let result = judgement.evaluate(&name.parse().unwrap());
        let got = result.values.values().sum::<f64>() / result.values.len() as f64;
        let expect = value.as_f64().unwrap();
        assert!((got - expect).abs() < 1e-6, "{name}: {got}, not {expect}");
    }
}

#[test]
fn made_up_judgments() {
    let reference = reference();
    let mut qrels = Qrels::default();
    for (query, judged) in reference["small"]["qrels"].as_object().unwrap() {
        for (document, judgment) in judged.as_object().unwrap() {
            qrels.insert(query, document, judgment.as_i64().unwrap() as i32).unwrap();
        }
    }
    check_values(&qrels, reference["small"]["values"].as_object().unwrap());
}

#[test]
fn graded_judgments_of_cranfield() {
    let Some(dir) = data::folder("cranfield") else { return };
    let qrels = Qrels::read(dir.join("qrels/test.tsv")).unwrap();
    let reference = reference();
    check_values(&qrels, reference["cranfield"]["values"].as_object().unwrap());
    check_means(&qrels, reference["cranfield"]["means"].as_object().unwrap());
}

#[test]
fn sparse_judgments_of_scifact() {
    let Some(dir) = data::folder("scifact") else { return };
    let qrels = Qrels::read(dir.join("qrels/test.tsv")).unwrap();
    check_means(&qrels, reference()["scifact"]["means"].as_object().unwrap());
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn tests_of_significance() {
    for case in reference()["t_tests"].as_array().unwrap() {
        let (left, right) = (numbers(&case["left"]), numbers(&case["right"]));
        let number = |key: &str| case[key].as_f64().unwrap();
        let t = paired_t_test(&left, &right).unwrap();
        assert!((t.t - number("t")).abs() < 1e-10, "{t:?}");
        assert!((t.p - number("p")).abs() < 1e-10, "{t:?}");
        assert_eq!(t.degrees as f64, number("degrees"));
        let exact = paired_randomisation_test(&left, &right, &Randomisation::default()).unwrap();
        assert!(exact.exact);
        assert!((exact.p - number("p_randomisation")).abs() < 1e-10, "{exact:?} {case}");
    }
}

/// Two values with the mean and spread that give a statistic, repeated: the tail for many degrees
/// of freedom.
#[test]
fn tails_of_the_t_distribution() {
    for case in reference()["tails"].as_array().unwrap() {
        let t = case["t"].as_f64().unwrap();
        let count = case["degrees"].as_u64().unwrap() as usize + 1;
        // ±1 in turn (and 0 where the number is odd) has mean 0 and spread √(2⌊n/2⌋/(n−1)).
        let even = (count / 2 * 2) as f64;
        let error = (even / (count - 1) as f64 / count as f64).sqrt();
        let wave = |at: usize| match at {
            at if at + 1 == count && count % 2 == 1 => 0.0,
            at if at % 2 == 0 => 1.0,
            _ => -1.0,
        };
        let left: Vec<f64> = (0..count).map(|at| wave(at) + t * error).collect();
        let got = paired_t_test(&left, &vec![0.0; count]).unwrap();
        let expect = case["p"].as_f64().unwrap();
        assert!((got.t - t).abs() < 1e-9 * t.max(1.0), "{got:?}");
        assert!((got.p - expect).abs() < 1e-10 + 1e-8 * expect, "{got:?} {case}");
    }
}
