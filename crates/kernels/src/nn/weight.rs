//! The types in which weights can lie in memory. All arithmetic is in single precision.
#![allow(
    clippy::inline_always,
    reason = "what loads a step has to be compiled with the instructions of the tile around it"
)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m128i, __m256, _mm256_castsi256_ps, _mm256_cvtepu16_epi32, _mm256_cvtph_ps, _mm256_slli_epi32,
};
#[cfg(target_arch = "x86_64")]
use std::mem::transmute;

use half::{bf16, f16};

use super::pack::PANEL;

/// A type in which weights lie in memory: `f32`, or half as wide [`half::f16`] or [`half::bf16`].
///
/// A product with half-wide weights equals, bit for bit, the one with the same weights widened before.
pub trait Weight: sealed::Sealed + Copy + Default + Send + Sync + 'static {
    /// Rounds to the nearest value of this type.
    fn narrow(value: f32) -> Self;
    /// Returns the value, exactly.
    fn widen(self) -> f32;
    /// Widens the values of a step into two registers.
    ///
    /// # Safety
    /// The CPU has AVX2 and F16C, and the caller is compiled for them.
    #[cfg(target_arch = "x86_64")]
    #[doc(hidden)]
    unsafe fn registers(step: [Self; PANEL]) -> [__m256; 2];
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::f16 {}
    impl Sealed for half::bf16 {}
}

impl Weight for f32 {
    fn narrow(value: f32) -> Self {
        value
    }

    fn widen(self) -> f32 {
        self
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn registers(step: [Self; PANEL]) -> [__m256; 2] {
        // SAFETY: two registers are 16 floats, and all bits are values of either. (The load intrinsics go
        // through memory in builds with debug assertions: three times slower.)
        unsafe { transmute::<[f32; PANEL], [__m256; 2]>(step) }
    }
}

impl Weight for f16 {
    fn narrow(value: f32) -> Self {
        Self::from_f32(value)
    }

    fn widen(self) -> f32 {
        self.to_f32()
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn registers(step: [Self; PANEL]) -> [__m256; 2] {
        // SAFETY: two registers of half the width are 16 half-wide floats.
        let halves = unsafe { transmute::<[f16; PANEL], [__m128i; 2]>(step) };
        // SAFETY: the caller has F16C.
        halves.map(|half| unsafe { _mm256_cvtph_ps(half) })
    }
}

impl Weight for bf16 {
    fn narrow(value: f32) -> Self {
        Self::from_f32(value)
    }

    fn widen(self) -> f32 {
        self.to_f32()
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn registers(step: [Self; PANEL]) -> [__m256; 2] {
        // SAFETY: as for f16.
        let halves = unsafe { transmute::<[bf16; PANEL], [__m128i; 2]>(step) };
        halves.map(|half| {
            // The bits of a bf16 are the upper half of those of its single-precision value.
            // SAFETY: the caller has AVX2.
            let wide = unsafe { _mm256_cvtepu16_epi32(half) };
            // SAFETY: as above.
            let shifted = unsafe { _mm256_slli_epi32::<16>(wide) };
            // SAFETY: as above.
            unsafe { _mm256_castsi256_ps(shifted) }
        })
    }
}
