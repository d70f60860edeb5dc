use super::Verdict::{Improved, Stop, Waiting};
use super::*;

fn factors(spec: &str, total: u64) -> Vec<f64> {
    let schedule: Schedule = spec.parse().unwrap();
    (0..total).map(|step| schedule.factor(step, total)).collect()
}

fn assert_close(got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (a, b) in got.iter().zip(expected) {
        assert!((a - b).abs() < 1e-12, "{got:?}");
    }
}

#[test]
fn rates_rise_and_fall() {
    assert_close(&factors("constant", 3), &[1.0; 3]);
    assert_close(&factors("constant(warmup=2)", 4), &[0.5, 1.0, 1.0, 1.0]);
    assert_close(&factors("linear", 4), &[1.0, 0.75, 0.5, 0.25]);
    assert_close(&factors("linear(warmup=0.2)", 10)[..4], &[0.5, 1.0, 1.0, 0.875]);
    let half = 0.5f64.sqrt();
    let cosine = [1.0, 0.5 + half / 2.0, 0.5, 0.5 - half / 2.0];
    assert_close(&factors("cosine", 4), &cosine);
    assert_close(&factors("cosine(warmup=1)", 5), &[&[1.0], &cosine[..]].concat());
    // A warm-up longer than the run never ends, and a step beyond it has no rate.
    assert_close(&factors("linear(warmup=8)", 2), &[0.125, 0.25]);
    let linear: Schedule = "linear".parse().unwrap();
    assert_eq!((linear.factor(9, 4), linear.factor(0, 0)), (0.0, 0.0));
}

#[test]
fn a_plateau_lowers_the_rate_and_resumes() {
    let schedule: Schedule = "plateau(factor=0.25, patience=2, warmup=1)".parse().unwrap();
    let mut rate = Rate::new(schedule, 100).unwrap();
    let mut resumed = rate.clone();
    let mut factors = Vec::new();
    for metric in [0.5, 0.5, 0.4, 0.5, 0.6, 0.6, f64::NAN, 0.6] {
        rate.measure(metric);
        factors.push(rate.factor(50));
        resumed.restore(rate.reduced, rate.progression());
        assert_eq!(rate, resumed);
    }
    assert_eq!(factors, [1.0, 1.0, 0.25, 0.25, 0.25, 0.25, 0.0625, 0.0625]);
    let mut constant = Rate::new("constant".parse().unwrap(), 100).unwrap();
    (0..9).for_each(|_| constant.measure(0.0));
    assert_eq!(constant.factor(3), 1.0);
    let broken = Schedule::Plateau { warmup: WarmUp::NONE, factor: 0.5, patience: 0 };
    assert!(Rate::new(broken, 100).is_err());
}

#[test]
fn a_ramp_is_quadratic() {
    let ramp: Ramp = "quadratic(steps=4)".parse().unwrap();
    let factors: Vec<f64> = (0..6).map(|step| ramp.factor(step)).collect();
    assert_eq!(factors, [0.0, 0.0625, 0.25, 0.5625, 1.0, 1.0]);
    assert_eq!(Ramp::None.factor(0), 1.0);
}

#[test]
fn players_take_turns() {
    let phases: Phases = "alternate(ranker=2, retriever=3)".parse().unwrap();
    let mut steps = [0u64; 2];
    for step in 0..15 {
        let phase = phases.at(step);
        let expected = usize::from(step % 5 >= 2);
        assert_eq!(phase.player, ["ranker", "retriever"][expected]);
        assert_eq!(phase.round, step / 5);
        assert_eq!(phase.step, [step % 5, (step % 5).saturating_sub(2)][expected]);
        assert_eq!(phase.player_step, steps[expected]);
        steps[expected] += 1;
    }
    assert_eq!((steps, phases.steps_per_round()), ([6, 9], 5));
    let players = |name: &str, steps| Phases::new(vec![(name.to_owned(), steps)]);
    assert_eq!(players("a", 3).unwrap().to_string(), "alternate(a=3)");
    assert!(players("a", 0).is_err() && players("", 1).is_err() && players("é", 1).is_err());
    assert!(players("a=1, b", 1).is_err() && players("a", 1 << 40).is_err());
    assert!(Phases::new(vec![]).is_err());
}

#[test]
fn it_stops_after_its_patience() {
    let mut stop: EarlyStop = "early(patience=2, gain=0.1)".parse().unwrap();
    let metrics = [f64::NAN, 0.5, 0.55, 0.7, 0.75, 0.2, 0.9];
    let verdicts: Vec<Verdict> = metrics.iter().map(|&metric| stop.measure(metric)).collect();
    let expected = [Waiting(1), Improved, Waiting(1), Improved, Waiting(1), Stop, Improved];
    assert_eq!(verdicts, expected);
    let mut resumed: EarlyStop = "early(patience=2, gain=0.1)".parse().unwrap();
    resumed.restore(stop.progression());
    assert_eq!(resumed, stop);
    assert!(EarlyStop::new(0, 0.0).is_err() && EarlyStop::new(1, f64::NAN).is_err());
}

#[test]
fn spec_strings_come_back() {
    for spec in [
        "constant",
        "constant(warmup=500)",
        "linear(warmup=0.05)",
        "cosine(warmup=0.1)",
        "plateau(factor=0.25, patience=2)",
        "plateau(warmup=10, factor=0.5, patience=1)",
    ] {
        assert_eq!(spec.parse::<Schedule>().unwrap().to_string(), spec);
    }
    assert_eq!("linear( warmup = 0 )".parse::<Schedule>().unwrap().to_string(), "linear");
    for spec in ["none", "quadratic(steps=200)"] {
        assert_eq!(spec.parse::<Ramp>().unwrap().to_string(), spec);
    }
    for spec in ["early(patience=3)", "early(patience=1, gain=0.001)"] {
        assert_eq!(spec.parse::<EarlyStop>().unwrap().to_string(), spec);
    }
    let spec = "alternate(ranker=500, retriever=1500)";
    assert_eq!(spec.parse::<Phases>().unwrap().to_string(), spec);
}

#[test]
fn wrong_specs_point_at_the_place() {
    let schedule = |spec: &str| spec.parse::<Schedule>().unwrap_err().to_string();
    assert_eq!(
        schedule("linaer"),
        "schedule `linaer`: expected `constant`, `linear`, `cosine` or `plateau` at byte 0"
    );
    assert!(schedule("linear(warmup=1.5)").ends_with("share between 0 and 1 at byte 14"));
    assert!(schedule("linear(warmup=1e99999)").ends_with("share between 0 and 1 at byte 14"));
    assert!(schedule("linear(factor=0.5)").ends_with("expected `warmup` at byte 7"));
    assert!(schedule("plateau(factor=0.5)").ends_with("`factor` and `patience` with it at byte 0"));
    assert!(schedule("plateau(factor=2, patience=1)").ends_with("between 0 and 1 at byte 15"));
    let ramp = |spec: &str| spec.parse::<Ramp>().unwrap_err().to_string();
    assert!(ramp("quadratic").ends_with("expected `quadratic(steps=…)` at byte 0"));
    assert!(ramp("quadratic(steps=0)").ends_with("expected a number of steps at byte 16"));
    assert!(ramp("none(steps=1)").ends_with("expected no settings at byte 5"));
    assert!(ramp("cubic").ends_with("expected `none` or `quadratic` at byte 0"));
    let stop = |spec: &str| spec.parse::<EarlyStop>().unwrap_err().to_string();
    assert!(stop("early").ends_with("expected `patience` with it at byte 5"));
    assert!(stop("late").ends_with("expected `early` at byte 0"));
    assert!(stop("early(gain=-1)").ends_with("expected a number from 0 on at byte 11"));
    let phases = |spec: &str| spec.parse::<Phases>().unwrap_err().to_string();
    assert!(phases("alternate").ends_with("expected players with their steps at byte 9"));
    assert!(phases("alternate(a=0)").ends_with("expected a number of steps at byte 12"));
    assert!(phases("alternate(a=1, a=2)").contains("this one is there before at byte 15"));
}
