#ifndef LAM_TIER
#include "kernels/peak.h"

#include "base/clock.h"
#include "kernels/kernels.h"

/* As many chains as hide the latency of a multiply-add on two units, and steps of each. */
enum { CHAINS = 12, STEPS = 20000 };

#define LAM_TIERED_FILE "kernels/peak.c"
#include "kernels/each_tier.h"

static void run_task(void *arg, size_t task, int worker)
{
    static float (*const table[LAM_TIERS])(void) = LAM_TIER_TABLE(multiply_add);
    (void)worker;
    ((float *)arg)[task] = table[lam_tier()]();
}

double lam_peak_run(int threads)
{
    static const int lanes[LAM_TIERS] = {4, 8, 16};
    float sink[LAM_MAX_THREADS];
    lam_parallel((size_t)threads, run_task, sink);
    return 2.0 * CHAINS * STEPS * lanes[lam_tier()] * threads;
}

double lam_peak(double seconds)
{
    double best = 0, now = lam_seconds(), until = now + seconds;
    do {
        double start = now, work = lam_peak_run(lam_threads());
        now = lam_seconds();
        if (now > start && work / (now - start) > best)
            best = work / (now - start);
    } while (now < until);
    return best;
}

#else
#include "kernels/vec_template.h"

LAM_FN float LAM_T(multiply_add)(void)
{
    vf x[CHAINS], a = vf_set(0.999f), b = vf_set(0.001f);
    LAM_UNROLL for (int i = 0; i < CHAINS; i++)
        x[i] = vf_set((float)i);
    for (int k = 0; k < STEPS; k++)
        LAM_UNROLL for (int i = 0; i < CHAINS; i++)
            x[i] = vf_fma(x[i], a, b);
    vf sum = vf_set(0.0f);
    LAM_UNROLL for (int i = 0; i < CHAINS; i++)
        sum += x[i];
    return vf_sum(sum);
}
#endif
