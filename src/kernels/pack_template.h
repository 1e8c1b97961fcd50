/* Copies of matrices in the form that tiles read (tile.h), for one tier.  Included by tiered files
 * after vec_template.h. */

/* k rows of `width` numbers, the last vector filled up with zeros. */
LAM_INLINE void LAM_T(pack)(size_t k, size_t width, const float *b, size_t ldb, float *to)
{
    size_t full = width / VL * VL, rest = width - full;
    for (size_t p = 0; p < k; p++, b += ldb) {
        for (size_t j = 0; j < full; j += VL, to += VL)
            vf_store(to, vf_load(b + j));
        if (rest) {
            vf_store(to, vf_load_n(b + full, rest));
            to += VL;
        }
    }
}

/* VL x VL numbers turned over: what was row i is column i. */
#if LAM_TIER_LEVEL == 2
LAM_INLINE void LAM_T(transpose)(vf r[VL])
{
    __m512 s[16];
    LAM_UNROLL for (int i = 0; i < 16; i += 4) {
        __m512 a = _mm512_unpacklo_ps((__m512)r[i], (__m512)r[i + 1]);
        __m512 b = _mm512_unpackhi_ps((__m512)r[i], (__m512)r[i + 1]);
        __m512 c = _mm512_unpacklo_ps((__m512)r[i + 2], (__m512)r[i + 3]);
        __m512 d = _mm512_unpackhi_ps((__m512)r[i + 2], (__m512)r[i + 3]);
        s[i] = _mm512_shuffle_ps(a, c, 0x44);
        s[i + 1] = _mm512_shuffle_ps(a, c, 0xEE);
        s[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
        s[i + 3] = _mm512_shuffle_ps(b, d, 0xEE);
    }
    LAM_UNROLL for (int i = 0; i < 4; i++) {
        __m512 a = _mm512_shuffle_f32x4(s[i], s[i + 4], 0x88);
        __m512 b = _mm512_shuffle_f32x4(s[i], s[i + 4], 0xDD);
        __m512 c = _mm512_shuffle_f32x4(s[i + 8], s[i + 12], 0x88);
        __m512 d = _mm512_shuffle_f32x4(s[i + 8], s[i + 12], 0xDD);
        r[i] = (vf)_mm512_shuffle_f32x4(a, c, 0x88);
        r[i + 4] = (vf)_mm512_shuffle_f32x4(b, d, 0x88);
        r[i + 8] = (vf)_mm512_shuffle_f32x4(a, c, 0xDD);
        r[i + 12] = (vf)_mm512_shuffle_f32x4(b, d, 0xDD);
    }
}
#elif LAM_TIER_LEVEL == 1
LAM_INLINE void LAM_T(transpose)(vf r[VL])
{
    __m256 s[8];
    LAM_UNROLL for (int i = 0; i < 8; i += 4) {
        __m256 a = _mm256_unpacklo_ps((__m256)r[i], (__m256)r[i + 1]);
        __m256 b = _mm256_unpackhi_ps((__m256)r[i], (__m256)r[i + 1]);
        __m256 c = _mm256_unpacklo_ps((__m256)r[i + 2], (__m256)r[i + 3]);
        __m256 d = _mm256_unpackhi_ps((__m256)r[i + 2], (__m256)r[i + 3]);
        s[i] = _mm256_shuffle_ps(a, c, 0x44);
        s[i + 1] = _mm256_shuffle_ps(a, c, 0xEE);
        s[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
        s[i + 3] = _mm256_shuffle_ps(b, d, 0xEE);
    }
    LAM_UNROLL for (int i = 0; i < 4; i++) {
        r[i] = (vf)_mm256_permute2f128_ps(s[i], s[i + 4], 0x20);
        r[i + 4] = (vf)_mm256_permute2f128_ps(s[i], s[i + 4], 0x31);
    }
}
#else
LAM_INLINE void LAM_T(transpose)(vf r[VL])
{
    vf t[VL];
    LAM_UNROLL for (int i = 0; i < VL; i++)
        t[i] = (vf){r[0][i], r[1][i], r[2][i], r[3][i]};
    LAM_UNROLL for (int i = 0; i < VL; i++)
        r[i] = t[i];
}
#endif

/* The same from a stored B', of which k numbers of `width` rows are wanted. */
LAM_INLINE void LAM_T(pack_transposed)(size_t k, size_t width, const float *b, size_t ldb, float *to)
{
    size_t step = lam_divide_up(width, VL) * VL;
    for (size_t j = 0; j < width; j += VL) {
        size_t rows = width - j < VL ? width - j : VL;
        for (size_t p = 0; p < k; p += VL) {
            size_t depth = k - p < VL ? k - p : VL;
            const float *from = b + j * ldb + p;
            float *out = to + p * step + j;
            vf r[VL];
            if (rows == VL && depth == VL) {
                LAM_UNROLL for (size_t i = 0; i < VL; i++)
                    r[i] = vf_load(from + i * ldb);
                LAM_T(transpose)(r);
                LAM_UNROLL for (size_t i = 0; i < VL; i++)
                    vf_store(out + i * step, r[i]);
                continue;
            }
            LAM_UNROLL for (size_t i = 0; i < VL; i++)
                r[i] = i < rows ? vf_load_n(from + i * ldb, depth) : vf_set(0.0f);
            LAM_T(transpose)(r);
            LAM_UNROLL for (size_t i = 0; i < VL; i++)
                if (i < depth)
                    vf_store(out + i * step, r[i]);
        }
    }
}
