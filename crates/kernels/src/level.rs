//! Which instructions to use.

/// The instruction set of a kernel call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Plain Rust, written so that the compiler vectorises it.
    Portable,
    /// AVX2 and FMA on x86-64. Obtained from [`Level::detect`] or [`Level::force_avx2`] only, which
    /// have asked the CPU: the kernels rely on it.
    Avx2(Detected),
}

/// Proof that the CPU was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detected(());

impl Level {
    /// Returns the best level of this CPU. The answer is cached by the standard library.
    pub fn detect() -> Self {
        Self::force_avx2().unwrap_or(Level::Portable)
    }

    /// Returns the AVX2 level where the CPU has it, for tests that compare levels.
    pub fn force_avx2() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Some(Level::Avx2(Detected(())));
        }
        None
    }

    /// Returns all levels that this CPU can run, the portable one first.
    pub fn available() -> Vec<Self> {
        std::iter::once(Level::Portable).chain(Self::force_avx2()).collect()
    }
}
