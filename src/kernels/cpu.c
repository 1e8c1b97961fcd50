#include "kernels/cpu.h"

#include <stdlib.h>
#include <string.h>

static lam_tier_id current;
static bool dots;

static const char *const names[LAM_TIERS] = {"portable", "avx2", "avx512"};

/* gcc's and clang's __builtin_cpu_supports() also ask whether the system saves the registers. */
lam_tier_id lam_tier_best(void)
{
#if LAM_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return LAM_TIER_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return LAM_TIER_AVX2;
#endif
    return LAM_TIER_PORTABLE;
}

lam_tier_id lam_tier(void)
{
    return current;
}

const char *lam_tier_name(lam_tier_id tier)
{
    return names[tier];
}

lam_status lam_tier_set(const char *name, lam_error *err)
{
    lam_tier_id best = lam_tier_best();
    if (strcmp(name, "best") == 0) {
        current = best;
        return LAM_OK;
    }
    if (strcmp(name, "baseline") == 0)
        name = "portable";
    for (int i = 0; i < LAM_TIERS; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        if (i > (int)best)
            return lam_fail_arg(err, LAM_EARGUMENT, "isa", "a tier that this processor has", "%s", name);
        current = (lam_tier_id)i;
        return LAM_OK;
    }
    return lam_fail_arg(err, LAM_EARGUMENT, "isa",
                        "one of \"best\", \"portable\", \"avx2\", \"avx512\"", "\"%s\"", name);
}

bool lam_dots_there(void)
{
#if LAM_DOTS
    __builtin_cpu_init();
    return lam_tier_best() == LAM_TIER_AVX512 && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

bool lam_dots(void)
{
    return dots && current == LAM_TIER_AVX512;
}

void lam_dots_set(bool wanted)
{
    dots = wanted && lam_dots_there();
}

void lam_tier_init(void)
{
#if LAM_DOTS
    __builtin_cpu_init();
    lam_dots_set(__builtin_cpu_is("amd"));
#endif
    const char *wish = getenv("LAMINA_ISA");
    if (!wish || lam_tier_set(wish, NULL) != LAM_OK)
        current = lam_tier_best();
}
