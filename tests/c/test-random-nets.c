/* Properties that hold for every network, tried on random ones.
 *
 * A network is a function of its seed.  A failure names the seed; LAMINA_RANDOM=<seed> before the
 * command tries that network alone and prints it, LAMINA_RANDOM=<first>-<last> tries these, and
 * LAMINA_STRESS=<multiple> so many times as many as usual. */
#include "base/fpu.h"
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

/* How many networks a property was tried on, where it does not apply to all. */
static long tried;

/* Networks 1 .. trials(full), or those that LAMINA_RANDOM names. */
static bool seeds(long full, uint64_t *first, uint64_t *last)
{
    const char *named = getenv("LAMINA_RANDOM");
    char *end = NULL;
    *first = named ? strtoull(named, &end, 10) : 1;
    *last = !named ? (uint64_t)trials(full) : *end == '-' ? strtoull(end + 1, NULL, 10) : *first;
    return named == NULL;
}

/* Was a property tried on at least one in so many networks?  Of few or chosen ones nobody can say. */
static bool often(long full, long one_in)
{
    uint64_t first, last;
    bool asked = seeds(full, &first, &last) && trials(full) >= full;
    return !asked || tried > (long)last / one_in;
}

/* Calls fn for each network. */
static void each_trial(long full, random_size size, void (*fn)(trial *t))
{
    uint64_t first, last;
    bool chosen = !seeds(full, &first, &last) && first == last;
    CHECK_OK(lam_threads_set(1, &err));
    uint64_t mode = lam_fpu_enter(); /* as whoever calls the engine does */
    for (uint64_t seed = first; seed <= last; seed++) {
        trial t;
        if (!trial_new(&t, seed, size))
            break;
        if (chosen)
            random_print(stderr, &t.r, t.net);
        fn(&t);
        trial_free(&t);
    }
    lam_fpu_leave(mode);
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
    const float *dx = NULL;
    CHECK_OK(lam_loop_probe(loop, training, &p.loss, &dx, &err));
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
        if (n + 3 > MAX_SLOPES)
            continue;
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
        if (!(dir[k].tol <= 0.02 * scale + 1e-5 * top)) {
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
    seen.loose += !(tol <= 1e-3 * size);
    if (!isfinite(loss[0])) /* the definition's logarithm of 0, where weighted sums are in the hundreds */
        return;
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
    if (getenv("LAMINA_STRESS") || getenv("LAMINA_RANDOM"))
        fprintf(stderr, "%ld slopes, %ld left out; %ld losses, %ld unsure; at most %.2f, %.2f and %.2f of what outputs, losses and slopes may be off\n",
                seen.slopes, seen.skipped, seen.losses, seen.loose, seen.worst_y, seen.worst_loss, seen.worst_slope);
    if (!getenv("LAMINA_RANDOM"))
        CHECK(seen.skipped <= seen.slopes / 50 && seen.loose <= seen.losses / 50);
}

/* ---- what does not matter ------------------------------------------------------------------------ */

static bool same_bits(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i] && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

static double largest(const float *x, size_t n)
{
    double top = 0;
    for (size_t i = 0; i < n; i++)
        top = fmax(top, fabs(x[i]));
    return top;
}

static double farthest(const float *a, const float *b, size_t n)
{
    double top = 0;
    for (size_t i = 0; i < n; i++)
        top = fmax(top, fabs((double)a[i] - b[i]));
    return top;
}

/* One by one, all at once, in batches of any size. */
static void splits_batches(trial *t)
{
    size_t n = t->data->n, n_y = n * out_count(t);
    float *all = predicted(t, t->data->x, n, n);
    size_t sizes[3] = {1, t->r.batch, n / 2 + 1};
    for (int i = 0; i < 3; i++) {
        float *y = predicted(t, t->data->x, n, sizes[i]);
        if (!same_bits(y, all, n_y))
            bad(&t->r, "predictions in batches of %zu are off by %.3g of %.3g", sizes[i], farthest(y, all, n_y), largest(all, n_y));
        free(y);
    }
    free(all);
}

/* Rounded products too. */
static void splits_rounded_batches(trial *t)
{
    t->net->bf16 = true;
    splits_batches(t);
}

TEST(random_predictions_do_not_depend_on_the_batch)
{
    each_trial(2000, RANDOM_SMALL, splits_batches);
    each_trial(300, RANDOM_LARGE, splits_batches);
    each_trial(300, RANDOM_LARGE, splits_rounded_batches);
}

/* Wide networks on the lower tiers: sums in other orders, and here and there another side of a kink. */
static void tiers_agree(trial *t)
{
    lam_tier_id best = lam_tier();
    size_t n_y = t->data->n * out_count(t);
    stir(t);
    probe a = probed(t, t->data, !t->r.draws);
    double top = largest(a.y, n_y), steep = largest_gradient(t, &a);
    for (int tier = 0; tier < (int)best; tier++) {
        CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), &err));
        probe b = probed(t, t->data, !t->r.draws);
        if (!(farthest(a.y, b.y, n_y) <= 1e-4 * top))
            bad(&t->r, "%s: predictions are off by %.3g of %.3g", lam_tier_name(lam_tier()), farthest(a.y, b.y, n_y), top);
        EACH_TRAINED(t->net, layer, w) {
            double off = farthest(a.grads + w->offset, b.grads + w->offset, w->count);
            if (!(off <= 1e-3 * steep))
                bad(&t->r, "%s: gradient of %s is off by %.3g of %.3g", lam_tier_name(lam_tier()), w->name, off, steep);
        }
        probe_free(&b);
    }
    CHECK_OK(lam_tier_set(lam_tier_name(best), &err));
    probe_free(&a);
}

TEST(random_wide_networks_agree_on_every_tier)
{
    each_trial(200, RANDOM_LARGE, tiers_agree);
}

/* New data of n samples: number from[i] of the old ones, with the weight times `weight`. */
static lam_data *picked(const trial *t, const size_t *from, size_t n, double weight)
{
    const lam_data *old = t->data;
    lam_data *data = NULL;
    CHECK_OK(lam_data_new(&data, n, old->x_d, old->y_d, old->w || weight != 1, false, 0, &err));
    for (size_t i = 0; i < n; i++) {
        memcpy(data->x + i * old->x_d, old->x + from[i] * old->x_d, old->x_d * sizeof(float));
        memcpy(data->y + i * old->y_d, old->y + from[i] * old->y_d, old->y_d * sizeof(float));
        if (data->w)
            data->w[i] = (old->w ? old->w[from[i]] : 1) * (float)weight;
    }
    return data;
}

/* Sums in another order: how far the gradients of two batches may be apart.  Normalization by the batch's
 * own moments makes more of it. */
static double rounding(const trial *t)
{
    double off = 1e-5;
    for (int i = 0; i < t->net->n_layers; i++)
        if (t->net->layers[i].flags & LAM_LAYER_WHOLE_BATCH)
            off *= 10;
    return off;
}

static void compare_gradients(const trial *t, const probe *a, const probe *b, const char *what)
{
    /* below a thousandth a gradient may be what rounding leaves of nothing */
    double top = fmax(1e-3, fmax(largest_gradient(t, a), largest_gradient(t, b))), tol = rounding(t);
    if (!(fabs(a->loss - b->loss) <= tol * fmax(1, fabs(a->loss))))
        bad(&t->r, "%s: loss %.9g, not %.9g", what, b->loss, a->loss);
    EACH_TRAINED(t->net, layer, w) {
        const float *ga = a->grads + w->offset, *gb = b->grads + w->offset;
        double off = farthest(ga, gb, w->count);
        if (!(off <= tol * top))
            bad(&t->r, "%s: gradient of %s is off by %.3g, the largest is %.3g", what, w->name, off, top);
    }
}

/* The rows in another order. */
static void permutes(trial *t)
{
    size_t n = t->data->n, out = out_count(t), in = t->data->x_d, *order = room(n, sizeof *order);
    stir(t);
    for (size_t i = 0; i < n; i++) {
        size_t j = (size_t)unit_uniform(0, (double)i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    lam_data *other = picked(t, order, n, 1);
    float *y = predicted(t, t->data->x, n, n), *z = predicted(t, other->x, n, n);
    for (size_t i = 0; i < n; i++)
        if (!same_bits(z + i * out, y + order[i] * out, out))
            bad(&t->r, "row %zu predicts something else as row %zu", order[i], i);
    probe a = probed(t, t->data, !t->r.draws), b = probed(t, other, !t->r.draws);
    compare_gradients(t, &a, &b, "permuted");
    double top = fmax(1e-3, largest_gradient(t, &a));
    for (size_t i = 0; !t->r.ids && i < n; i++)
        if (!(farthest(b.dx + i * in, a.dx + order[i] * in, in) <= rounding(t) * top))
            bad(&t->r, "permuted: gradient by row %zu is off by %.3g of %.3g", i, farthest(b.dx + i * in, a.dx + order[i] * in, in), top);
    probe_free(&a);
    probe_free(&b);
    lam_data_free(other);
    free(order);
    free(y);
    free(z);
}

TEST(random_networks_do_not_care_for_the_order_of_rows)
{
    each_trial(2000, RANDOM_SMALL, permutes);
    each_trial(100, RANDOM_LARGE, permutes);
}

/* Each row twice: where losses are summed the same as weights of two, where they are averaged the same
 * as each row once.  In training only without random numbers, which are drawn by the row. */
static void duplicates(trial *t)
{
    size_t n = t->data->n, *twice = room(2 * n, sizeof *twice);
    stir(t);
    for (size_t i = 0; i < 2 * n; i++)
        twice[i] = i / 2;
    size_t *once = room(n, sizeof *once);
    for (size_t i = 0; i < n; i++)
        once[i] = i;
    lam_data *two = picked(t, twice, 2 * n, 1), *weights = picked(t, once, n, t->r.sum_loss ? 2 : 1);
    probe a = probed(t, weights, !t->r.draws), b = probed(t, two, !t->r.draws);
    compare_gradients(t, &a, &b, "each row twice");
    probe_free(&a);
    probe_free(&b);
    lam_data_free(two);
    lam_data_free(weights);
    free(twice);
    free(once);
}

TEST(random_networks_take_a_row_twice_for_a_weight_of_two)
{
    each_trial(2000, RANDOM_SMALL, duplicates);
    each_trial(100, RANDOM_LARGE, duplicates);
}

/* Sparse inputs as they are, and the same made dense. */
static void sparse_like_dense(trial *t)
{
    lam_data *dense = t->data, *sparse = NULL;
    size_t n = dense->n, d = dense->x_d, nonzeros = 0;
    if (!lam_net_takes_sparse(t->net, 0) || t->r.padded)
        return;
    stir(t);
    for (size_t i = 0; i < n * d; i++) {
        if (unit_uniform(0, 1) < 0.7)
            dense->x[i] = 0;
        nonzeros += dense->x[i] != 0;
    }
    CHECK_OK(lam_data_new(&sparse, n, d, dense->y_d, dense->w != NULL, true, nonzeros, &err));
    int *start = calloc(d + 1, sizeof *start), *row = room(nonzeros, sizeof *row);
    double *value = room(nonzeros, sizeof *value);
    for (size_t j = 0, k = 0; j < d; j++) {
        for (size_t i = 0; i < n; i++)
            if (dense->x[i * d + j] != 0) {
                row[k] = (int)i;
                value[k++] = dense->x[i * d + j];
            }
        start[j + 1] = (int)k;
    }
    CHECK_OK(lam_data_set_columns(sparse, start, row, value, &err));
    memcpy(sparse->y, dense->y, n * dense->y_d * sizeof(float));
    if (dense->w)
        memcpy(sparse->w, dense->w, n * sizeof(float));
    probe p[2] = {{0}};
    trial other = {.r = t->r, .net = random_net_new(&t->r)};
    memcpy(other.net->weights, t->net->weights, t->net->n * sizeof(float));
    for (int s = 0; s < 2; s++) { /* the first batch of a training */
        lam_loop *loop = new_loop(s ? &other : t, s ? sparse : dense, n, LAM_LOOP_TRAIN);
        CHECK_OK(lam_loop_start(loop, true, 1, &err));
        if (lam_loop_run(loop, 1, 1e9, &err) == LAM_OK) {
            p[s].loss = loop->last_loss;
            p[s].grads = room(t->net->n, sizeof(float));
            p[s].dx = calloc(n * d, sizeof(float));
            memcpy(p[s].grads, loop->plan->grads, t->net->n * sizeof(float));
        }
        lam_loop_free(loop);
    }
    if ((p[0].grads == NULL) != (p[1].grads == NULL))
        bad(&t->r, "sparse inputs end otherwise than dense ones");
    else if (p[0].grads)
        compare_gradients(t, &p[0], &p[1], "sparse");
    probe_free(&p[0]);
    probe_free(&p[1]);
    tried++;
    lam_net_free(other.net);
    lam_data_free(sparse);
    free(start);
    free(row);
    free(value);
}

TEST(random_networks_take_sparse_inputs_for_the_same_as_dense_ones)
{
    tried = 0;
    each_trial(2000, RANDOM_SMALL, sparse_like_dense);
    each_trial(100, RANDOM_LARGE, sparse_like_dense);
    CHECK(often(2000, 80));
}

/* ---- the plan of a pass -------------------------------------------------------------------------------- */

/* Outputs and gradients of all samples in batches of `rows`, given the gradient by the output. */
static probe passed(const trial *t, size_t rows, lam_plan_kind kind, const float *dy)
{
    size_t n = t->data->n, in = t->data->x_d, out = out_count(t);
    probe p = {.y = room(n * out, sizeof(float)), .grads = room(t->net->n, sizeof(float)), .dx = room(n * in, sizeof(float))};
    lam_plan *plan = NULL;
    CHECK_OK(lam_plan_new(&plan, t->net, 0, t->net->n_layers, rows, kind, &err));
    for (size_t at = 0; at < n; at += rows) {
        size_t k = n - at < rows ? n - at : rows;
        lam_run run = {.rows = k, .first_row = at, .training = true, .linear_head = lam_net_fuses_head(t->net), .seed = 3, .step = 11};
        memcpy(p.y + at * out, lam_plan_forward(plan, t->data->x + at * in, &run), k * out * sizeof(float));
        memcpy(lam_plan_output_gradient(plan), dy + at * out, k * out * sizeof(float));
        const float *dx = lam_plan_backward(plan, t->data->x + at * in, &run, at > 0);
        if (dx)
            memcpy(p.dx + at * in, dx, k * in * sizeof(float));
    }
    for (int s = 0; s < plan->n_segments; s++)
        tried += rows == n && plan->segment[s].part > 0;
    memcpy(p.grads, plan->grads, t->net->n * sizeof(float));
    lam_plan_free(plan);
    return p;
}

static bool goes_by_rows(const trial *t)
{
    for (int i = 0; i < t->net->n_layers; i++) {
        const lam_layer *layer = &t->net->layers[i];
        if ((layer->flags & LAM_LAYER_WHOLE_BATCH) || layer->activity.l1 != 0 || layer->activity.l2 != 0)
            return false;
    }
    return true;
}

/* A batch at once, whose plan may go depth first and in parts, is what small batches are, one after the
 * other; and whether the gradient by the inputs is wanted does not change the others. */
static void passes_in_parts(trial *t)
{
    size_t n = t->data->n, out = out_count(t), in = t->data->x_d;
    stir(t);
    float *dy = room(n * out, sizeof *dy);
    unit_fill(dy, n * out, -1, 1);
    probe all = passed(t, n, LAM_PLAN_TRAIN_INPUT, dy), weights = passed(t, n, LAM_PLAN_TRAIN, dy);
    if (!same_bits(all.y, weights.y, n * out))
        bad(&t->r, "outputs depend on whether the gradient by the inputs is wanted");
    EACH_TRAINED(t->net, layer, w)
        if (!same_bits(all.grads + w->offset, weights.grads + w->offset, w->count))
            bad(&t->r, "gradients of %s of %s depend on whether that by the inputs is wanted", w->name, layer->name);
    probe_free(&weights);
    if (goes_by_rows(t)) {
        probe few = passed(t, n / 7 + 1, LAM_PLAN_TRAIN_INPUT, dy);
        if (!same_bits(all.y, few.y, n * out) || (!t->r.ids && !same_bits(all.dx, few.dx, n * in)))
            bad(&t->r, "outputs or gradients by the inputs depend on how a batch is cut");
        double top = largest_gradient(t, &all);
        EACH_TRAINED(t->net, layer, w) {
            double off = farthest(all.grads + w->offset, few.grads + w->offset, w->count);
            if (!(off <= 2e-5 * top))
                bad(&t->r, "in parts the gradient of %s is off by %.3g of %.3g", w->name, off, top);
        }
        probe_free(&few);
    }
    probe_free(&all);
    free(dy);
}

TEST(random_batches_pass_at_once_as_they_pass_in_parts)
{
    each_trial(2000, RANDOM_SMALL, passes_in_parts);
    tried = 0;
    each_trial(400, RANDOM_LARGE, passes_in_parts);
    CHECK(often(400, 20)); /* depth first */
}

/* ---- training ---------------------------------------------------------------------------------------- */

/* Some batches of an epoch. */
static lam_status train(const trial *t, const lam_data *data, size_t batches, uint64_t epoch)
{
    lam_loop *loop = new_loop(t, data, t->r.batch, LAM_LOOP_TRAIN);
    CHECK_OK(lam_loop_start(loop, true, epoch, &err));
    lam_status status = lam_loop_run(loop, batches, 1e9, &err);
    lam_loop_free(loop);
    return status;
}

static bool has(const lam_spec *spec, const char *name)
{
    return lam_args_get(&spec->config, name) != NULL;
}

/* What moves weights even though nothing is to be learnt, as in Keras: penalties, decay, constraints; and
 * Ftrl, whose first step sends weights without gradients to 0. */
static bool moves_by_itself(const trial *t)
{
    bool moves = strcmp(t->r.optimizer.type, "ftrl") == 0 || strcmp(t->r.optimizer.type, "adam_w") == 0 ||
                 has(&t->r.optimizer, "weight_decay");
    for (int i = 0; i < t->net->n_layers; i++) {
        const lam_layer *layer = &t->net->layers[i];
        moves |= layer->activity.l1 != 0 || layer->activity.l2 != 0;
        for (int w = 0; w < layer->n_weights; w++)
            moves |= layer->weight[w].reg.l1 != 0 || layer->weight[w].reg.l2 != 0 || layer->weight[w].constraint.id != LAM_CONSTRAINT_none;
    }
    return moves;
}

static void weighs_nothing(trial *t)
{
    size_t n = t->data->n, *all = room(n, sizeof *all);
    for (size_t i = 0; i < n; i++)
        all[i] = i;
    lam_data *data = picked(t, all, n, 0);
    free(all);
    if (!moves_by_itself(t)) {
        float *before = room(t->net->n, sizeof *before);
        memcpy(before, t->net->weights, t->net->n * sizeof *before);
        lam_loop *loop = new_loop(t, data, t->r.batch, LAM_LOOP_TRAIN);
        CHECK_OK(lam_loop_start(loop, true, 1, &err));
        CHECK_OK(lam_loop_run(loop, 4, 1e9, &err));
        if (lam_loop_loss(loop) != 0)
            bad(&t->r, "weights of 0 give a loss of %g", lam_loop_loss(loop));
        EACH_TRAINED(t->net, layer, w)
            if (!same_bits(before + w->offset, t->net->weights + w->offset, w->count))
                bad(&t->r, "samples with weight 0 move %s of %s", w->name, layer->name);
        lam_loop_free(loop);
        free(before);
        tried++;
    }
    lam_data_free(data);
}

TEST(random_networks_learn_nothing_from_samples_without_weight)
{
    tried = 0;
    each_trial(2000, RANDOM_SMALL, weighs_nothing);
    CHECK(often(2000, 4));
}

/* A number that stands for everything training leaves behind, and what is predicted then. */
static uint64_t hash(uint64_t h, const void *from, size_t bytes)
{
    const unsigned char *at = from;
    for (size_t i = 0; i < bytes; i++)
        h = (h ^ at[i]) * 0x100000001b3u;
    return h;
}

static uint64_t state_of(const trial *t, lam_status status)
{
    const lam_net *net = t->net;
    uint64_t h = hash(0xcbf29ce484222325u, &status, sizeof status);
    h = hash(h, net->weights, net->n * sizeof(float));
    for (int s = 0; s < net->n_slots; s++)
        h = hash(h, net->slot[s], net->n * sizeof(float));
    float *y = predicted(t, t->data->x, t->data->n, t->data->n);
    h = hash(h, y, t->data->n * out_count(t) * sizeof *y);
    free(y);
    return h;
}

enum { MOST_SEEDS = 100000 }; /* at a time */
static uint64_t with_one[MOST_SEEDS];
static int n_threads;

static void threads_agree(trial *t)
{
    uint64_t h = state_of(t, train(t, t->data, 4, 1)), *one = &with_one[t->r.seed % MOST_SEEDS];
    if (n_threads == 1)
        *one = h;
    else if (h != *one)
        bad(&t->r, "%d threads give other bits than one", n_threads);
}

/* All networks on so many threads, then on so many: threads are started once for each number. */
static void try_threads(random_size size, long full)
{
    static const int counts[] = {1, 2, 3, 7};
    uint64_t first, last;
    seeds(full, &first, &last);
    uint64_t mode = lam_fpu_enter(); /* else this thread alone would have denormal numbers */
    for (int k = 0; k < 4; k++) {
        n_threads = counts[k];
        CHECK_OK(lam_threads_set(n_threads, &err));
        for (uint64_t seed = first; seed <= last; seed++) {
            trial t;
            if (!trial_new(&t, seed, size))
                return;
            t.net->bf16 = seed % 5 == 0;
            threads_agree(&t);
            trial_free(&t);
        }
    }
    lam_threads_stop();
    lam_fpu_leave(mode);
}

TEST(random_networks_train_to_the_same_bits_on_any_number_of_threads)
{
    try_threads(RANDOM_SMALL, 1000);
    try_threads(RANDOM_LARGE, 300);
}

/* ---- masks ------------------------------------------------------------------------------------------- */

/* The loss, and gradients, with other numbers at padded steps: in the row of the embedding for id 0. */
static void heeds_masks(trial *t)
{
    const lam_layer *first = &t->net->layers[0];
    if (!t->r.heeds || strcmp(first->type->name, "embedding") != 0)
        return;
    float *row = t->net->weights + first->weight[0].offset;
    size_t d = lam_shape_last(&first->out), n_y = t->data->n * out_count(t);
    definition def;
    if (first->weight[0].reg.l1 != 0 || first->weight[0].reg.l2 != 0)
        return; /* the numbers at padded steps have a penalty */
    stir(t);
    definition_new(&def, &t->r, t->net, t->data, false);
    definition_loss(&def); /* for the mask that reaches the end */
    const unsigned char *mask = def.mask[t->net->n_layers - 1];
    for (int training = 0; training < 2; training++) {
        probe a = probed(t, t->data, training);
        for (size_t j = 0; j < d; j++)
            row[j] = (float)unit_uniform(-3, 3);
        probe b = probed(t, t->data, training);
        for (size_t i = 0; i < n_y; i++)
            if ((!mask || mask[i / def.d]) && a.y[i] != b.y[i])
                bad(&t->r, "padding moves prediction %zu from %g to %g", i, (double)a.y[i], (double)b.y[i]);
        if (a.loss != b.loss)
            bad(&t->r, "padding moves the loss from %.9g to %.9g", a.loss, b.loss);
        EACH_TRAINED(t->net, layer, w)
            if (!same_bits(a.grads + w->offset, b.grads + w->offset, w->count))
                bad(&t->r, "padding moves the gradient of %s of %s", w->name, layer->name);
        for (size_t j = 0; j < d && first->trainable; j++)
            if (a.grads[first->weight[0].offset + j] != 0)
                bad(&t->r, "padding is learnt");
        probe_free(&a);
        probe_free(&b);
    }
    tried++;
    definition_free(&def);
}

/* Two more steps of padding behind each sequence. */
static void heeds_length(trial *t)
{
    trial longer = {.r = t->r};
    size_t steps = t->r.in.dim[0], step = t->r.ids ? 1 : t->r.in.dim[1], n = t->data->n, out = out_count(t);
    longer.r.in.dim[0] = steps + 2;
    if (!t->r.heeds || lam_net_new(&longer.net, longer.r.layer, longer.r.n, &longer.r.in, NULL) != LAM_OK)
        return;
    lam_net_free(longer.net);
    longer.net = random_net_new(&longer.r);
    stir(t);
    const lam_layer *last = &t->net->layers[t->net->n_layers - 1];
    size_t more = out_count(&longer);
    if (longer.net->n == t->net->n && (more == out || last->mask_out == steps)) {
        memcpy(longer.net->weights, t->net->weights, t->net->n * sizeof(float));
        float *x = calloc(n * (steps + 2) * step, sizeof *x);
        for (size_t i = 0; i < n; i++)
            memcpy(x + i * (steps + 2) * step, t->data->x + i * steps * step, steps * step * sizeof *x);
        float *a = predicted(t, t->data->x, n, n), *b = predicted(&longer, x, n, n);
        double top = largest(a, n * out);
        definition def;
        definition_new(&def, &t->r, t->net, t->data, false);
        definition_loss(&def);
        const unsigned char *mask = def.mask[t->net->n_layers - 1];
        for (size_t k = 0; k < n * def.per; k++) {
            const float *ya = a + k * def.d, *yb = b + k / def.per * more + k % def.per * def.d;
            if ((!mask || mask[k]) && !(farthest(ya, yb, def.d) <= 1e-5 * top))
                bad(&t->r, "more padding moves row %zu by %.3g of %.3g", k, farthest(ya, yb, def.d), top);
        }
        definition_free(&def);
        tried++;
        free(x);
        free(a);
        free(b);
    }
    lam_net_free(longer.net);
}

TEST(random_networks_do_not_see_what_is_masked)
{
    tried = 0;
    each_trial(2000, RANDOM_SMALL, heeds_masks);
    CHECK(often(2000, 25));
    tried = 0;
    each_trial(2000, RANDOM_SMALL, heeds_length);
    CHECK(often(2000, 15));
}

/* ---- saving and evaluating ---------------------------------------------------------------------------- */

/* Another network with the numbers of this one predicts and goes on training as this one does. */
static void carries_over(trial *t)
{
    trial next = *t;
    size_t count = lam_net_count(t->net), n = t->data->n;
    lam_status status = train(t, t->data, 2, 1);
    next.net = random_net_new(&t->r);
    float *packed = room(count, sizeof *packed);
    float *from[] = {t->net->weights, t->net->ema, t->net->accumulated}, *to[] = {next.net->weights, next.net->ema, next.net->accumulated};
    for (int i = 0; i < 3; i++)
        if (from[i]) {
            lam_net_pack(t->net, from[i], packed);
            lam_net_unpack(next.net, packed, to[i]);
        }
    for (int s = 0; s < t->net->n_slots; s++) {
        lam_net_pack(t->net, t->net->slot[s], packed);
        lam_net_unpack(next.net, packed, next.net->slot[s]);
    }
    next.net->batches = t->net->batches;
    float *a = predicted(t, t->data->x, n, n), *b = predicted(&next, t->data->x, n, n);
    if (!same_bits(a, b, n * out_count(t)))
        bad(&t->r, "a network with the same numbers predicts others");
    lam_status sa = train(t, t->data, 2, 2), sb = train(&next, t->data, 2, 2);
    lam_net_pack(t->net, t->net->weights, packed);
    float *other = room(count, sizeof *other);
    lam_net_pack(next.net, next.net->weights, other);
    if (sa != sb || (status == LAM_OK && !same_bits(packed, other, count)))
        bad(&t->r, "a network with the same numbers trains to others");
    free(packed);
    free(other);
    free(a);
    free(b);
    lam_net_free(next.net);
}

TEST(random_networks_are_their_numbers)
{
    each_trial(1000, RANDOM_SMALL, carries_over);
    each_trial(50, RANDOM_LARGE, carries_over);
}

/* The loss of testing, batch by batch, from what is predicted, in double precision. */
static void evaluates(trial *t)
{
    size_t n = t->data->n, n_y = n * out_count(t);
    definition def;
    stir(t);
    definition_new(&def, &t->r, t->net, t->data, false);
    definition_loss(&def); /* for masks and penalties of outputs */
    float *y = predicted(t, t->data->x, n, n);
    double *pred[3], want[3] = {0};
    for (int s = 0; s < 3; s++) { /* as they are, and what their last digits may be */
        pred[s] = room(n_y, sizeof(double));
        for (size_t i = 0; i < n_y; i++)
            pred[s][i] = y[i] * (1 + (s - 1) * 0x1p-22 * (i % 2 ? 1 : -1)) ;
        for (size_t at = 0; at < n; at += t->r.batch) {
            size_t rows = n - at < t->r.batch ? n - at : t->r.batch;
            want[s] += (double)rows / (double)n * (definition_score(&def, pred[s], at, rows) + definition_penalty(&def, at, rows));
        }
    }
    double tol = 4 * fmax(fabs(want[0] - want[1]), fabs(want[2] - want[1])) + 2e-6 * fmax(1, fabs(want[1]));
    lam_loop *loop = new_loop(t, t->data, t->r.batch, LAM_LOOP_TEST);
    CHECK_OK(lam_loop_start(loop, false, 1, &err));
    CHECK_OK(lam_loop_run(loop, SIZE_MAX, 1e9, &err));
    if (!(fabs(lam_loop_loss(loop) - want[1]) <= tol))
        bad(&t->r, "the loss is %.9g, that of the predictions %.9g (+- %.2g)", lam_loop_loss(loop), want[1], tol);
    lam_loop_free(loop);
    for (int s = 0; s < 3; s++)
        free(pred[s]);
    free(y);
    definition_free(&def);
}

TEST(random_losses_are_those_of_the_predictions)
{
    each_trial(2000, RANDOM_SMALL, evaluates);
}

/* ---- the draw ---------------------------------------------------------------------------------------- */

TEST(random_networks_have_every_layer_activation_loss_and_initializer)
{
    memset(&random_drawn, 0, sizeof random_drawn);
    for (uint64_t seed = 1; seed <= (uint64_t)2000; seed++) {
        random_net r;
        random_network(&r, seed, RANDOM_SMALL);
    }
    for (size_t i = 0; lam_layer_types[i]; i++)
        if (random_drawn.layer[i] == 0)
            unit_fail(__FILE__, __LINE__, "no random network has a layer %s", lam_layer_types[i]->name);
    for (int i = 0; i < LAM_ACT_COUNT; i++)
        if (random_drawn.activation[i] == 0)
            unit_fail(__FILE__, __LINE__, "no random network has %s", lam_activation_type_of((lam_act_id)i)->name);
    for (size_t i = 0; lam_loss_types[i]; i++)
        if (random_drawn.loss[i] == 0)
            unit_fail(__FILE__, __LINE__, "no random network has the loss %s", lam_loss_types[i]->name);
    for (int i = 0; i < LAM_INIT_COUNT; i++)
        if (random_drawn.initializer[i] == 0)
            unit_fail(__FILE__, __LINE__, "no random network has weights that start as %s", lam_initializer_name((lam_initializer_id)i));
    for (size_t i = 0; lam_optimizer_types[i]; i++)
        if (random_drawn.optimizer[i] == 0)
            unit_fail(__FILE__, __LINE__, "no random network is trained by %s", lam_optimizer_types[i]->name);
}
