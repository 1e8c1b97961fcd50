/* Properties that hold for every network, tried on random ones.
 *
 * A network is a function of its seed.  A failure names the seed; LAMINA_RANDOM=<seed> before the
 * command tries that network alone, and LAMINA_STRESS=<multiple> tries so many times as many. */
#include "base/threads.h"
#include "definition.h"
#include "kernels/cpu.h"
#include "nn/update.h"

#include <stdarg.h>

/* ---- many networks ------------------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* So many of `full` networks: a tenth under a sanitizer and on lower tiers than the best. */
static long trials(long full)
{
    const char *multiple = getenv("LAMINA_STRESS");
    double n = (double)full * (multiple ? atof(multiple) : 1);
    if (SANITIZED || lam_tier() < lam_tier_best())
        n /= 10;
    return n < 1 ? 1 : (long)n;
}

static void bad(const random_net *r, const char *format, ...) LAM_PRINTF(2, 3);
/* A network's first failure in a test says enough. */
static void bad(const random_net *r, const char *format, ...)
{
    static const char *last_test;
    static uint64_t last;
    char text[256], types[256] = "";
    va_list ap;
    if (last == r->seed && last_test == unit_current())
        return;
    last = r->seed;
    last_test = unit_current();
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    for (int i = 0; i < r->n; i++)
        snprintf(types + strlen(types), sizeof types - strlen(types), "%s%s", i ? ", " : "", r->layer[i].type);
    unit_fail(__FILE__, __LINE__, "%s; LAMINA_RANDOM=%llu (%s, %zu rows): %s; %s", text,
              (unsigned long long)r->seed, r->size == RANDOM_LARGE ? "large" : "small", r->rows, types, r->loss.type);
}

/* One random network with its data, one thread, the best tier. */
typedef struct trial {
    random_net r;
    lam_net *net;
    lam_data *data;
} trial;

static lam_error err;

static bool trial_new(trial *t, uint64_t seed, random_size size)
{
    random_network(&t->r, seed, size);
    t->net = random_net_new(&t->r);
    t->data = t->net ? random_net_data(&t->r, t->net) : NULL;
    return t->net != NULL;
}

static void trial_free(trial *t)
{
    lam_data_free(t->data);
    lam_net_free(t->net);
}

/* Calls fn for networks 1 .. trials(full), or for the one that LAMINA_RANDOM names. */
static void each_trial(long full, random_size size, void (*fn)(trial *t))
{
    const char *one = getenv("LAMINA_RANDOM");
    uint64_t first = one ? strtoull(one, NULL, 10) : 1, last = one ? first : (uint64_t)trials(full);
    CHECK_OK(lam_threads_set(1, &err));
    for (uint64_t seed = first; seed <= last; seed++) {
        trial t;
        if (!trial_new(&t, seed, size))
            return;
        if (one)
            random_print(stderr, &t.r, t.net);
        fn(&t);
        trial_free(&t);
    }
}

/* ---- what the engine gives ----------------------------------------------------------------------- */

static const lam_metric_list no_metrics = {0};

static lam_loop *new_loop(const trial *t, const lam_data *data, size_t batch, lam_loop_kind kind)
{
    lam_loop *loop = NULL;
    if (lam_loop_new(&loop, t->net, 0, data, 0, data->n, batch, kind, &no_metrics, &err) != LAM_OK)
        bad(&t->r, "no loop: %s", err.message);
    return loop;
}

static size_t out_count(const trial *t)
{
    return lam_shape_count(&t->net->out);
}

/* Predictions of n samples, `batch` at a time. */
static float *predicted(const trial *t, const float *x, size_t n, size_t batch)
{
    size_t in = lam_shape_count(&t->net->in), out = out_count(t);
    float *y = room(n * out, sizeof *y);
    lam_plan *plan = NULL;
    CHECK_OK(lam_plan_new(&plan, t->net, 0, t->net->n_layers, batch, LAM_PLAN_PREDICT, &err));
    for (size_t at = 0; at < n; at += batch) {
        lam_run run = {.rows = n - at < batch ? n - at : batch, .seed = t->net->seed};
        memcpy(y + at * out, lam_plan_forward(plan, x + at * in, &run), run.rows * out * sizeof *y);
    }
    lam_plan_free(plan);
    return y;
}

/* All samples as one batch: loss, predictions, gradients by weights and inputs. */
typedef struct probe {
    double loss;
    float *y, *grads, *dx;
} probe;

static probe probed(const trial *t, const lam_data *data, bool training)
{
    probe p = {0};
    lam_loop *loop = new_loop(t, data, data->n, LAM_LOOP_PROBE);
    size_t n_y = data->n * out_count(t), n_x = data->n * data->x_d;
    const float *dx = lam_loop_probe(loop, training, &p.loss);
    p.y = room(n_y, sizeof(float));
    p.grads = room(t->net->n, sizeof(float));
    p.dx = room(n_x, sizeof(float));
    memcpy(p.dx, dx, n_x * sizeof(float));
    memcpy(p.y, lam_loop_predictions(loop), n_y * sizeof(float));
    memcpy(p.grads, loop->plan->grads, t->net->n * sizeof(float));
    lam_loop_free(loop);
    return p;
}

static void probe_free(probe *p)
{
    free(p->y);
    free(p->grads);
    free(p->dx);
}

static bool is_trained(const lam_layer *layer, const lam_weight *w)
{
    return layer->trainable && w->trainable;
}

/* Calls the body for every weight w of a layer that is trained. */
#define EACH_TRAINED(net_, layer_, w_)                                                                        \
    for (const lam_layer *layer_ = (net_)->layers; layer_ < (net_)->layers + (net_)->n_layers; layer_++)      \
        for (const lam_weight *w_ = layer_->weight; w_ < layer_->weight + layer_->n_weights; w_++)            \
            if (is_trained(layer_, w_))

/* Weights off their special values: no ties, no zeros, statistics that are not 0 and 1. */
static void stir(const trial *t)
{
    unit_seed(t->r.seed + 77);
    for (int i = 0; i < t->net->n_layers; i++)
        for (int k = 0; k < t->net->layers[i].n_weights; k++) {
            const lam_weight *w = &t->net->layers[i].weight[k];
            float *at = t->net->weights + w->offset;
            bool moves = strstr(w->name, "moving_") != NULL;
            for (size_t j = 0; j < w->count; j++)
                if (w->trainable)
                    at[j] += (float)unit_uniform(-0.15, 0.15);
                else if (moves)
                    at[j] = strstr(w->name, "variance") ? (float)unit_uniform(0.5, 2) : (float)unit_uniform(-0.5, 0.5);
        }
}

/* ---- the definition --------------------------------------------------------------------------------- */

/* What rounding may do is measured, not guessed: the definition is worked out again with the outputs of
 * every layer off by NOISE of their largest, in two ways and the opposite of these.  How far that moves a
 * number, four times, is what the engine's may be off, and a little of the size of what was summed up.
 * A slope is left out where those at both sides differ (a kink) or where the noise moves it by more than
 * a two hundredth of its size; both are counted. */
#define NOISE 0x1p-21
enum { MAX_SLOPES = 64, WAYS = 4 };

static void make_noise(definition *def, int way)
{
    def->noise = way % 2 ? -NOISE : NOISE;
    def->draw = (uint64_t)way / 2;
}

/* The most that noise moves a number. */
static double spread_of(double still, const double *noisy, size_t stride)
{
    double spread = 0;
    for (int k = 0; k < WAYS; k++)
        spread = fmax(spread, fabs(noisy[(size_t)k * stride] - still));
    return spread;
}

typedef struct direction {
    size_t begin, n;     /* of the weights; n == 0: of the inputs */
    double *v;           /* of all weights or inputs: 0 elsewhere */
    size_t n_v;
    double want, tol;
    bool skipped;
} direction;

static struct {
    long slopes, skipped, losses, loose;
    double worst_y, worst_loss, worst_slope;
} seen;

static double moved_loss(definition *def, const direction *dir, double step)
{
    double *to = dir->n ? def->w : def->x;
    for (size_t i = 0; i < dir->n_v; i++)
        to[i] += step * dir->v[i];
    double loss = definition_loss(def);
    for (size_t i = 0; i < dir->n_v; i++)
        to[i] -= step * dir->v[i];
    return loss;
}

/* The slope along a direction, and how sure it is; here, noisy: the loss without a step. */
static void define_slope(definition *def, direction *dir, double here, const double *noisy)
{
    const double h = 1e-6;
    double up = moved_loss(def, dir, h), down = moved_loss(def, dir, -h);
    double right = (up - here) / h, left = (here - down) / h, slope[WAYS];
    for (int k = 0; k < WAYS; k++) {
        make_noise(def, k);
        slope[k] = (moved_loss(def, dir, h) - noisy[k]) / h;
    }
    def->noise = 0;
    dir->want = (up - down) / (2 * h);
    dir->tol = 4 * spread_of(right, slope, 1) + 2 * fabs(right - left);
}

static direction new_direction(size_t n_v, size_t begin, size_t n)
{
    direction dir = {.begin = begin, .n = n, .n_v = n_v, .v = calloc(n_v + 1, sizeof(double))};
    return dir;
}

static double sign(void)
{
    return unit_uniform(0, 1) < 0.5 ? -1 : 1;
}

/* One direction for each trained weight, one for the inputs that may move, and a few single numbers. */
static int draw_directions(const trial *t, direction *dir)
{
    int n = 0;
    EACH_TRAINED(t->net, layer, w) {
        if (n + 5 >= MAX_SLOPES)
            break;
        dir[n] = new_direction(t->net->n, w->offset, w->count);
        for (size_t i = 0; i < w->count; i++)
            dir[n].v[w->offset + i] = sign();
        n++;
        if (unit_uniform(0, 1) < 0.3) {
            dir[n] = new_direction(t->net->n, w->offset, w->count);
            dir[n++].v[w->offset + (size_t)unit_uniform(0, (double)w->count)] = 1;
        }
    }
    if (t->r.ids)
        return n;
    size_t n_x = t->data->n * t->data->x_d;
    dir[n] = new_direction(n_x, 0, 0);
    for (size_t i = 0; i < n_x; i++)
        dir[n].v[i] = t->data->x[i] == 0 ? 0 : sign();
    return n + 1;
}

/* The engine's slope, and the size of what it is the sum of. */
static double engine_slope(const direction *dir, const probe *p, double *size)
{
    const float *g = dir->n ? p->grads : p->dx;
    double sum = 0;
    *size = 0;
    for (size_t i = 0; i < dir->n_v; i++)
        if (dir->v[i] != 0) {
            sum += dir->v[i] * g[i];
            *size += fabs(dir->v[i] * g[i]);
        }
    return sum;
}

static double largest_gradient(const trial *t, const probe *p)
{
    double top = 0;
    EACH_TRAINED(t->net, layer, w)
        for (size_t i = 0; i < w->count; i++)
            top = fmax(top, fabs(p->grads[w->offset + i]));
    for (size_t i = 0; !t->r.ids && i < t->data->n * t->data->x_d; i++)
        top = fmax(top, fabs(p->dx[i]));
    return top;
}

static void compare_slopes(const trial *t, direction *dir, int n, const probe *p, const char *how)
{
    double top = largest_gradient(t, p);
    for (int k = 0; k < n; k++) {
        double size, got = engine_slope(&dir[k], p, &size), scale = fmax(size, fabs(dir[k].want));
        double tol = dir[k].tol + 2e-5 * (scale + top);
        seen.slopes++;
        if (dir[k].tol > 0.02 * scale + 1e-5 * top) {
            seen.skipped++;
            continue;
        }
        seen.worst_slope = fmax(seen.worst_slope, fabs(got - dir[k].want) / tol);
        if (!(fabs(got - dir[k].want) <= tol)) {
            bad(&t->r, "%s, %s: slope %d (%s from %zu) is %.9g, not %.9g (+- %.2g)", lam_tier_name(lam_tier()), how, k,
                dir[k].n ? "weights" : "inputs", dir[k].begin, got, dir[k].want, tol);
            return;
        }
    }
}

/* y: still, then noisy. */
static void compare_predictions(const trial *t, const double *y, const probe *p, const char *how)
{
    size_t n = t->data->n * out_count(t);
    double top = 0;
    for (size_t i = 0; i < n; i++)
        top = fmax(top, fabs(y[i]));
    for (size_t i = 0; i < n; i++) {
        double tol = 4 * spread_of(y[i], y + n + i, n) + 2e-6 * top;
        seen.worst_y = fmax(seen.worst_y, fabs(p->y[i] - y[i]) / tol);
        if (!(fabs(p->y[i] - y[i]) <= tol)) {
            bad(&t->r, "%s, %s: prediction %zu is %.9g, not %.9g (+- %.2g)", lam_tier_name(lam_tier()), how, i,
                (double)p->y[i], y[i], tol);
            return;
        }
    }
}

static void compare_losses(const trial *t, const double *loss, const probe *p, const char *how)
{
    double size = fmax(1, fabs(loss[0])), tol = 4 * spread_of(loss[0], loss + 1, 1) + 2e-6 * size;
    seen.losses++;
    seen.loose += tol > 1e-3 * size;
    seen.worst_loss = fmax(seen.worst_loss, fabs(p->loss - loss[0]) / tol);
    if (!(fabs(p->loss - loss[0]) <= tol))
        bad(&t->r, "%s, %s: loss is %.9g, not %.9g (+- %.2g)", lam_tier_name(lam_tier()), how, p->loss, loss[0], tol);
}

static void check_definition(trial *t, bool training)
{
    const char *how = training ? "training" : "in use";
    definition def;
    direction dir[MAX_SLOPES];
    size_t n_y = t->data->n * out_count(t);
    double loss[1 + WAYS], *y = room((1 + WAYS) * n_y, sizeof *y);
    definition_new(&def, &t->r, t->net, t->data, training);
    for (int s = 0; s <= WAYS; s++) {
        if (s > 0)
            make_noise(&def, s - 1);
        loss[s] = definition_loss(&def);
        memcpy(y + (size_t)s * n_y, def.y[t->net->n_layers - 1], n_y * sizeof *y);
    }
    def.noise = 0;
    unit_seed(t->r.seed + 99);
    int n = draw_directions(t, dir);
    for (int k = 0; k < n; k++)
        define_slope(&def, &dir[k], loss[0], loss + 1);
    lam_tier_id best = lam_tier();
    for (int tier = 0; tier <= (int)best; tier++) {
        CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), &err));
        probe p = probed(t, t->data, training);
        compare_predictions(t, y, &p, how);
        compare_losses(t, loss, &p, how);
        compare_slopes(t, dir, n, &p, how);
        probe_free(&p);
    }
    for (int k = 0; k < n; k++)
        free(dir[k].v);
    free(y);
    definition_free(&def);
}

static void keeps_definition(trial *t)
{
    stir(t);
    check_definition(t, false);
    check_definition(t, true);
}

TEST(random_networks_and_their_gradients_keep_their_definition_on_every_tier)
{
    memset(&seen, 0, sizeof seen);
    each_trial(2000, RANDOM_SMALL, keeps_definition);
    printf("slopes %ld, skipped %ld; losses %ld, loose %ld; worst y %.2f loss %.2f slope %.2f of the tolerance\n", seen.slopes, seen.skipped,
           seen.losses, seen.loose, seen.worst_y, seen.worst_loss, seen.worst_slope);
}
