/* Memory, random numbers, threads. */
#include <sched.h>
#include <stdatomic.h>
#include <sys/types.h>
#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "base/alloc.h"
#include "base/rng.h"
#include "base/threads.h"
#include "unit.h"

/* ---- memory ---------------------------------------------------------------------------------- */

TEST(blocks_are_zeroed_aligned_and_counted)
{
    long live = lam_alloc_live();
    for (size_t n = 0; n < 300; n += 7) {
        unsigned char *p = lam_alloc(n, 3);
        CHECK(p && (uintptr_t)p % LAM_ALIGN == 0);
        for (size_t i = 0; i < 3 * n; i++)
            CHECK(p[i] == 0);
        memset(p, 255, 3 * n);
        CHECK_INT(lam_alloc_live(), live + 1);
        lam_free(p);
    }
    lam_free(NULL);
    CHECK_INT(lam_alloc_live(), live);
}

/* Freed blocks are taken again, by others too: whatever they held is gone. */
TEST(large_blocks_are_zeroed_each_time)
{
    const size_t sizes[] = {(size_t)6 << 20, (size_t)5 << 20, ((size_t)6 << 20) - 100, (size_t)9 << 20};
    void *two[2];
    long live = lam_alloc_live();
    for (int round = 0; round < 12; round++) {
        size_t n = sizes[round % 4];
        for (int k = 0; k < 2; k++) {
            unsigned char *p = two[k] = lam_alloc(n, 1);
            CHECK(p && (uintptr_t)p % LAM_ALIGN == 0);
            size_t set = 0;
            for (size_t i = 0; i < n; i++)
                set += p[i] != 0;
            CHECK_INT(set, 0);
            memset(p, 255, n);
        }
        CHECK(two[0] != two[1]);
        lam_free(two[0]);
        lam_free(two[1]);
        if (round % 5 == 4)
            lam_alloc_trim();
    }
    CHECK_INT(lam_alloc_live(), live);
}

/* No block serves for another size here.  A sanitizer's blocks all go. */
TEST(the_oldest_freed_block_goes_first)
{
    enum { N = 9 };
    void *p[N];
    size_t bytes[N], size = 5 << 20;
    lam_alloc_trim();
    CHECK_INT(lam_alloc_kept(), 0);
    for (int i = 0; i < N; i++, size += size / 4)
        p[i] = lam_alloc(bytes[i] = size, 1);
    for (int i = 0; i < N; i++)
        lam_free(p[i]);
    size_t kept = lam_alloc_kept();
    if (kept == 0) {
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
        CHECK(kept > 0);
#endif
        return;
    }
    void *newest = lam_alloc(bytes[N - 1], 1);
    CHECK_INT(lam_alloc_kept(), kept - bytes[N - 1]);
    void *oldest = lam_alloc(bytes[0], 1);
    CHECK_INT(lam_alloc_kept(), kept - bytes[N - 1]);
    lam_free(oldest);
    lam_free(newest);
    lam_alloc_trim();
    CHECK_INT(lam_alloc_kept(), 0);
}

TEST(impossible_blocks_are_refused)
{
    CHECK(lam_alloc(SIZE_MAX, 2) == NULL);
    CHECK(lam_alloc(SIZE_MAX / 2 + 2, 2) == NULL);
    CHECK(lam_mul(SIZE_MAX / 2, 3) == SIZE_MAX);
    CHECK(lam_add(SIZE_MAX, 1) == SIZE_MAX);
    CHECK_INT(lam_mul(6, 7), 42);
    lam_error err;
    void *p = &err;
    CHECK_INT(lam_new(&p, SIZE_MAX, 8, "a test", &err), LAM_EMEMORY);
    CHECK(p == NULL && strstr(err.message, "a test"));
}

TEST(the_nth_allocation_can_be_made_to_fail)
{
    lam_alloc_fail_at(3);
    void *p[4];
    for (int i = 0; i < 4; i++)
        p[i] = lam_alloc(1, 1);
    CHECK(p[0] && p[1] && !p[2] && p[3]);
    for (int i = 0; i < 4; i++)
        lam_free(p[i]);
    lam_alloc_fail_at(0);
}

/* ---- random numbers --------------------------------------------------------------------------- */

/* The known answers that come with Random123 1.09 (kat_vectors, philox4x32 10). */
TEST(philox_known_answers)
{
    static const struct { uint32_t counter[4], key[2], want[4]; } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < 3; i++) {
        uint32_t out[4];
        lam_philox(known[i].key, known[i].counter, out);
        CHECK(memcmp(out, known[i].want, sizeof out) == 0);
    }
    lam_rng rng = {0, 0, 0};
    for (uint64_t i = 0; i < 4; i++)
        CHECK_INT(lam_random_bits(&rng, i), known[0].want[i]);
}

TEST(streams_steps_and_seeds_differ)
{
    lam_rng base = {7, 3, 9}, seed = {8, 3, 9}, stream = {7, 4, 9}, step = {7, 3, 10};
    lam_rng high = {7 + ((uint64_t)1 << 32), 3, 9}, late = {7, 3, 9 + ((uint64_t)1 << 32)};
    const lam_rng *others[] = {&seed, &stream, &step, &high, &late};
    for (size_t i = 0; i < 5; i++) {
        int same = 0;
        for (uint64_t k = 0; k < 1000; k++)
            same += lam_random_bits(&base, k) == lam_random_bits(others[i], k);
        CHECK_INT(same, 0);
    }
}

/* Mean and variance of n numbers within five standard errors. */
static void check_moments(const char *what, size_t n, double sum, double squares, double mean,
                          double variance, double kurtosis)
{
    double m = sum / (double)n, v = squares / (double)n - m * m;
    double se_mean = sqrt(variance / (double)n), se_variance = variance * sqrt((kurtosis - 1) / (double)n);
    unit_near(__FILE__, __LINE__, what, m, mean, 5 * se_mean);
    unit_near(__FILE__, __LINE__, what, v, variance, 5 * se_variance);
}

TEST(distributions_have_their_moments)
{
    lam_rng rng = {2024, 5, 1};
    enum { N = 200000 };
    double s[8] = {0};
    double least = 0;
    for (uint64_t i = 0; i < N; i++) {
        double u = (double)lam_random_uniform(&rng, i), d = lam_random_uniform_double(&rng, i);
        double z = lam_random_normal(&rng, i), t = lam_random_truncated_normal(&rng, i);
        CHECK(u > 0 && u <= 1 && d > 0 && d < 1 && fabs(t) <= 2);
        double x[] = {u, d, z, t};
        for (int k = 0; k < 4; k++) {
            s[2 * k] += x[k];
            s[2 * k + 1] += x[k] * x[k];
        }
        least = fmin(least, t);
    }
    check_moments("uniform", N, s[0], s[1], 0.5, 1.0 / 12, 1.8);
    check_moments("uniform in double", N, s[2], s[3], 0.5, 1.0 / 12, 1.8);
    check_moments("normal", N, s[4], s[5], 0, 1, 3);
    /* the variance at +-2 is 1 - 4 phi(2) / (2 Phi(2) - 1); its root is Keras' 0.8796 */
    double variance = 1 - 4 * exp(-2.0) / sqrt(2 * M_PI) / erf(sqrt(2.0));
    CHECK_NEAR(sqrt(variance), 0.87962566103423978, 1e-12);
    check_moments("truncated normal", N, s[6], s[7], 0, variance, 2.5);
    CHECK(least < -1.999);
}

/* The shares of a normal sample below a few quantiles. */
TEST(normal_numbers_have_normal_quantiles)
{
    lam_rng rng = {11, 0, 0};
    static const double at[] = {-2.5, -1, -0.1, 0, 0.7, 1.5, 3};
    enum { N = 100000 };
    for (size_t q = 0; q < sizeof at / sizeof at[0]; q++) {
        size_t below = 0;
        for (uint64_t i = 0; i < N; i++)
            below += lam_random_normal(&rng, i) < at[q];
        double p = 0.5 * erfc(-at[q] / sqrt(2.0));
        CHECK_NEAR((double)below / N, p, 5 * sqrt(p * (1 - p) / N));
    }
}

TEST(permutations_are_whole_and_fair)
{
    static const size_t sizes[] = {0, 1, 2, 3, 4, 5, 17, 1000};
    uint32_t order[1000];
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        unsigned char seen[1000] = {0};
        lam_rng rng = {s, LAM_STREAM_SHUFFLE, 0};
        lam_random_permutation(&rng, order, sizes[s]);
        for (size_t i = 0; i < sizes[s]; i++) {
            CHECK(order[i] < sizes[s] && !seen[order[i]]);
            seen[order[i]] = 1;
        }
    }
    /* all 24 orders of four things alike: chi-squared with 23 degrees of freedom, p = 1e-6 */
    enum { N = 48000 };
    int count[256] = {0};
    for (uint64_t step = 0; step < N; step++) {
        lam_rng rng = {1, LAM_STREAM_SHUFFLE, step};
        lam_random_permutation(&rng, order, 4);
        count[order[0] | order[1] << 2 | order[2] << 4 | order[3] << 6]++;
    }
    double chi = 0;
    int kinds = 0;
    for (int i = 0; i < 256; i++)
        if (count[i]) {
            kinds++;
            chi += (count[i] - N / 24.0) * (count[i] - N / 24.0) / (N / 24.0);
        }
    CHECK_INT(kinds, 24);
    CHECK(chi < 70);
}

/* ---- threads ----------------------------------------------------------------------------------- */

enum { TASKS = 5000 };
static atomic_int done[TASKS];

static void mark(void *arg, size_t task, int worker)
{
    int threads = *(int *)arg;
    if (worker < 0 || worker >= threads || lam_worker() != worker || !lam_worker_scratch(worker))
        atomic_fetch_add(&done[task], 1000);
    *(volatile char *)lam_worker_scratch(worker) = 1;
    atomic_fetch_add(&done[task], 1);
}

static void check_cover(int threads)
{
    static const size_t sizes[] = {0, 1, 2, 3, 17, TASKS};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (int again = 0; again < 20; again++) {
            for (size_t i = 0; i < TASKS; i++)
                atomic_store(&done[i], 0);
            lam_parallel(sizes[s], mark, &threads);
            int wrong = 0;
            for (size_t i = 0; i < TASKS; i++)
                wrong += atomic_load(&done[i]) != (i < sizes[s]);
            CHECK_INT(wrong, 0);
        }
}

TEST(each_task_runs_once)
{
    for (int threads = 1; threads <= 4; threads++) {
        CHECK_OK(lam_threads_set(threads, NULL));
        CHECK_INT(lam_threads(), threads);
        check_cover(threads);
    }
    lam_error err;
    CHECK_INT(lam_threads_set(0, &err), LAM_EARGUMENT);
    CHECK_INT(lam_threads_set(LAM_MAX_THREADS + 1, &err), LAM_EARGUMENT);
    CHECK_INT(lam_threads(), 4);
    CHECK(lam_threads_available() >= 1);
    lam_threads_stop();
    CHECK_INT(lam_threads(), 1);
}

static void inner(void *arg, size_t task, int worker)
{
    int *seen = arg;
    seen[task] = worker == lam_worker() ? worker + 1 : -1000;
}

static void outer(void *arg, size_t task, int worker)
{
    atomic_int *wrong = arg;
    (void)task;
    int seen[40] = {0};
    lam_parallel(40, inner, seen);
    for (int i = 0; i < 40; i++)
        if (seen[i] != worker + 1)
            atomic_fetch_add(wrong, 1);
}

TEST(a_call_inside_a_task_stays_on_its_worker)
{
    CHECK_OK(lam_threads_set(3, NULL));
    atomic_int wrong = 0;
    lam_parallel(200, outer, &wrong);
    CHECK_INT(atomic_load(&wrong), 0);
    lam_threads_stop();
}

static atomic_int questions;
static int yes_at;

static bool yes_once(void)
{
    return atomic_fetch_add(&questions, 1) + 1 == yes_at;
}

/* Only the caller asks, and on a busy machine the others would be done before it comes to that. */
static void count(void *arg, size_t task, int worker)
{
    (void)task;
    while (worker > 0 && atomic_load(&questions) == 0)
        sched_yield();
    atomic_fetch_add((atomic_int *)arg, 1);
}

TEST(work_that_is_given_up_stays_so_until_it_is_forgotten)
{
    lam_ask_every(0);
    for (int threads = 1; threads <= 3; threads++) {
        atomic_int runs = 0;
        CHECK_OK(lam_threads_set(threads, NULL));
        CHECK(lam_asks(yes_once) == NULL);
        atomic_store(&questions, 0);
        yes_at = 0;
        lam_parallel(100, count, &runs);
        CHECK_INT(atomic_load(&runs), 100);
        CHECK(atomic_load(&questions) > 0 && !lam_given_up());
        atomic_store(&questions, 0);
        yes_at = 1;
        atomic_store(&runs, 0);
        lam_parallel(100000, count, &runs);
        CHECK(lam_given_up() && atomic_load(&runs) < 100000);
        CHECK_INT(atomic_load(&questions), 1);
        int left = atomic_load(&runs);
        lam_parallel(10, count, &runs);
        lam_parallel(1, count, &runs);
        CHECK_INT(atomic_load(&runs), left);
        CHECK_INT(atomic_load(&questions), 1);
        CHECK(lam_asks(NULL) == yes_once && !lam_given_up());
        lam_parallel(10, count, &runs);
        CHECK_INT(atomic_load(&runs), left + 10);
        CHECK_INT(atomic_load(&questions), 1);
    }
    lam_ask_every(0.05);
    lam_threads_stop();
}

TEST(threads_that_do_not_start_for_lack_of_memory)
{
    long live = lam_alloc_live();
    lam_error err;
    lam_alloc_fail_at(2);
    CHECK_INT(lam_threads_set(3, &err), LAM_EMEMORY);
    lam_alloc_fail_at(0);
    CHECK_OK(lam_threads_set(3, &err));
    check_cover(3);
    lam_threads_stop();
    CHECK_INT(lam_alloc_live(), live);
}

#if !defined(_WIN32)
TEST(a_forked_child_computes)
{
#if defined(__SANITIZE_THREAD__)
    SKIP("the thread sanitizer does not follow a fork");
#endif
    int threads = 3;
    CHECK_OK(lam_threads_set(threads, NULL));
    lam_parallel(100, mark, &threads);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(20); /* a child that hangs dies, and fails the test */
        for (size_t i = 0; i < TASKS; i++)
            atomic_store(&done[i], 0);
        lam_parallel(TASKS, mark, &threads);
        bool good = lam_threads_set(2, NULL) == LAM_OK;
        threads = 2;
        lam_parallel(TASKS, mark, &threads);
        for (size_t i = 0; i < TASKS; i++)
            good &= atomic_load(&done[i]) == 2;
        lam_threads_stop();
        _exit(good ? 0 : 1);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    check_cover(threads);
    lam_threads_stop();
}
#endif
