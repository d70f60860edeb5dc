//! Which instructions to use.

/// The instruction set of a kernel call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Plain Rust, written so that the compiler vectorises it.
    Portable,
    /// AVX2, FMA and F16C on x86-64. Obtained from [`Level::detect`] or [`Level::force_avx2`] only, which
    /// have asked the CPU: the kernels rely on it.
    Avx2(Detected),
}

/// Proof that the CPU was asked, and what else it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detected {
    vnni: bool,
}

impl Detected {
    /// Returns whether the CPU multiplies bytes and adds four products in one instruction (VNNI, with the vector
    /// lengths of AVX2).
    pub fn vnni(self) -> bool {
        self.vnni
    }
}

impl Level {
    /// Returns the best level of this CPU. The answer is cached by the standard library.
    pub fn detect() -> Self {
        Self::force_avx2().unwrap_or(Level::Portable)
    }

    /// Returns the AVX2 level where the CPU has it, with all that goes beyond it.
    pub fn force_avx2() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
        {
            let vnni = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni");
            return Some(Level::Avx2(Detected { vnni }));
        }
        None
    }

    /// Returns all levels that this CPU can run, the portable one first.
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Level::Portable];
        if let Some(Level::Avx2(detected)) = Self::force_avx2() {
            levels.push(Level::Avx2(Detected { vnni: false }));
            if detected.vnni {
                levels.push(Level::Avx2(detected));
            }
        }
        levels
    }
}
