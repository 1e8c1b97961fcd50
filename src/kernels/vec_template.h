/* The basic words of vec.h for one tier.  Included by tiered files (see each_tier.h). */

LAM_INLINE vf LAM_T(vf_set_)(float s)
{
    return s - (vf){0};
}

LAM_INLINE vi LAM_T(vi_set_)(int32_t s)
{
    return s - (vi){0};
}

LAM_INLINE vf LAM_T(vf_load_)(const float *p)
{
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

LAM_INLINE void LAM_T(vf_store_)(float *p, vf v)
{
    memcpy(p, &v, sizeof v);
}

LAM_INLINE vf LAM_T(vf_select_)(vi mask, vf a, vf b)
{
    return (vf)(((vi)a & mask) | ((vi)b & ~mask));
}

LAM_INLINE vf LAM_T(vf_abs_)(vf a)
{
    return (vf)((vi)a & vi_set(0x7fffffff));
}

LAM_INLINE vf LAM_T(vi_to_vf_)(vi a)
{
    return __builtin_convertvector(a, vf);
}

#if LAM_TIER_LEVEL == 2

LAM_INLINE vf LAM_T(vf_load_n_)(const float *p, size_t n)
{
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), p);
}

LAM_INLINE void LAM_T(vf_store_n_)(float *p, vf v, size_t n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1u), (__m512)v);
}

LAM_INLINE vf LAM_T(vf_fma_)(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
LAM_INLINE vf LAM_T(vf_max_)(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
LAM_INLINE vf LAM_T(vf_min_)(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
LAM_INLINE vf LAM_T(vf_sqrt_)(vf a) { return (vf)_mm512_sqrt_ps((__m512)a); }
LAM_INLINE vf LAM_T(vf_floor_)(vf a) { return (vf)_mm512_roundscale_ps((__m512)a, 0x09); }
LAM_INLINE vf LAM_T(vf_round_)(vf a) { return (vf)_mm512_roundscale_ps((__m512)a, 0x08); }
LAM_INLINE vi LAM_T(vf_to_vi_)(vf a) { return (vi)_mm512_cvttps_epi32((__m512)a); }
LAM_INLINE float LAM_T(vf_sum_)(vf a) { return _mm512_reduce_add_ps((__m512)a); }
LAM_INLINE float LAM_T(vf_hmax_)(vf a) { return _mm512_reduce_max_ps((__m512)a); }

#else

#if LAM_TIER_LEVEL == 1

/* Lanes 0 .. n-1. */
LAM_INLINE __m256i LAM_T(first_lanes_)(size_t n)
{
    static const int32_t ones_then_zeros[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(const void *)(ones_then_zeros + 8 - n));
}

LAM_INLINE vf LAM_T(vf_load_n_)(const float *p, size_t n)
{
    return (vf)_mm256_maskload_ps(p, LAM_T(first_lanes_)(n));
}

LAM_INLINE void LAM_T(vf_store_n_)(float *p, vf v, size_t n)
{
    _mm256_maskstore_ps(p, LAM_T(first_lanes_)(n), (__m256)v);
}

#else

LAM_INLINE vf LAM_T(vf_load_n_)(const float *p, size_t n)
{
    vf v = {0};
    switch (n) {
    case 4: return vf_load(p);
    case 3: v[2] = p[2]; /* fall through */
    case 2: v[1] = p[1]; /* fall through */
    case 1: v[0] = p[0];
    }
    return v;
}

LAM_INLINE void LAM_T(vf_store_n_)(float *p, vf v, size_t n)
{
    switch (n) {
    case 4: vf_store(p, v); return;
    case 3: p[2] = v[2]; /* fall through */
    case 2: p[1] = v[1]; /* fall through */
    case 1: p[0] = v[0];
    }
}

#endif

/* Pairwise, halves first, so that the order is the same for every compiler. */
LAM_INLINE float LAM_T(vf_sum_)(vf a)
{
    float buffer[VL];
    vf_store(buffer, a);
    for (int half = VL / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            buffer[i] += buffer[i + half];
    return buffer[0];
}

LAM_INLINE float LAM_T(vf_hmax_)(vf a)
{
    float buffer[VL];
    vf_store(buffer, a);
    float best = buffer[0];
    for (int i = 1; i < VL; i++)
        best = buffer[i] > best ? buffer[i] : best;
    return best;
}

#if LAM_TIER_LEVEL == 1

LAM_INLINE vf LAM_T(vf_fma_)(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
LAM_INLINE vf LAM_T(vf_max_)(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
LAM_INLINE vf LAM_T(vf_min_)(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
LAM_INLINE vf LAM_T(vf_sqrt_)(vf a) { return (vf)_mm256_sqrt_ps((__m256)a); }
LAM_INLINE vf LAM_T(vf_floor_)(vf a) { return (vf)_mm256_floor_ps((__m256)a); }
LAM_INLINE vf LAM_T(vf_round_)(vf a) { return (vf)_mm256_round_ps((__m256)a, 0x08); }
LAM_INLINE vi LAM_T(vf_to_vi_)(vf a) { return (vi)_mm256_cvttps_epi32((__m256)a); }

#else

LAM_INLINE vf LAM_T(vf_fma_)(vf a, vf b, vf c) { return a * b + c; }
LAM_INLINE vf LAM_T(vf_max_)(vf a, vf b) { return vf_select(a > b, a, b); }
LAM_INLINE vf LAM_T(vf_min_)(vf a, vf b) { return vf_select(a < b, a, b); }
LAM_INLINE vi LAM_T(vf_to_vi_)(vf a) { return __builtin_convertvector(a, vi); }

LAM_INLINE vf LAM_T(vf_sqrt_)(vf a)
{
    for (int i = 0; i < VL; i++)
        a[i] = sqrtf(a[i]);
    return a;
}

/* Adding and taking away 1.5 * 2^23 rounds to a whole number, for |a| < 2^22; beyond that a is
 * left alone, being past any use here. */
LAM_INLINE vf LAM_T(vf_round_)(vf a)
{
    vf big = vf_set(12582912.0f);
    vf r = (a + big) - big;
    return vf_select(vf_abs(a) < vf_set(4194304.0f), r, a);
}

LAM_INLINE vf LAM_T(vf_floor_)(vf a)
{
    vf r = vf_round(a);
    return r - vf_select(r > a, vf_set(1.0f), vf_set(0.0f));
}

#endif
#endif

LAM_INLINE vf LAM_T(vf_load_up_to_)(const float *p, size_t n)
{
    return n == VL ? vf_load(p) : vf_load_n(p, n);
}

LAM_INLINE void LAM_T(vf_store_up_to_)(float *p, vf v, size_t n)
{
    if (n == VL)
        vf_store(p, v);
    else
        vf_store_n(p, v, n);
}
