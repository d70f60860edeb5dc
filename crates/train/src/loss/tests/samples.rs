use crate::block::{Block, BlockParts, Columns, Mask, Teacher};
use crate::draws::Draws;
use crate::loss::{Evaluation, Loss};

/// The step of differences, exact in single precision between -4 and 4.
pub const STEP: f32 = 1.0 / 16384.0;

/// One specification for every family and option.
pub const SPECS: &[&str] = &[
    "infonce",
    "infonce(temperature=0.3)",
    "kl",
    "kl(scale=3,teacher=1)",
    "kl(scale=5,normalise=minmax)",
    "kl(scale=5,normalise=teacher)",
    "margin-mse",
    "margin-mse(teacher=1)",
    "hinge(margin=1.1)",
    "hinge(margin=0.2)",
    "ranknet",
    "ranknet(weights=mrr)",
    "ranknet(weights=mrr,teacher=0)",
    "ranknet(weights=ndcg)",
    "ranknet(teacher=1)",
    "listnet",
    "listnet(teacher=0)",
    "listmle",
    "listmle(teacher=0)",
    "bce",
    "bce(teacher=1)",
    "mse",
    "mse(teacher=0)",
    "rank-ce",
    "rank-ce(teacher=1,temperature=0.4,gold-first)",
    "rank-ce(range-min=0.5)",
    "adversarial",
    "adversarial(with-gold)",
    "adversarial(temperature=0.4)",
    "kl(temperature=0.4)",
    "marginal",
    "marginal(teacher=1)",
    "infonce + 0.25*kl + 2*ranknet(weights=mrr)",
];

/// Those that need shared columns.
pub const SHARED_SPECS: &[&str] = &[
    "infonce(temperature=0.5,side=b)",
    "infonce(side=both)",
    "hinge(margin=0.2,side=b)",
    "hinge(margin=0.9,side=both)",
    "margin-mse(in-batch)",
    "margin-mse + 0.75*margin-mse(in-batch,teacher=1)",
];

pub fn loss(spec: &str) -> Loss {
    spec.parse().unwrap()
}

pub fn evaluate(spec: &str, parts: &BlockParts) -> Evaluation {
    loss(spec).evaluate(&Block::new(parts.clone()).unwrap()).unwrap()
}

/// A random block of own candidates: masks with NaN behind them, grades, two teachers of which the second does not know
/// everything, and with odd seeds weights.
pub fn own(seed: u64) -> BlockParts {
    let mut draws = Draws::new(seed);
    let (queries, candidates) = (1 + draws.below(4), 2 + draws.below(5));
    let grades = [0.0, 0.0, 0.0, 0.5, 1.0];
    let gold = (0..queries * candidates).map(|_| grades[draws.below(5)]).collect();
    finish(BlockParts { queries, candidates, gold, ..Default::default() }, seed, &mut draws)
}

/// A random block whose queries share their candidates, with a queue of two behind them.
pub fn shared(seed: u64) -> BlockParts {
    let mut draws = Draws::new(seed);
    let (queries, each) = (2 + draws.below(3), 2 + draws.below(2));
    let owned = (0..queries * each).map(|column| Some(column / each));
    let owners: Vec<Option<usize>> = owned.chain([None, None]).collect();
    let candidates = owners.len();
    let mut gold = vec![0.0; queries * candidates];
    for row in 0..queries {
        gold[row * candidates + row * each] = 1.0;
        if draws.one_in(3) {
            gold[row * candidates + draws.below(candidates)] = 0.5;
        }
    }
    let columns = Columns::Shared(owners);
    finish(
        BlockParts { queries, candidates, gold, columns, ..Default::default() },
        seed,
        &mut draws,
    )
}

fn finish(mut parts: BlockParts, seed: u64, draws: &mut Draws) -> BlockParts {
    let cells = parts.queries * parts.candidates;
    parts.valid = (0..cells).map(|_| !draws.one_in(5)).collect();
    parts.scores = apart(cells, draws);
    for (score, valid) in parts.scores.iter_mut().zip(&parts.valid) {
        if !valid {
            *score = f32::NAN;
        }
    }
    let known = (0..cells).map(|_| !draws.one_in(4)).collect();
    let second = Teacher { scores: apart(cells, draws), known };
    parts.teachers = vec![Teacher::of_all(apart(cells, draws)), second];
    if seed % 2 == 1 {
        let weights = [0.0, 0.5, 1.0, 2.0];
        parts.weights = (0..parts.queries).map(|_| weights[draws.below(4)]).collect();
        parts.cell_weights = (0..cells).map(|_| weights[draws.below(4)]).collect();
    }
    parts
}

/// Numbers from -2 to 2 that keep a distance, so that a step changes no order, and lie off the corner of every hinge.
fn apart(count: usize, draws: &mut Draws) -> Vec<f32> {
    let gap = 4.0 / count as f32;
    let place = |index: usize| index as f32 * gap - 2.0;
    draws
        .order(count)
        .into_iter()
        .map(|index| ((place(index) + gap * 0.1 * draws.number()) * 1024.0).round() / 1024.0)
        .collect()
}

/// Takes the candidates of every row in another order.
pub fn permuted(parts: &BlockParts, order: &[usize]) -> BlockParts {
    let mut moved = parts.clone();
    let pick = |row: usize, place: usize| row * parts.candidates + order[place];
    for row in 0..parts.queries {
        for place in 0..parts.candidates {
            let (to, from) = (row * parts.candidates + place, pick(row, place));
            moved.scores[to] = parts.scores[from];
            moved.gold[to] = parts.gold[from];
            moved.valid[to] = parts.valid[from];
            if !parts.cell_weights.is_empty() {
                moved.cell_weights[to] = parts.cell_weights[from];
            }
            for (teacher, before) in moved.teachers.iter_mut().zip(&parts.teachers) {
                teacher.scores[to] = before.scores[from];
                if !before.known.is_empty() {
                    teacher.known[to] = before.known[from];
                }
            }
        }
    }
    if let Columns::Shared(owners) = &parts.columns {
        moved.columns = Columns::Shared(order.iter().map(|&from| owners[from]).collect());
    }
    moved
}

/// All samples with the specifications that fit them.
pub fn cases() -> impl Iterator<Item = (&'static str, BlockParts)> {
    (0..24).flat_map(|seed| {
        let all = SPECS.iter().chain(SHARED_SPECS);
        let own = SPECS.iter().map(move |spec| (*spec, own(seed)));
        own.chain(all.map(move |spec| (*spec, shared(seed))))
    })
}

/// Which cells count.
pub fn counting(parts: &BlockParts) -> Vec<bool> {
    let weights = parts.cell_weights.clone();
    let mask = Mask::full(parts.queries, parts.candidates).without(|row, column| {
        let cell = row * parts.candidates + column;
        !parts.valid[cell] || weights.get(cell) == Some(&0.0)
    });
    mask.into_valid()
}
