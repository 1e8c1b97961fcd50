/* The square root of the optimizers, for one tier; included after vec_template.h.
 *
 * LAM_T(root)(a) is vf_sqrt(a), bit for bit.  With AVX-512 it keeps off the divider, which the quotient
 * that follows in most rules needs as well (a quarter off the time of Adam): Newton's step from a
 * 14-bit estimate, then the remainder a - g^2, which fma gives exactly, rounds correctly (Markstein,
 * IBM J. Res. Dev. 34, 1990; test-optimizers.c tries every mantissa).  Lanes in which the remainder
 * could underflow, infinities and NaN take vf_sqrt. */
LAM_INLINE vf LAM_T(root)(vf a)
{
#if LAM_TIER_LEVEL == 2
    const int low = 0x0F800000, infinity = 0x7F800000; /* 2^-96 */
    __m512i bits = (__m512i)a;
    __mmask16 some = _mm512_test_epi32_mask(bits, bits);
    __m512i above = _mm512_sub_epi32(bits, _mm512_set1_epi32(low));
    if (_mm512_mask_cmpge_epu32_mask(some, above, _mm512_set1_epi32(infinity - low)))
        return vf_sqrt(a);
    vf estimate = (vf)_mm512_maskz_rsqrt14_ps(some, (__m512)a);
    vf g = a * estimate, h = vf_set(0.5f) * estimate;
    vf r = vf_fma(-g, h, vf_set(0.5f));
    g = vf_fma(g, r, g);
    h = vf_fma(h, r, h);
    return vf_fma(h, vf_fma(-g, g, a), g);
#else
    return vf_sqrt(a);
#endif
}
