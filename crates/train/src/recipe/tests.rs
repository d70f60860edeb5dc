use super::*;

fn error(assignment: &str) -> String {
    Recipe::named("dense").unwrap().with([assignment]).unwrap_err().to_string()
}

#[test]
fn a_recipe_prints_as_what_gives_it_again() {
    for name in Recipe::names() {
        let recipe = Recipe::named(name).unwrap();
        assert_eq!(recipe.name, name);
        assert_eq!(Recipe::parse("printed", &recipe.to_string()).unwrap(), recipe);
    }
}

#[test]
fn settings_are_changed_by_their_path() {
    let recipe = Recipe::named("dense").unwrap();
    let changed = recipe.with(["optimiser.learning_rate = 1"]).unwrap();
    assert_eq!(changed.optimiser.learning_rate, 1.0);
    let changed = changed.with(["loss=infonce(temperature=0.1)"]).unwrap();
    assert_eq!(changed.loss, "infonce(temperature=0.1)");
    assert_eq!(changed.with(["batches.queries=7"]).unwrap().batches.queries, 7);
    assert_eq!(changed.encoding, recipe.encoding);
}

#[test]
fn wrong_settings_are_named() {
    assert!(
        error("learning_rate=1").contains("`optimiser.learning_rate`"),
        "{}",
        error("learning_rate=1")
    );
    assert!(error("optimiser.lerning_rate=1").contains("`optimiser.learning_rate`"));
    assert!(error("optimiser=1").contains("no setting `optimiser`"));
    assert!(error("batches.queries").contains("key=value"));
    assert!(error("batches.queries=some").contains("--set batches.queries=some"));
    assert_eq!(error("schedule.dev=0.9"), "schedule.dev has to be from 0 to 0.5");
    let teacher = error("loss=kl");
    assert!(teacher.contains("teacher"), "{teacher}");
    assert!(error("negatives.keep=99").contains("negatives.keep"));
    let unknown = Recipe::named("dens").unwrap_err().to_string();
    assert!(unknown.contains("`dense`"), "{unknown}");
    let text = Recipe::named("dense").unwrap().to_string().replace("clip", "klip");
    let unknown = Recipe::parse("mine.toml", &text).unwrap_err().to_string();
    assert!(unknown.contains("mine.toml") && unknown.contains("klip"), "{unknown}");
}

#[test]
fn recipes_of_all_kinds_print_as_what_gives_them_again() {
    for name in Method::names() {
        let method = Method::named(name).unwrap();
        assert_eq!(method.name(), name);
        assert_eq!(Method::parse("printed", &method.to_string()).unwrap(), method);
    }
    let unknown = Method::named("contreiver").unwrap_err().to_string();
    assert!(unknown.contains("did you mean `contriever`"), "{unknown}");
    let text = Method::named("contriever").unwrap().to_string().replace("keys", "kees");
    let unknown = Method::parse("mine.toml", &text).unwrap_err().to_string();
    assert!(unknown.contains("mine.toml") && unknown.contains("kees"), "{unknown}");
    assert!(matches!(Method::named("contriever").unwrap(), Method::Views(_)));
    assert!(matches!(Method::named("ar2").unwrap(), Method::Rounds(_)));
    assert!(matches!(Method::named("dense").unwrap(), Method::Pairs(_)));
}
