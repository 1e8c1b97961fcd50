/* exp, log and their kin for one tier; included after vec_template.h.
 *
 * Each is a range reduction and a polynomial that is minimax for the relative error of the result
 * (Remez exchange in 40 digits, then rounded to float).  Bounds over the whole range, against
 * correctly rounded results, in units of the last place (ulp); test-kernels-vmath.c holds them:
 *
 *     exp 1.5, expm1 2 (x <= 88), log 1.5, log1p 2, tanh 3, sigmoid 2.5, softplus 2.5, erf 2
 *
 * NaN comes out as NaN; overflow is Inf and underflow goes through the denormals to 0. */

/* p * 2^n for whole n with |n| <= 254; `n` as floats and, plus 1.5 * 2^23, in `shifted`.  Two steps,
 * so that the result may be a denormal or infinite. */
LAM_INLINE vf LAM_T(vf_scale_)(vf p, vf n, vf shifted)
{
#if LAM_TIER_LEVEL == 2
    (void)shifted;
    return (vf)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
    (void)n;
    vi k = (vi)shifted - vi_set(0x4B400000);
    vi half = k >> 1;
    return p * (vf)((half + 127) << 23) * (vf)((k - half + 127) << 23);
#endif
}

/* x = n ln 2 + r with whole n and |r| <= ln(2) / 2 (Cody and Waite: n * hi is exact).  Adding
 * 1.5 * 2^23 rounds to a whole number and leaves it in the low bits. */
LAM_INLINE vf LAM_T(vf_reduce_)(vf x, vf *n, vf *shifted)
{
    vf big = vf_set(12582912.0f);
    *shifted = vf_fma(x, vf_set(1.44269502f), big);
    *n = *shifted - big;
    vf r = vf_fma(*n, vf_set(-0x1.62e4p-1f), x);
    return vf_fma(*n, vf_set(-1.42860677e-6f), r);
}

/* exp(r) - 1 for |r| <= ln(2) / 2 */
LAM_INLINE vf LAM_T(vf_expm1_poly_)(vf r)
{
    vf p = vf_set(0.00138144754f);
    p = vf_fma(p, r, vf_set(0.00836877618f));
    p = vf_fma(p, r, vf_set(0.0416683927f));
    p = vf_fma(p, r, vf_set(0.166665196f));
    p = vf_fma(p, r, vf_set(0.49999994f));
    return vf_fma(p * r, r, r);
}

/* The limits lie beyond the smallest denormal and the largest float; max and min hand a NaN in
 * their second argument on. */
LAM_INLINE vf LAM_T(vf_exp_)(vf x)
{
    vf n, shifted;
    x = vf_min(vf_set(89.0f), vf_max(vf_set(-104.0f), x));
    vf r = LAM_T(vf_reduce_)(x, &n, &shifted);
    vf p = LAM_T(vf_expm1_poly_)(r) + vf_set(1.0f);
    return LAM_T(vf_scale_)(p, n, shifted);
}

/* log(2^e (1 + f)) for -1/3 <= f <= 1/3 */
LAM_INLINE vf LAM_T(vf_log_poly_)(vf f, vf e)
{
    vf p = vf_set(-0.128916845f);
    p = vf_fma(p, f, vf_set(0.139844358f));
    p = vf_fma(p, f, vf_set(-0.121842608f));
    p = vf_fma(p, f, vf_set(0.140058696f));
    p = vf_fma(p, f, vf_set(-0.16680488f));
    p = vf_fma(p, f, vf_set(0.200104058f));
    p = vf_fma(p, f, vf_set(-0.249997973f));
    p = vf_fma(p, f, vf_set(0.333332151f));
    vf square = f * f;
    vf tail = vf_fma(e, vf_set(1.42860677e-6f), p * f * square);
    tail = vf_fma(square, vf_set(-0.5f), tail);
    return vf_fma(e, vf_set(0x1.62e4p-1f), f + tail);
}

/* log at 0, at infinity and where there is none; `value` elsewhere. */
LAM_INLINE vf LAM_T(vf_log_edges_)(vf x, vf value)
{
    vf inf = vf_set(INFINITY);
    value = vf_select(x < inf, value, x); /* Inf and NaN stay */
    value = vf_select(x == vf_set(0.0f), -inf, value);
    return vf_select(x < vf_set(0.0f), vf_set(NAN), value);
}

/* x = 2^e m with 2/3 <= m < 4/3 */
LAM_INLINE vf LAM_T(vf_log_)(vf x)
{
    vi denormal = x < vf_set(0x1p-126f);
    vf big = vf_abs(vf_select(denormal, x * vf_set(0x1p24f), x));
    vi e = ((vi)big - vi_set(0x3F2AAAAB)) >> 23;
    vf f = (vf)((vi)big - (e << 23)) - vf_set(1.0f);
    e -= denormal & vi_set(24);
    return LAM_T(vf_log_edges_)(x, LAM_T(vf_log_poly_)(f, vi_to_vf(e)));
}

/* u = 1 + x rounds off `lost`, which is added to the reduced argument. */
LAM_INLINE vf LAM_T(vf_log1p_)(vf x)
{
    vf one = vf_set(1.0f);
    vf u = one + x;
    vf lost = vf_select(x < one, x - (u - one), one - (u - x));
    vi bits = (vi)vf_abs(u);
    vi e = (bits - vi_set(0x3F2AAAAB)) >> 23;
    vf f = (vf)(bits - (e << 23)) - one;
    f += vf_select(u < vf_set(0x1p25f), lost * (vf)(vi_set(0x3F800000) - (e << 23)), vf_set(0.0f));
    vf value = LAM_T(vf_log_edges_)(u, LAM_T(vf_log_poly_)(f, vi_to_vf(e)));
    return vf_select(vf_abs(x) < vf_set(0x1p-25f), x, value);
}

/* exp(x) - 1 = 2^n expm1(r) + (2^n - 1) for x <= 88; it is -1 from -20 down. */
LAM_INLINE vf LAM_T(vf_expm1_)(vf x)
{
    vf n, shifted;
    vf r = LAM_T(vf_reduce_)(vf_max(vf_set(-20.0f), x), &n, &shifted);
    vf scale = (vf)(((vi)shifted - vi_set(0x4B400000 - 127)) << 23);
    return vf_fma(scale, LAM_T(vf_expm1_poly_)(r), scale - vf_set(1.0f));
}

/* tanh |x| = E / (E + 2) with E = exp(2 |x|) - 1; 1 from 10 on. */
LAM_INLINE vf LAM_T(vf_tanh_)(vf x)
{
    vf size = vf_min(vf_set(10.0f), vf_abs(x));
    vf e = vf_expm1(size + size);
    vf y = e / (e + vf_set(2.0f));
    return (vf)((vi)y | ((vi)x & vi_set(INT32_MIN)));
}

/* 1 / (1 + exp(-x)), from exp(-|x|) so that nothing overflows */
LAM_INLINE vf LAM_T(vf_sigmoid_)(vf x)
{
    vf one = vf_set(1.0f);
    vf e = vf_exp(-vf_abs(x));
    return vf_select(x < vf_set(0.0f), e, one) / (one + e);
}

/* log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)) */
LAM_INLINE vf LAM_T(vf_softplus_)(vf x)
{
    return vf_max(vf_set(0.0f), x) + vf_log1p(vf_exp(-vf_abs(x)));
}

/* x + x P(x^2) up to 1, then 1 - exp(Q(|x|)) with Q = log erfc; 1 from 3.95 on */
LAM_INLINE vf LAM_T(vf_erf_)(vf x)
{
    vf size = vf_min(vf_set(3.95f), vf_abs(x));
    vf square = x * x;
    vf p = vf_set(7.85386073e-05f);
    p = vf_fma(p, square, vf_set(-0.000801019312f));
    p = vf_fma(p, square, vf_set(0.00518832775f));
    p = vf_fma(p, square, vf_set(-0.026853811f));
    p = vf_fma(p, square, vf_set(0.112835854f));
    p = vf_fma(p, square, vf_set(-0.37612626f));
    p = vf_fma(p, square, vf_set(0.128379166f));
    vf near = vf_fma(p, x, x);
    vf q = vf_set(0.000186379024f);
    q = vf_fma(q, size, vf_set(-0.00294765667f));
    q = vf_fma(q, size, vf_set(0.0218380578f));
    q = vf_fma(q, size, vf_set(-0.103106737f));
    q = vf_fma(q, size, vf_set(-0.638144851f));
    q = vf_fma(q, size, vf_set(-1.12708914f));
    q = vf_fma(q, size, vf_set(-0.000341525738f));
    vf far = vf_set(1.0f) - vf_exp(q);
    far = (vf)((vi)far | ((vi)x & vi_set(INT32_MIN)));
    return vf_select(size < vf_set(1.0f), near, far);
}
