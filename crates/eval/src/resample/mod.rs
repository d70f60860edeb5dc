//! Interpolation and extrapolation: two protocols that resample a test collection (Zhan et al. 2022).
//!
//! Test queries often resemble training queries, and a single number hides how well a model does on those
//! that do not. [`Restrain`] keeps the test queries and trains twice, once on the training queries nearest to them and once
//! on others; [`RestTest`] groups all queries and tests each group once without having trained on it. What resembles what
//! is handed in, as rankings or as groups: this crate knows no vectors. Whoever makes them has to use an encoder that is
//! none of those compared, since groups that one contestant drew favour it.
//!
//! Cost: linear in the queries and rankings. Queries go by their places in lists that the caller keeps.

mod export;
mod rest_test;
mod restrain;

pub use export::write_dataset;
pub use rest_test::{Fold, RestTest};
pub use restrain::{Regimes, Restrain};
