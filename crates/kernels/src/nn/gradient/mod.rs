//! Backward passes of what is applied row by row: activations, norms, softmax.
//!
//! Each takes the gradient of a loss with respect to a result and replaces it with that with respect to the input.
//! The input is what the forward pass had, not its result: means, variances and exponentials are computed again, which
//! costs less than the memory to keep them. Products have no backward pass of their own, they are products again.

mod activation;
mod norm;
mod softmax;

pub use activation::activation_gradient;
pub use norm::{NormSums, layer_norm_gradient, rms_norm_gradient};
pub use softmax::softmax_gradient;

/// Adds each pair of values to one of eight interleaved partial sums, and sums these.
#[allow(
    clippy::inline_always,
    reason = "the body has to be compiled for each level's instructions"
)]
#[inline(always)]
fn sum_of_pairs(left: &[f32], right: &[f32], add: impl Fn(f32, f32, f32) -> f32) -> f32 {
    const LANES: usize = 8;
    let (left_blocks, left_rest) = left.as_chunks::<LANES>();
    let (right_blocks, right_rest) = right.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for (left, right) in left_blocks.iter().zip(right_blocks) {
        for lane in 0..LANES {
            lanes[lane] = add(lanes[lane], left[lane], right[lane]);
        }
    }
    let rest = left_rest.iter().zip(right_rest);
    rest.fold(lanes.iter().sum(), |total, (&left, &right)| add(total, left, right))
}
