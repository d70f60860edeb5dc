use ecphory_kernels::Level;

use super::*;
use crate::draws::Draws;
use crate::ragged::samples::{check_slopes, padded, padded_slopes, ragged, weighed};
use crate::regulariser::L1;
use crate::score::SparseRows;

const COLUMNS: usize = 3;

fn linear(out: usize, columns: usize, seed: u64) -> Linear {
    let mut draws = Draws::new(seed);
    let bias = (!seed.is_multiple_of(2)).then(|| draws.numbers(out));
    Linear::new(out, draws.numbers(out * columns), bias).unwrap()
}

fn gate(seed: u64) -> Gate {
    let mut gate = Gate::new(COLUMNS);
    gate.weight.values = Draws::new(seed).numbers(COLUMNS).iter().map(|x| 2.0 * x).collect();
    gate.bias.values = vec![0.25];
    gate
}

fn lexical(activation: LexicalActivation, seed: u64) -> Lexical {
    let terms = if seed == 0 { 300 } else { 7 };
    let mut draws = Draws::new(seed);
    let mut head = Lexical::new(terms, draws.numbers(terms * COLUMNS), activation).unwrap();
    head.bias.values = draws.numbers(terms);
    head.barred = (0..terms).map(|term| term % 5 == 2).collect();
    head
}

fn mlp(activation: MlpActivation, activates_last: bool, seed: u64) -> Mlp {
    let layers = vec![linear(4, COLUMNS, seed), linear(5, 4, seed + 1)];
    Mlp { layers, activation, activates_last }
}

fn transform(seed: u64) -> Transform {
    let mut made = Transform::new(COLUMNS, 0.5).unwrap();
    let mut draws = Draws::new(seed);
    for parameter in made.parameters() {
        let moved = draws.numbers(parameter.values.len());
        parameter.values = moved;
    }
    made
}

/// A chain for every head, and some of several.
fn chains(seed: u64) -> Vec<(&'static str, Chain)> {
    use LexicalActivation::{DoubleLog, EluPlusOne, Log};
    let one = |head: Stage| Chain::default().then(head);
    vec![
        ("mean", one(Pooling::Mean.into())),
        ("cls", one(Pooling::Cls.into())),
        ("last", one(Pooling::Last.into())),
        ("linear", one(linear(5, COLUMNS, seed).into())),
        ("transform", one(transform(seed).into())),
        ("words", one(WordMean.into())),
        ("gate", one(gate(seed).into())),
        ("normalise", one(Normalise.into())),
        ("log", one(lexical(Log, seed).into())),
        ("double log", one(lexical(DoubleLog, seed).into())),
        ("elu", one(lexical(EluPlusOne, seed).into())),
        ("relu mlp", one(mlp(MlpActivation::Relu, false, seed).into())),
        ("tanh mlp", one(mlp(MlpActivation::Tanh, true, seed).into())),
        ("dense", one(Pooling::Mean.into()).then(linear(4, COLUMNS, seed)).then(Normalise)),
        ("colberter", one(linear(COLUMNS, COLUMNS, seed).into()).then(WordMean).then(gate(seed))),
    ]
}

fn output(head: &Chain, input: &Ragged) -> Vec<f32> {
    head.forward(Level::detect(), input).unwrap().0.values
}

#[test]
fn derivatives_are_those_of_differences() {
    for seed in 0..6 {
        for (name, mut head) in chains(seed) {
            let input = ragged(1 + seed as usize % 3, COLUMNS, seed + 20);
            for level in Level::available() {
                let (found, kept) = head.forward(level, &input).unwrap();
                let weights = Draws::new(seed + 40).numbers(found.values.len());
                head.parameters().into_iter().for_each(Parameter::clear);
                let slopes = head.backward(level, &input, &kept, &weights).unwrap();
                // Rows that do not count keep their junk through this one, and get what is asked of it.
                check_slopes(name, &input.values, &slopes, |values| {
                    let moved = input.with_values(values.to_vec(), COLUMNS);
                    weighed(&weights, &output(&head, &moved))
                });
                for index in 0..head.parameters().len() {
                    let mut moved = head.clone();
                    let learned = head.parameters().remove(index).clone();
                    let what = format!("{name}, {}", learned.name);
                    let moved = std::cell::RefCell::new(&mut moved);
                    check_slopes(&what, &learned.values, &learned.gradient, |values| {
                        let mut head = moved.borrow_mut();
                        head.parameters()[index].values = values.to_vec();
                        weighed(&weights, &output(&head, &input))
                    });
                }
            }
        }
    }
}

#[test]
fn padding_changes_no_head() {
    for seed in 0..6 {
        for (name, head) in chains(seed) {
            let (mut plain, mut wide) = (head.clone(), head);
            let input = ragged(2, COLUMNS, seed + 20);
            let level = Level::detect();
            let wider = padded(&input);
            let (a, kept_a) = plain.forward(level, &input).unwrap();
            let (b, kept_b) = wide.forward(level, &wider).unwrap();
            let slopes = Draws::new(1).numbers(a.values.len());
            let mut wide_slopes = slopes.clone();
            if b.rows() == a.rows() {
                assert_eq!(a, b, "{name}");
            } else {
                wide_slopes = padded_slopes(&a, &slopes);
                let counted: Vec<f32> = (0..b.rows())
                    .filter(|&row| b.counts(row))
                    .flat_map(|row| b.row(row).to_vec())
                    .collect();
                let expected: Vec<f32> = (0..a.rows())
                    .filter(|&row| a.counts(row))
                    .flat_map(|row| a.row(row).to_vec())
                    .collect();
                assert_eq!(counted, expected, "{name}");
            }
            let slopes = plain.backward(level, &input, &kept_a, &slopes).unwrap();
            let wide_slopes = wide.backward(level, &wider, &kept_b, &wide_slopes).unwrap();
            assert_eq!(wide_slopes, padded_slopes(&input, &slopes), "{name}");
            assert_eq!(wide, plain, "{name}: derivatives by parameters");
        }
    }
}

#[test]
fn a_batch_changes_no_text() {
    for (name, head) in chains(3) {
        let input = ragged(3, COLUMNS, 4);
        let together = head.forward(Level::detect(), &input).unwrap().0;
        for item in 0..3 {
            let alone = input.slice(item..item + 1);
            let rows = together.span(item);
            let cells = rows.start * together.columns..rows.end * together.columns;
            assert_eq!(output(&head, &alone), together.values[cells], "{name}");
        }
    }
}

#[test]
fn what_is_no_number_comes_through_every_head() {
    for (name, head) in chains(2) {
        let input = text(&[f32::NAN, 1.0, 1.0], COLUMNS, &[true], &[1]);
        assert!(output(&head, &input).iter().any(|value| value.is_nan()), "{name}");
    }
}

fn text(values: &[f32], columns: usize, counted: &[bool], words: &[u32]) -> Ragged {
    Ragged {
        values: values.to_vec(),
        columns,
        offsets: vec![0, values.len() / columns],
        counted: counted.to_vec(),
        words: words.to_vec(),
        terms: Vec::new(),
    }
}

#[test]
fn the_last_row_is_the_last_that_counts() {
    let input = text(&[1.0, 2.0, 3.0, 4.0], 1, &[false, true, true, false], &[]);
    let pooled = |pooling: Pooling| output(&Chain::default().then(pooling), &input);
    assert_eq!(pooled(Pooling::Mean), [2.5]);
    assert_eq!(pooled(Pooling::Cls), [2.0]);
    assert_eq!(pooled(Pooling::Last), [3.0]);
}

#[test]
fn pieces_of_all_occurrences_of_a_word_are_averaged() {
    let values = [9.0, 1.0, 2.0, 5.0, 3.0, 7.0];
    let counted = [true, true, true, true, true, false];
    let input = text(&values, 1, &counted, &[0, 4, 4, 2, 4, 3]);
    let (found, _) = WordMean.forward(Level::detect(), &input).unwrap();
    assert_eq!((found.values, found.words), (vec![2.0, 5.0], vec![4, 2]));
}

#[test]
fn gates_begin_open_and_take_the_derivatives_of_a_penalty() {
    let input = text(&[1.0, -2.0, 0.5, 4.0], 2, &[true, true], &[]);
    let mut gate = Gate::new(2);
    let (found, mut gates) = gate.forward(Level::detect(), &input).unwrap();
    assert_eq!((found.values, gates.values.clone()), (input.values.clone(), vec![1.0, 1.0]));
    gates.slopes = L1.evaluate(&gates.values, 1).unwrap().gradient;
    gate.backward(Level::detect(), &input, &gates, &[0.0; 4]).unwrap();
    assert_eq!(gate.bias.gradient, [1.0]);
    assert_eq!(gate.weight.gradient, [0.75, 1.0]);
}

#[test]
fn a_closed_gate_drops_its_row() {
    let input = text(&[1.0, -1.0], 1, &[], &[]);
    let mut gate = Gate::new(1);
    gate.weight.values = vec![2.0];
    let (found, gates) = gate.forward(Level::detect(), &input).unwrap();
    assert_eq!((found.values, gates.values.clone()), (vec![3.0, 0.0], vec![3.0, 0.0]));
    let slopes = gate.backward(Level::detect(), &input, &gates, &[1.0, 1.0]).unwrap();
    assert_eq!(slopes, [5.0, 0.0]);
}

#[test]
fn no_padding_and_no_barred_term_has_a_weight() {
    // Term 0 looks at the first dimension, term 1 at the second; the padding has the largest logits.
    let table = vec![1.0, 0.0, 0.0, 1.0];
    let input = text(&[-1.0, 2.0, -3.0, 1.0, 99.0, 99.0], 2, &[true, true, false], &[]);
    let weights = |activation, barred: &[bool]| {
        let mut head = Lexical::new(2, table.clone(), activation).unwrap();
        head.barred = barred.to_vec();
        head.forward(Level::detect(), &input).unwrap().0.values
    };
    assert_eq!(weights(LexicalActivation::Log, &[]), [0.0, 2f32.ln_1p()]);
    assert_eq!(weights(LexicalActivation::DoubleLog, &[]), [0.0, 2f32.ln_1p().ln_1p()]);
    assert_eq!(weights(LexicalActivation::EluPlusOne, &[]), [(-1f32).exp(), 3.0]);
    assert_eq!(weights(LexicalActivation::EluPlusOne, &[true, false]), [0.0, 3.0]);
}

#[test]
fn a_narrowed_head_weighs_its_terms_as_the_whole_one_does_on_any_threads() {
    let level = Level::detect();
    let input = ragged(3, COLUMNS, 8);
    let whole = lexical(LexicalActivation::Log, 0);
    let weights = |head: &Lexical, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| head.forward(level, &input).unwrap().0)
    };
    let of_all = weights(&whole, 1);
    assert_eq!(of_all, weights(&whole, 3));
    let terms = [299, 2, 0, 7, 258];
    let of_some = weights(&whole.narrowed(&terms), 2);
    for item in 0..3 {
        let expected = terms.map(|term| of_all.row(item)[term as usize]);
        assert_eq!(of_some.row(item), expected);
        assert_eq!(expected[1], 0.0, "a barred term");
    }
}

#[test]
fn a_static_table_has_distinct_terms_and_no_special_ones() {
    let idf = vec![-1.0, 0.5, 2.0, 3.0];
    let mut table = StaticTable::new(idf.clone(), TableWeights::Table);
    let found = table.look_up(&[0, 2, 3, 2, 1], &[0, 4, 5]).unwrap();
    let expected =
        SparseRows { offsets: vec![0, 2, 3], terms: vec![2, 3, 1], weights: vec![2.0, 3.0, 0.5] };
    assert_eq!(found, expected);
    table.add_gradient(&found, &[1.0, 2.0, 4.0]).unwrap();
    assert_eq!(table.weights.gradient, [0.0, 4.0, 1.0, 2.0]);
    let binary = StaticTable::new(idf, TableWeights::Binary);
    assert_eq!(binary.look_up(&[0, 2, 3, 2], &[0, 4]).unwrap().weights, [1.0, 1.0]);
    let error = binary.look_up(&[1, 9], &[0, 1, 2]).unwrap_err();
    assert_eq!(error.to_string(), "term 9 of item 1: the vocabulary has 4 terms");
}

#[test]
fn what_does_not_fit_is_refused() {
    let level = Level::detect();
    let message = |head: Chain, input: &Ragged| head.forward(level, input).unwrap_err().to_string();
    let chain = |head: Stage| Chain::default().then(head);
    let input = text(&[1.0, 2.0], 1, &[false, false], &[]);
    assert_eq!(message(chain(Pooling::Mean.into()), &input), "item 0 has no row that counts");
    assert_eq!(
        message(chain(WordMean.into()), &input),
        "the words of the rows are needed, and not known"
    );
    assert_eq!(
        message(chain(linear(2, 3, 0).into()), &input),
        "rows of 3 columns are needed, found 1"
    );
    assert!(Linear::new(2, vec![1.0; 3], None).is_err());
    let short = Ragged { offsets: vec![0, 3], ..input.clone() };
    assert_eq!(message(chain(Normalise.into()), &short), "values: 3 are needed, found 2");
    let backwards = Ragged { offsets: vec![0, 2, 1], ..input };
    assert!(message(chain(Normalise.into()), &backwards).contains("the span of item 1"));
    // What one head kept is of no use to another.
    let input = ragged(1, COLUMNS, 0);
    let kept = Chain::default().then(WordMean).forward(level, &input).unwrap().1;
    let mut other = Chain::default().then(Normalise);
    assert_eq!(other.backward(level, &input, &kept, &[]).unwrap_err(), ShapeError::OtherHead);
}
