//! Instructions that move lanes, or choose between them, for each register type; see
//! [`Lanes`](super::Lanes).

#[cfg(target_arch = "x86_64")]
pub(super) mod avx512 {
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn even(a: __m512, b: __m512) -> __m512 {
        let lanes = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        _mm512_permutex2var_ps(a, lanes, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn interleave(a: __m512, b: __m512) -> [__m512; 2] {
        let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        let high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
        [low, high].map(|lanes| _mm512_permutex2var_ps(a, lanes, b))
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn larger(a: __m512, b: __m512, marks: [__m512; 2]) -> [__m512; 2] {
        let above = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(b, a);
        let takes = above | _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(b, b);
        [[a, b], marks].map(|[own, other]| _mm512_mask_blend_ps(takes, own, other))
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2 {
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn even(a: __m256, b: __m256) -> __m256 {
        // Halves of registers are even lanes of a, of b, of a, of b.
        let halves = _mm256_shuffle_ps::<0b10_00_10_00>(a, b);
        _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_castps_pd(halves)))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn interleave(a: __m256, b: __m256) -> [__m256; 2] {
        let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        [_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high)]
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn larger(a: __m256, b: __m256, marks: [__m256; 2]) -> [__m256; 2] {
        let above = _mm256_cmp_ps::<_CMP_GT_OQ>(b, a);
        let takes = _mm256_or_ps(above, _mm256_cmp_ps::<_CMP_UNORD_Q>(b, b));
        [[a, b], marks].map(|[own, other]| _mm256_blendv_ps(own, other, takes))
    }
}

#[cfg(target_arch = "aarch64")]
pub(super) mod neon {
    use std::arch::aarch64::*;

    #[inline]
    #[target_feature(enable = "neon")]
    pub(in super::super) fn even(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        vuzp1q_f32(a, b)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    pub(in super::super) fn interleave(a: float32x4_t, b: float32x4_t) -> [float32x4_t; 2] {
        [vzip1q_f32(a, b), vzip2q_f32(a, b)]
    }

    #[inline]
    #[target_feature(enable = "neon")]
    pub(in super::super) fn larger(
        a: float32x4_t,
        b: float32x4_t,
        marks: [float32x4_t; 2],
    ) -> [float32x4_t; 2] {
        let takes = vorrq_u32(vcgtq_f32(b, a), vmvnq_u32(vceqq_f32(b, b)));
        [[a, b], marks].map(|[own, other]| vbslq_f32(takes, other, own))
    }
}
