//! The parameters of a head: those that the weights have, or others to begin with.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::Result;
use crate::tensor::Tensor;
use crate::weights::Weights;

/// Draws what weights do not have, from a seed.
pub(crate) struct Fresh {
    random: ChaCha8Rng,
    /// The standard deviation of weights.
    deviation: f64,
    /// The names of what was drawn.
    pub(crate) drawn: Vec<String>,
}

/// Where a head gets its parameters from.
pub(crate) struct HeadTensors<'a> {
    pub(crate) weights: &'a mut Weights,
    /// Without it, what is missing is an error.
    pub(crate) fresh: Option<&'a mut Fresh>,
}

impl Fresh {
    /// Makes ready to draw weights of a normal distribution around 0.
    pub(crate) fn new(seed: u64, deviation: f64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Self { random: ChaCha8Rng::from_seed(key), deviation, drawn: Vec::new() }
    }

    /// Draws from [0, 1).
    fn unit(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Draws a normal number (Box and Muller 1958).
    fn normal(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.unit();
        (self.deviation * radius * angle.cos()) as f32
    }
}

impl HeadTensors<'_> {
    /// Returns a weight, drawn where there is none.
    pub(crate) fn weight(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.tensor(name, shape, Fresh::normal)
    }

    /// Returns a vector, of one value everywhere where there is none.
    pub(crate) fn vector(&mut self, name: &str, length: usize, value: f32) -> Result<Tensor> {
        self.tensor(name, &[length], |_| value)
    }

    fn tensor(
        &mut self,
        name: &str,
        shape: &[usize],
        mut draw: impl FnMut(&mut Fresh) -> f32,
    ) -> Result<Tensor> {
        let fresh = match &mut self.fresh {
            Some(fresh) if self.weights.find(name)?.is_none() => fresh,
            _ => return self.weights.tensor(name, shape),
        };
        let count = shape.iter().product();
        let values = std::iter::repeat_with(|| draw(fresh)).take(count);
        let tensor = self.weights.made(name, shape, values);
        fresh.drawn.push(tensor.name.clone());
        Ok(tensor)
    }
}

#[cfg(test)]
mod tests {
    use super::Fresh;

    #[test]
    fn draws_are_normal_and_those_of_the_seed() {
        let draw = |seed| {
            let mut fresh = Fresh::new(seed, 0.5);
            std::iter::repeat_with(|| fresh.normal()).take(20_000).collect::<Vec<f32>>()
        };
        let values = draw(3);
        assert_eq!(values, draw(3));
        assert_ne!(values, draw(4));
        let count = values.len() as f64;
        let moment = |power| values.iter().map(|&x| f64::from(x).powi(power)).sum::<f64>() / count;
        // Four standard errors each.
        assert!(moment(1).abs() < 0.015 && (moment(2) - 0.25).abs() < 0.01);
        assert!((moment(4) - 3.0 * 0.0625).abs() < 0.02, "{}", moment(4));
    }
}
