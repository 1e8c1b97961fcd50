/* The words for vectors: one vocabulary, three tiers.
 *
 * vec_template.h is compiled once per tier and defines, with the tier's name as suffix, what the
 * macros below call.  In tiered code write vf_add(a, b) or, since these are compiler vector types,
 * simply a + b.
 *
 *   vf, vi            VL floats, VL 32-bit integers; a + b, a * b, -a, a < b (a vi of 0 / -1) work
 *   vf_load(p), vf_store(p, v)                unaligned
 *   vf_load_n(p, n), vf_store_n(p, v, n)      the first n <= VL; the rest of a load is 0
 *   vf_load_up_to(p, n), vf_store_up_to(p, v, n)   the same, and as fast as vf_load where n is VL
 *   vf_set(s), vi_set(s)                      all lanes s
 *   vf_fma(a, b, c)                           a * b + c
 *   vf_max, vf_min, vf_abs, vf_sqrt, vf_floor, vf_round (to nearest even)
 *   vf_select(mask, a, b)                     lanes of a where mask is -1, of b where it is 0
 *   vf_sum(v), vf_hmax(v)                     to a float; the order of the sum is fixed per tier
 *   vf_to_vi(v) (truncates), vi_to_vf(v)
 *   vf_exp, vf_expm1, vf_log, vf_log1p, vf_tanh, vf_sigmoid, vf_softplus, vf_erf    (vmath_template.h)
 */
#ifndef LAM_KERNELS_VEC_H
#define LAM_KERNELS_VEC_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/cpu.h"
#if LAM_X86
#include <immintrin.h>
#endif

typedef float vf_portable_t __attribute__((vector_size(16)));
typedef int32_t vi_portable_t __attribute__((vector_size(16)));
typedef float vf_avx2_t __attribute__((vector_size(32)));
typedef int32_t vi_avx2_t __attribute__((vector_size(32)));
typedef float vf_avx512_t __attribute__((vector_size(64)));
typedef int32_t vi_avx512_t __attribute__((vector_size(64)));

/* Before a loop of a small constant count that must vanish, so that arrays become registers. */
#if defined(__clang__)
#define LAM_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LAM_UNROLL _Pragma("GCC unroll 16")
#endif

#define vf_load(p) LAM_T(vf_load_)(p)
#define vf_store(p, v) LAM_T(vf_store_)(p, v)
#define vf_load_n(p, n) LAM_T(vf_load_n_)(p, n)
#define vf_store_n(p, v, n) LAM_T(vf_store_n_)(p, v, n)
#define vf_load_up_to(p, n) LAM_T(vf_load_up_to_)(p, n)
#define vf_store_up_to(p, v, n) LAM_T(vf_store_up_to_)(p, v, n)
#define vf_set(s) LAM_T(vf_set_)(s)
#define vi_set(s) LAM_T(vi_set_)(s)
#define vf_fma(a, b, c) LAM_T(vf_fma_)(a, b, c)
#define vf_max(a, b) LAM_T(vf_max_)(a, b)
#define vf_min(a, b) LAM_T(vf_min_)(a, b)
#define vf_abs(a) LAM_T(vf_abs_)(a)
#define vf_sqrt(a) LAM_T(vf_sqrt_)(a)
#define vf_floor(a) LAM_T(vf_floor_)(a)
#define vf_round(a) LAM_T(vf_round_)(a)
#define vf_select(m, a, b) LAM_T(vf_select_)(m, a, b)
#define vf_sum(a) LAM_T(vf_sum_)(a)
#define vf_hmax(a) LAM_T(vf_hmax_)(a)
#define vf_to_vi(a) LAM_T(vf_to_vi_)(a)
#define vi_to_vf(a) LAM_T(vi_to_vf_)(a)
#define vf_exp(a) LAM_T(vf_exp_)(a)
#define vf_expm1(a) LAM_T(vf_expm1_)(a)
#define vf_log(a) LAM_T(vf_log_)(a)
#define vf_log1p(a) LAM_T(vf_log1p_)(a)
#define vf_tanh(a) LAM_T(vf_tanh_)(a)
#define vf_sigmoid(a) LAM_T(vf_sigmoid_)(a)
#define vf_softplus(a) LAM_T(vf_softplus_)(a)
#define vf_erf(a) LAM_T(vf_erf_)(a)

#endif
