#include "nn/profile.h"

#include "base/alloc.h"
#include "base/clock.h"

/* Workers' accounts lie so far apart that no two write to the same line of the cache. */
static size_t accounts_apart(int n_layers)
{
    return (size_t)n_layers + LAM_ALIGN / sizeof(lam_account) + 1;
}

lam_status lam_profile_new(lam_profile **out, int n_layers, lam_error *err)
{
    void *p = NULL;
    *out = NULL;
    LAM_TRY(lam_new(&p, 1, sizeof(lam_profile), "a profile", err));
    lam_profile *profile = p;
    size_t each = accounts_apart(n_layers);
    lam_status status = lam_new(&p, each * (LAM_PHASES + LAM_MAX_THREADS), sizeof(lam_account), "a profile", err);
    if (status != LAM_OK) {
        lam_free(profile);
        return status;
    }
    profile->begun = profile->last = lam_seconds();
    profile->n_layers = n_layers;
    profile->accounts = p;
    for (size_t k = 0; k < LAM_PHASES; k++)
        profile->layer[k] = profile->accounts + k * each;
    for (size_t k = 0; k < LAM_MAX_THREADS; k++)
        profile->worker[k].layer = profile->accounts + (LAM_PHASES + k) * each;
    *out = profile;
    return LAM_OK;
}

void lam_profile_free(lam_profile *profile)
{
    if (!profile)
        return;
    lam_free(profile->accounts);
    lam_free(profile);
}

/* Seconds since the last reading. */
static double lap(double *last)
{
    double before = *last;
    *last = lam_seconds();
    return *last - before;
}

static void book(lam_account *account, double seconds, double calls, double work)
{
    account->seconds += seconds;
    account->calls += calls;
    account->work += work;
}

void lam_profile_start(lam_profile *profile)
{
    profile->last = lam_seconds();
}

void lam_profile_stage(lam_profile *profile, lam_stage stage)
{
    profile->stage[stage] += lap(&profile->last);
}

void lam_profile_layer(lam_profile *profile, lam_phase phase, int i, double work)
{
    book(&profile->layer[phase][i], lap(&profile->last), 1, work);
}

void lam_profile_more(lam_profile *profile, lam_phase phase, int i)
{
    book(&profile->layer[phase][i], lap(&profile->last), 0, 0);
}

void lam_profile_worker_start(lam_profile *profile, int worker)
{
    profile->worker[worker].last = lam_seconds();
}

void lam_profile_worker_layer(lam_profile *profile, int worker, int i, double work)
{
    lam_profile_worker *w = &profile->worker[worker];
    book(&w->layer[i], lap(&w->last), 1, work);
}

void lam_profile_share(lam_profile *profile, lam_phase phase, int from, int to)
{
    double passed = lap(&profile->last), taken = 0;
    for (int k = 0; k < LAM_MAX_THREADS; k++)
        for (int i = from; i < to; i++)
            taken += profile->worker[k].layer[i].seconds;
    if (!(taken > 0)) /* too short for the clock */
        book(&profile->layer[phase][from], passed, 0, 0);
    for (int k = 0; k < LAM_MAX_THREADS; k++)
        for (int i = from; i < to; i++) {
            lam_account *a = &profile->worker[k].layer[i];
            book(&profile->layer[phase][i], taken > 0 ? passed * a->seconds / taken : 0, a->calls, a->work);
            *a = (lam_account){0};
        }
}

double lam_backward_work(const lam_layer *layer, size_t rows, bool wants_dx)
{
    bool trained = layer->n_weights == 0; /* products of its inputs with each other */
    for (int w = 0; layer->trainable && w < layer->n_weights; w++)
        trained |= layer->weight[w].trainable;
    return (double)rows * ((trained ? layer->work : 0) + (wants_dx ? layer->work : layer->work_inside));
}
