/* Compiles the file named by LAM_TIERED_FILE once for every machine tier.
 *
 * A file with vector code includes itself through this header:
 *
 *     #ifndef LAM_TIER                     -- the plain part, compiled once
 *     #define LAM_TIERED_FILE "nn/optimizers/sgd.c"
 *     #include "kernels/each_tier.h"       -- the part below, once per tier
 *     static const fn table[LAM_TIERS] = LAM_TIER_TABLE(update);
 *     ... table[lam_tier()](...) ...
 *     #else
 *     LAM_FN void LAM_T(update)(size_t n, float *w, ...) { ... vf, VL, vf_load ... }
 *     #endif
 *
 * LAM_T(f) is f_portable, f_avx2 or f_avx512; LAM_FN marks a function that is called through a
 * table, LAM_INLINE a helper that is always inlined; the words for vectors are in vec.h.
 * No include guard: it is meant to be included by each such file. */
#include "kernels/cpu.h"
#include "kernels/vec.h"

#define LAM_JOIN_(a, b) a##_##b
#define LAM_JOIN(a, b) LAM_JOIN_(a, b)
#define LAM_T(name) LAM_JOIN(name, LAM_TIER)
#define LAM_FN static LAM_ATTR
#define LAM_INLINE static inline __attribute__((always_inline, unused)) LAM_ATTR

#define LAM_TIER portable
#define LAM_TIER_LEVEL 0
#define LAM_ATTR
#define VL 4
#define vf vf_portable_t
#define vi vi_portable_t
#include LAM_TIERED_FILE
#undef LAM_TIER
#undef LAM_TIER_LEVEL
#undef LAM_ATTR
#undef VL
#undef vf
#undef vi

#if LAM_X86
#define LAM_TIER avx2
#define LAM_TIER_LEVEL 1
#define LAM_ATTR __attribute__((target("avx2,fma,f16c")))
#define VL 8
#define vf vf_avx2_t
#define vi vi_avx2_t
#include LAM_TIERED_FILE
#undef LAM_TIER
#undef LAM_TIER_LEVEL
#undef LAM_ATTR
#undef VL
#undef vf
#undef vi

#define LAM_TIER avx512
#define LAM_TIER_LEVEL 2
#define LAM_ATTR __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))
#define VL 16
#define vf vf_avx512_t
#define vi vi_avx512_t
#include LAM_TIERED_FILE
#undef LAM_TIER
#undef LAM_TIER_LEVEL
#undef LAM_ATTR
#undef VL
#undef vf
#undef vi
#endif
#undef LAM_TIERED_FILE
