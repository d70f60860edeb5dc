//! The arithmetic of transformer encoders: matrix products against packed weights, activations, softmax,
//! layer normalisation.
//!
//! A result row depends on its own input row and the weights only: never on how many rows are computed
//! together, nor on which. That is what lets an encoder pack any texts into one batch and still return
//! the same bits for each. All of it is single-threaded; callers put batches on threads.
//!
//! Not for quantised weights, and not for training: nothing here has a backward pass.

mod activation;
mod elementary;
mod norm;
mod pack;
mod product;
mod rows;
mod softmax;

pub use activation::{Activation, activate};
pub use norm::{l2_normalize, layer_norm, rms_norm};
pub use pack::Packed;
pub use product::multiply;
pub use rows::{Rows, RowsMut};
pub use softmax::softmax_rows;

/// Defines a public function that runs `$body`, inlined and compiled once for each level.
///
/// The bodies use no fused multiply-add, so all levels give equal bits.
macro_rules! compiled_per_level {
    ($(#[$meta:meta])* pub fn $name:ident($($arg:ident: $type:ty),* $(,)?) = $body:path;) => {
        $(#[$meta])*
        pub fn $name(level: $crate::Level, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $type),*) {
                $body($($arg),*);
            }
            match level {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: `Level::Avx2` exists only where the CPU was found to have AVX2 and FMA.
                $crate::Level::Avx2(_) => unsafe { avx2($($arg),*) },
                _ => $body($($arg),*),
            }
        }
    };
}
use compiled_per_level;
