//! The arithmetic that a thread can do at most, for benchmarks to measure the kernels against.
//!
//! A [`Probe`] does nothing but multiply and add in registers, in as many independent chains as hide the latency
//! of an instruction. No product of matrices can be faster.

#[cfg(not(target_arch = "x86_64"))]
use std::hint::black_box;

/// Chains of instructions that do not wait for each other: two a cycle, each 4 cycles long, need 8.
const CHAINS: usize = 12;

/// One kind of multiply-add, of the CPU that runs.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// The instruction and its width.
    pub name: &'static str,
    /// Multiplications and additions of a round, each counted as one.
    pub operations: u64,
    run: fn(u64),
}

impl Probe {
    /// Runs so many rounds on this thread.
    pub fn run(&self, rounds: u64) {
        (self.run)(rounds);
    }

    /// Returns the multiply-adds in single precision that this CPU has; which is the fastest has to be measured.
    pub fn of_floats() -> Vec<Self> {
        let mut probes = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                probes.push(Self::new("FMA, 256 bits", 8 * 2, |n| {
                    // SAFETY: the CPU was asked, here and below.
                    unsafe { x86::floats_256(n) }
                }));
            }
            if is_x86_feature_detected!("avx512f") {
                // SAFETY: as above.
                probes.push(Self::new("FMA, 512 bits", 16 * 2, |n| unsafe { x86::floats_512(n) }));
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        probes.push(Self::new("plain multiply-add", 2 * 16, portable));
        probes
    }

    /// Returns the multiply-adds of bytes that this CPU has.
    pub fn of_bytes() -> Vec<Self> {
        let mut probes = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the CPU was asked, here and below.
                probes
                    .push(Self::new("maddubs, 256 bits", 32 * 2, |n| unsafe { x86::bytes_256(n) }));
            }
            if is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512vl") {
                // SAFETY: as above.
                probes.push(Self::new("VNNI, 256 bits", 32 * 2, |n| unsafe { x86::vnni_256(n) }));
            }
            if is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512f") {
                // SAFETY: as above.
                probes.push(Self::new("VNNI, 512 bits", 64 * 2, |n| unsafe { x86::vnni_512(n) }));
            }
        }
        probes
    }

    fn new(name: &'static str, operations_of_one: u64, run: fn(u64)) -> Self {
        Self { name, operations: operations_of_one * CHAINS as u64, run }
    }
}

/// Sixteen lanes, which the compiler maps to the registers that there are.
#[cfg(not(target_arch = "x86_64"))]
fn portable(rounds: u64) {
    let (x, y) = (black_box(1.0f32), black_box(0.0f32));
    let mut sums: [[f32; 16]; CHAINS] = std::array::from_fn(|i| [black_box(i as f32); 16]);
    for _ in 0..rounds {
        for sum in sums.as_flattened_mut() {
            *sum = *sum * x + y;
        }
    }
    black_box(sums);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm256_add_epi32, _mm256_dpbusd_epi32, _mm256_fmadd_ps, _mm256_madd_epi16,
        _mm256_maddubs_epi16, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32,
        _mm256_set1_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_set1_epi8, _mm512_set1_epi32,
        _mm512_set1_ps,
    };
    use std::hint::black_box;

    use super::CHAINS;

    /// Repeats `$next(sum)` on chains that begin with different values: equal ones would be computed once. What
    /// the black boxes hide cannot be folded.
    macro_rules! chains {
        ($name:ident, $features:literal, $first:expr, $next:expr) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name(rounds: u64) {
                let next = $next;
                let mut sums: [_; CHAINS] = std::array::from_fn(|i| $first(black_box(i as i8)));
                for _ in 0..rounds {
                    for sum in &mut sums {
                        *sum = next(*sum);
                    }
                }
                black_box(sums);
            }
        };
    }

    chains!(floats_256, "avx2,fma", |i| _mm256_set1_ps(f32::from(i)), {
        let (x, y) = (_mm256_set1_ps(black_box(1.0)), _mm256_set1_ps(black_box(0.5)));
        move |sum| _mm256_fmadd_ps(sum, x, y)
    });
    chains!(floats_512, "avx512f", |i| _mm512_set1_ps(f32::from(i)), {
        let (x, y) = (_mm512_set1_ps(black_box(1.0)), _mm512_set1_ps(black_box(0.5)));
        move |sum| _mm512_fmadd_ps(sum, x, y)
    });
    // The product has to depend on the sum, or it would be computed once.
    chains!(bytes_256, "avx2", |i| _mm256_set1_epi32(i32::from(i)), {
        let (x, ones) = (_mm256_set1_epi8(black_box(3)), _mm256_set1_epi16(black_box(1)));
        move |sum| _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(sum, x), ones))
    });
    chains!(vnni_256, "avx512vnni,avx512vl", |i| _mm256_set1_epi32(i32::from(i)), {
        let (x, y) = (_mm256_set1_epi8(black_box(3)), _mm256_set1_epi8(black_box(5)));
        move |sum| _mm256_dpbusd_epi32(sum, x, y)
    });
    chains!(vnni_512, "avx512vnni,avx512f", |i| _mm512_set1_epi32(i32::from(i)), {
        let (x, y) = (_mm512_set1_epi8(black_box(3)), _mm512_set1_epi8(black_box(5)));
        move |sum| _mm512_dpbusd_epi32(sum, x, y)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_probe_runs_and_counts_whole_rounds() {
        for probe in Probe::of_floats().into_iter().chain(Probe::of_bytes()) {
            probe.run(1000);
            assert!(probe.operations.is_multiple_of(2 * CHAINS as u64), "{}", probe.name);
        }
        assert!(!Probe::of_floats().is_empty() || cfg!(target_arch = "x86_64"));
    }
}
