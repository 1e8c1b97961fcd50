/* Machine tiers: which vector instructions the kernels use.
 *
 * The tier is chosen once, when the library is loaded, as the best this processor runs; LAMINA_ISA
 * (environment) and lam_tier_set() lower it.  Every tier is compiled into every build by function
 * attributes, without compiler flags. */
#ifndef LAM_KERNELS_CPU_H
#define LAM_KERNELS_CPU_H

#include <stdbool.h>

#include "base/status.h"

/* 256-bit and wider spills are misaligned by some mingw gcc on Win64 (GCC PR 54412): portable there. */
#if (defined(__x86_64__) || defined(_M_X64)) && defined(__GNUC__) && \
    !(defined(__MINGW32__) && !defined(__clang__))
#define LAM_X86 1
#else
#define LAM_X86 0
#endif

/* Does the compiler know AVX512-BF16?  Clang and gcc both do where they know this much of the rest. */
#if LAM_X86 && ((defined(__clang__) && __clang_major__ >= 13) || (!defined(__clang__) && __GNUC__ >= 11))
#define LAM_DOTS 1
#else
#define LAM_DOTS 0
#endif

typedef enum { LAM_TIER_PORTABLE, LAM_TIER_AVX2, LAM_TIER_AVX512, LAM_TIERS } lam_tier_id;

lam_tier_id lam_tier(void);
/* The best tier this processor runs. */
lam_tier_id lam_tier_best(void);
const char *lam_tier_name(lam_tier_id tier);
/* By name ("portable" or "baseline", "avx2", "avx512", "best"); refuses what the processor lacks. */
lam_status lam_tier_set(const char *name, lam_error *err);
/* Does this processor have vdpbf16ps, for products of numbers rounded to bfloat16? */
bool lam_dots_there(void);
/* Is it used?  By itself on the tier AVX512 of AMD's processors: there it does twice the work of
 * multiply-adds, on Intel's half of it (gemm_bf16.c).  The bits are the same either way. */
bool lam_dots(void);
/* For tests and measurements; without effect where there is none. */
void lam_dots_set(bool wanted);
/* At load: the best tier, or what LAMINA_ISA says if the processor has it. */
void lam_tier_init(void);

/* One row of a dispatch table made by kernels/each_tier.h: {f_portable, f_avx2, f_avx512}. */
#if LAM_X86
#define LAM_TIER_TABLE(f) {f##_portable, f##_avx2, f##_avx512}
#else
#define LAM_TIER_TABLE(f) {f##_portable, f##_portable, f##_portable}
#endif

#endif
