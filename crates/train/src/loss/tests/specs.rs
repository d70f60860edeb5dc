use super::samples::{SHARED_SPECS, SPECS, evaluate, loss, shared};
use crate::loss::{Hinge, InfoNce, Kl, Loss, MarginMse, Normalise, PairWeights, RankNet, Side};

#[test]
fn specifications_round_trip() {
    for spec in SPECS.iter().chain(SHARED_SPECS) {
        let parsed = loss(spec);
        assert_eq!(loss(&parsed.to_string()), parsed, "{spec}");
    }
    for spec in [
        "infonce(temperature=0.05)",
        "kl(scale=30,normalise=minmax)",
        "margin-mse",
        "margin-mse(in-batch)",
        "hinge(margin=0.2,side=a)",
        "ranknet(weights=mrr)",
        "margin-mse + 0.75*margin-mse(in-batch,teacher=1)",
    ] {
        let printed = loss(spec).to_string();
        assert_eq!(printed, spec.replace(",side=a", ""));
    }
}

#[test]
fn a_specification_is_the_value_it_names() {
    let kl = Kl { normalise: Normalise::MinMax, scale: 30.0, teacher: 2, ..Kl::default() };
    assert_eq!(loss("kl( normalise = minmax, teacher=2 ,scale=3e1)"), kl.into());
    let hinge = Hinge { margin: 1e-7, side: Side::Both };
    assert_eq!(loss("hinge(side=both,margin=1e-7)"), hinge.clone().into());
    assert_eq!(loss(&Loss::from(hinge.clone()).to_string()), hinge.into());
    let sum = Loss::from(RankNet { weights: PairWeights::Mrr, teacher: Some(0) })
        .plus(0.5, InfoNce::default())
        .plus(1e-3, MarginMse { in_batch: true, teacher: 0 });
    assert_eq!(
        loss("ranknet(teacher=0,weights=mrr)+0.5 * infonce()+1e-3*margin-mse(in-batch)"),
        sum
    );
}

#[test]
fn every_option_has_an_effect() {
    for (changed, plain) in [
        ("infonce(temperature=2)", "infonce"),
        ("infonce(side=b)", "infonce"),
        ("infonce(side=both)", "infonce"),
        ("kl(teacher=1)", "kl"),
        ("kl(scale=2)", "kl"),
        ("kl(temperature=0.5)", "kl"),
        ("kl(temperature=0.5,normalise=minmax)", "kl(normalise=minmax)"),
        ("kl(normalise=minmax)", "kl"),
        ("kl(normalise=teacher)", "kl"),
        ("margin-mse(in-batch)", "margin-mse"),
        ("margin-mse(teacher=1)", "margin-mse"),
        ("hinge(margin=0.2)", "hinge"),
        ("hinge(side=b)", "hinge"),
        ("hinge(side=both)", "hinge"),
        ("ranknet(weights=mrr)", "ranknet"),
        ("ranknet(weights=ndcg)", "ranknet"),
        ("ranknet(teacher=0)", "ranknet"),
        ("listnet(teacher=0)", "listnet"),
        ("listmle(teacher=0)", "listmle"),
        ("bce(teacher=0)", "bce"),
        ("mse(teacher=0)", "mse"),
        ("rank-ce(teacher=1)", "rank-ce"),
        ("rank-ce(temperature=0.4)", "rank-ce"),
        ("rank-ce(range-min=1)", "rank-ce"),
        ("rank-ce(gold-first)", "rank-ce"),
        ("adversarial(teacher=1)", "adversarial"),
        ("adversarial(with-gold)", "adversarial"),
        ("adversarial(temperature=0.5)", "adversarial"),
        ("marginal(teacher=1)", "marginal"),
        ("0.5*kl", "kl"),
        ("kl + mse", "kl"),
    ] {
        assert_eq!(loss(changed).to_string(), changed);
        let value = |spec: &str, seed| evaluate(spec, &shared(seed)).value;
        let differs = (0..12).any(|seed| value(changed, seed) != value(plain, seed));
        assert!(differs, "{changed}");
    }
}

#[test]
fn what_is_wrong_is_said_at_its_place() {
    let message = |spec: &str| spec.parse::<Loss>().unwrap_err().to_string();
    assert_eq!(
        message("infonc(temperature=1)"),
        "loss: no loss is called `infonc`; did you mean `infonce`?\n  infonc(temperature=1)\n  ^"
    );
    assert_eq!(
        message("kl + infonce(temprature=1)"),
        "loss: `infonce` has no option `temprature`; did you mean `temperature`?\n  kl + infonce(temprature=1)\n               ^"
    );
    assert_eq!(
        message("infonce(temperature=0)"),
        "loss: `temperature` has to be a number above 0, found `0`\n  infonce(temperature=0)\n          ^"
    );
    assert_eq!(
        message("hinge(side=c)"),
        "loss: `side` has to be `a` or `b` or `both`, found `c`\n  hinge(side=c)\n        ^"
    );
    assert_eq!(
        message("kl +"),
        "loss: expected the name of a loss, found the end\n  kl +\n      ^"
    );
    assert_eq!(message("kl kl"), "loss: expected `+` or the end, found `k`\n  kl kl\n     ^");
    for (spec, part) in [
        ("", "expected the name of a loss"),
        ("0*kl", "positive number, found `0`"),
        ("-1*kl", "positive number, found `-1`"),
        ("2 kl", "`*` between a weight and its loss"),
        ("kl(scale=1,scale=2)", "`scale` is given twice"),
        ("kl(scale)", "`scale` has to be a number above 0"),
        ("margin-mse(in-batch=1)", "`in-batch` has to be given without a value"),
        ("kl(scale=inf)", "`scale` has to be a number above 0, found `inf`"),
        ("kl(teacher=-1)", "`teacher` has to be a whole number from 0 on"),
        ("ranknet(weights=ndcg,teacher=0)", "exclude each other"),
        ("kl(scale=1", "`,` or `)`"),
        ("ä", "expected the name of a loss, found `ä`"),
    ] {
        assert!(message(spec).contains(part), "{spec}: {}", message(spec));
    }
}

#[test]
fn what_is_set_from_code_is_checked_too() {
    let block = crate::block::Block::new(super::samples::own(0)).unwrap();
    let message = |loss: Loss| loss.evaluate(&block).unwrap_err().to_string();
    let infonce = InfoNce { temperature: 0.0, ..InfoNce::default() };
    assert!(message(infonce.into()).contains("`temperature` has to be a number above 0"));
    assert!(message(Loss { terms: Vec::new() }).contains("a loss needs a term"));
    let weighted = Loss::from(MarginMse::default()).plus(f64::NAN, MarginMse::default());
    assert!(message(weighted).contains("positive number, found `NaN`"));
}
