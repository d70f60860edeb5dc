//! Student's paired t test, two-sided.
//!
//! The tail of the t distribution comes from the regularised incomplete beta function, here by its
//! continued fraction (Lentz's method); it agrees with scipy to 10 digits.

use crate::error::Result;
use crate::significance::{differences, mean};

/// The result of a t test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TTest {
    /// The mean of `left - right`.
    pub difference: f64,
    /// The statistic; infinite where all differences are the same and not 0.
    pub t: f64,
    /// The degrees of freedom: one less than the queries.
    pub degrees: usize,
    /// The two-sided p value; 1 where there is no difference at all.
    pub p: f64,
}

/// Tests whether the mean of `left - right` differs from 0, two-sided, with the t distribution.
///
/// # Errors
/// Where the samples differ in length or hold fewer than two queries.
pub fn paired_t_test(left: &[f64], right: &[f64]) -> Result<TTest> {
    let differences = differences("the t test", 2, left, right)?;
    let difference = mean(&differences);
    let degrees = differences.len() - 1;
    let squares: f64 = differences.iter().map(|d| (d - difference) * (d - difference)).sum();
    let error = (squares / degrees as f64 / differences.len() as f64).sqrt();
    if error == 0.0 {
        let (t, p) = match difference {
            0.0 => (0.0, 1.0),
            _ => (f64::INFINITY.copysign(difference), 0.0),
        };
        return Ok(TTest { difference, t, degrees, p });
    }
    let t = difference / error;
    let n = degrees as f64;
    Ok(TTest { difference, t, degrees, p: incomplete_beta(n / 2.0, 0.5, n / (n + t * t)) })
}

/// Returns the regularised incomplete beta function of `x` from 0 to 1.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let log = a * x.ln() + b * (-x).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    // The fraction converges fast below the mean of the distribution; above, use the symmetry.
    if x < (a + 1.0) / (a + b + 2.0) {
        log.exp() * fraction(a, b, x) / a
    } else {
        1.0 - log.exp() * fraction(b, a, 1.0 - x) / b
    }
}

/// Lentz's method for the continued fraction of the incomplete beta function.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let not_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for step in 1..500 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for term in [even, odd] {
            d = 1.0 / not_zero(1.0 + term * d);
            c = not_zero(1.0 + term / c);
            value *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

/// Returns the logarithm of the gamma function for positive arguments: Stirling's series, after
/// moving the argument up to where five terms suffice.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut below) = (x, 0.0);
    while x < 15.0 {
        below += x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series = 1.0 / 12.0
        - inverse
            * (1.0 / 360.0
                - inverse * (1.0 / 1260.0 - inverse * (1.0 / 1680.0 - inverse / 1188.0)));
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series / x - below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gamma_of_known_arguments() {
        let half = std::f64::consts::PI.sqrt().ln();
        for (x, expect) in [
            (0.5, half),
            (1.0, 0.0),
            (2.0, 0.0),
            (5.0, 24.0_f64.ln()),
            (171.0, 706.573_062_245_787_4),
        ] {
            assert!((ln_gamma(x) - expect).abs() < 1e-12 * expect.abs().max(1.0), "{x}");
        }
    }

    #[test]
    fn t_with_few_degrees_in_closed_form() {
        // One degree of freedom is Cauchy's distribution, two have an algebraic tail.
        for t in [0.1f64, 1.0, 3.0, 50.0, 1e6] {
            let one = 1.0 - 2.0 * t.atan() / std::f64::consts::PI;
            let two = 1.0 - t / (t * t + 2.0).sqrt();
            assert!((incomplete_beta(0.5, 0.5, 1.0 / (1.0 + t * t)) - one).abs() < 1e-12);
            assert!((incomplete_beta(1.0, 0.5, 2.0 / (2.0 + t * t)) - two).abs() < 1e-12);
        }
    }

    #[test]
    fn samples_without_spread() {
        let same = paired_t_test(&[0.5, 0.2], &[0.5, 0.2]).unwrap();
        assert_eq!((same.t, same.p), (0.0, 1.0));
        let shifted = paired_t_test(&[1.0, 2.0], &[2.0, 3.0]).unwrap();
        assert_eq!((shifted.t, shifted.p), (f64::NEG_INFINITY, 0.0));
        assert!(paired_t_test(&[1.0], &[2.0]).is_err());
    }
}
