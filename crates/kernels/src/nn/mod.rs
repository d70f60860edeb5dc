//! The arithmetic of transformer encoders: matrix products against packed weights, activations, softmax,
//! layer normalisation; and the gradients of all these for training.
//!
//! A result row depends on its own input row and the weights only: never on how many rows are computed
//! together, nor on which. That is what lets an encoder pack any texts into one batch and still return
//! the same bits for each. All of it is single-threaded; callers put batches on threads.

mod activation;
mod elementary;
mod gradient;
mod int8;
mod norm;
mod pack;
mod product;
mod rows;
mod softmax;
mod weight;
mod weighted;

pub use activation::{Activation, activate};
pub use gradient::{
    NormSums, activation_gradient, layer_norm_gradient, rms_norm_gradient, softmax_gradient,
};
pub use int8::{Int8Packed, Int8Panels, Int8Rows, multiply_int8};
pub use norm::{l2_normalize, layer_norm, rms_norm};
pub use pack::{PANEL, Packed, Panels};
pub use product::{Epilogue, multiply};
pub use rows::{Rows, RowsMut};
pub use softmax::softmax_weights;
pub use weight::Weight;
pub use weighted::weighted_sum;

/// Defines a public function that runs `$body`, inlined and compiled once for each level.
///
/// The body's parameter says whether the level has a fused multiply-add.
macro_rules! compiled_per_level {
    ($(#[$meta:meta])* pub fn $name:ident($($arg:ident: $type:ty),* $(,)?) = $body:ident;) => {
        $(#[$meta])*
        pub fn $name(level: $crate::Level, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $type),*) {
                $body::<true>($($arg),*);
            }
            match level {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: `Level::Avx2` exists only where the CPU was found to have AVX2 and FMA.
                $crate::Level::Avx2(_) => unsafe { avx2($($arg),*) },
                _ => $body::<false>($($arg),*),
            }
        }
    };
}
use compiled_per_level;
