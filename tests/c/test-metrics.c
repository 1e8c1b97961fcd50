/* Every metric against its definition over the whole data, in double precision, whatever batches the
 * data come in. */
#include "nn/metric.h"

#include "loss-reference.h"
#include "unit.h"

enum { MAX_ROWS = 301, MAX_D = 7, MAX_ARGS = 3 };

typedef struct number {
    const char *name;
    double value;
    const char *string; /* instead of the number */
} number;

/* Rows of targets and predictions; the reference functions see doubles. */
typedef struct data {
    size_t rows, d, y_d;
    double y[MAX_ROWS * MAX_D], p[MAX_ROWS * MAX_D], w[MAX_ROWS];
} data;

typedef enum { REAL, POSITIVE, BINARY, ONE_HOT, SPARSE, SIGNS } domain;

typedef struct test_case test_case;
typedef double (*reference)(const test_case *c, const data *x);

struct test_case {
    const char *name;
    reference ref;
    domain domain;
    number config[MAX_ARGS];
    const char *loss; /* for means of a loss: its name */
};

static const number *find(const test_case *c, const char *name)
{
    for (int i = 0; i < MAX_ARGS && c->config[i].name; i++)
        if (strcmp(c->config[i].name, name) == 0)
            return &c->config[i];
    return NULL;
}

static double option(const test_case *c, const char *name, double otherwise)
{
    const number *found = find(c, name);
    return found ? found->value : otherwise;
}

static bool chosen(const test_case *c, const char *name, const char *choice, bool otherwise)
{
    const number *found = find(c, name);
    return found ? strcmp(found->string, choice) == 0 : otherwise;
}

/* ---- definitions ----------------------------------------------------------------------------- */

typedef double (*row_fn)(const test_case *c, size_t d, const double *y, const double *p);

static double mean_of(const test_case *c, const data *x, row_fn row)
{
    double sum = 0, total = 0;
    for (size_t r = 0; r < x->rows; r++) {
        sum += x->w[r] * row(c, x->d, x->y + r * x->y_d, x->p + r * x->d);
        total += x->w[r];
    }
    return sum / total;
}

static double loss_row(const test_case *c, size_t d, const double *y, const double *p)
{
    return loss_reference(c->loss ? c->loss : c->name, d, y, p);
}

static double ref_loss(const test_case *c, const data *x)
{
    return mean_of(c, x, loss_row);
}

static double ref_rmse(const test_case *c, const data *x)
{
    return sqrt(mean_of(c, x, loss_row));
}

static double ref_cosine(const test_case *c, const data *x)
{
    return -mean_of(c, x, loss_row);
}

static double binary_row(const test_case *c, size_t d, const double *y, const double *p)
{
    double hits = 0;
    for (size_t j = 0; j < d; j++)
        hits += (p[j] > option(c, "threshold", 0.5)) == (y[j] == 1);
    return hits / (double)d;
}

static double ref_binary_accuracy(const test_case *c, const data *x)
{
    return mean_of(c, x, binary_row);
}

/* How many predictions are larger than that of the true class (or, where ties do not count, equal
 * and earlier). */
static size_t rank_of_truth(const test_case *c, size_t d, const double *y, const double *p, bool ties)
{
    size_t label = 0, larger = 0;
    if (c->domain == SPARSE)
        label = (size_t)y[0];
    else
        while (y[label] != 1)
            label++;
    for (size_t j = 0; j < d; j++)
        larger += p[j] > p[label] || (!ties && p[j] == p[label] && j < label);
    return larger;
}

static double accuracy_row(const test_case *c, size_t d, const double *y, const double *p)
{
    return rank_of_truth(c, d, y, p, false) == 0;
}

static double ref_accuracy(const test_case *c, const data *x)
{
    return mean_of(c, x, accuracy_row);
}

static double top_row(const test_case *c, size_t d, const double *y, const double *p)
{
    return (double)rank_of_truth(c, d, y, p, true) < option(c, "k", 5);
}

static double ref_top(const test_case *c, const data *x)
{
    return mean_of(c, x, top_row);
}

typedef struct counts {
    double tp, fp, fn, tn;
} counts;

static counts count(const data *x, double threshold, size_t from, size_t to)
{
    counts n = {0};
    for (size_t r = 0; r < x->rows; r++)
        for (size_t j = from; j < to; j++) {
            bool truth = x->y[r * x->d + j] == 1, said = x->p[r * x->d + j] > threshold;
            *(truth ? (said ? &n.tp : &n.fn) : (said ? &n.fp : &n.tn)) += x->w[r];
        }
    return n;
}

static double ref_confusion(const test_case *c, const data *x)
{
    size_t k = (size_t)option(c, "class_id", 0);
    counts n = count(x, (double)(float)option(c, "thresholds", 0.5), k, find(c, "class_id") ? k + 1 : x->d);
    const struct {
        const char *name;
        double value;
    } results[] = {
        {"precision", n.tp / (n.tp + n.fp)}, {"recall", n.tp / (n.tp + n.fn)},
        {"true_positives", n.tp},            {"true_negatives", n.tn},
        {"false_positives", n.fp},           {"false_negatives", n.fn},
    };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (strcmp(results[i].name, c->name) == 0)
            return results[i].value;
    return (double)NAN;
}

static double ratio(double a, double b)
{
    return b == 0 ? 0 : a / b;
}

/* At every threshold by counting. */
static double ref_auc(const test_case *c, const data *x)
{
    size_t n = (size_t)option(c, "num_thresholds", 200);
    bool roc = chosen(c, "curve", "ROC", true);
    bool minor = chosen(c, "summation_method", "minoring", false);
    bool major = chosen(c, "summation_method", "majoring", false);
    double area = 0;
    counts a = count(x, -1e-7, 0, x->d), b;
    for (size_t t = 1; t < n; t++, a = b) {
        double threshold = t == n - 1 ? 1 + 1e-7 : (double)((float)t / (float)(n - 1));
        b = count(x, threshold, 0, x->d);
        double said_a = a.tp + a.fp, said_b = b.tp + b.fp, positives = a.tp + a.fn;
        double recall_a = ratio(a.tp, positives), recall_b = ratio(b.tp, positives);
        double width = roc ? ratio(a.fp, a.fp + a.tn) - ratio(b.fp, b.fp + b.tn) : recall_a - recall_b;
        double h_a = roc ? recall_a : ratio(a.tp, said_a), h_b = roc ? recall_b : ratio(b.tp, said_b);
        if (minor || major || roc) {
            area += width * (minor ? fmin(h_a, h_b) : major ? fmax(h_a, h_b) : (h_a + h_b) / 2);
            continue;
        }
        /* integral of (intercept + slope s) / s d(tp) with tp = intercept + slope s, numerically */
        double slope = ratio(a.tp - b.tp, said_a - said_b), intercept = b.tp - slope * said_b, sum = 0;
        if (said_b == 0) {
            area += slope * (a.tp - b.tp) / positives;
            continue;
        }
        for (int i = 0; i < 2000; i++) {
            double s = said_b + (said_a - said_b) * (i + 0.5) / 2000;
            sum += (intercept + slope * s) / s * slope * (said_a - said_b) / 2000;
        }
        area += sum / positives;
    }
    return area;
}

static double ref_fbeta(const test_case *c, const data *x)
{
    double beta = option(c, "beta", 1);
    double threshold = (double)(float)option(c, "threshold", x->d == 1 ? 0.5 : -1);
    bool micro = chosen(c, "average", "micro", false), weighted = chosen(c, "average", "weighted", false);
    double sum = 0, weights = 0, tp_all = 0, said_all = 0, true_all = 0;
    for (size_t j = 0; j < x->d; j++) {
        double tp = 0, said = 0, truth = 0;
        for (size_t r = 0; r < x->rows; r++) {
            const double *p = x->p + r * x->d;
            bool largest = true;
            for (size_t k = 0; k < x->d; k++)
                largest &= p[k] <= p[j];
            bool yes = threshold < 0 ? largest : p[j] > threshold;
            tp += yes ? x->w[r] * x->y[r * x->d + j] : 0;
            said += yes ? x->w[r] : 0;
            truth += x->w[r] * x->y[r * x->d + j];
        }
        /* F = (1 + b^2) tp / (b^2 positives + said), from precision tp / said and recall tp / positives */
        double f = ratio((1 + beta * beta) * tp, beta * beta * truth + said);
        sum += f * (weighted ? truth : 1);
        weights += weighted ? truth : 1;
        tp_all += tp;
        said_all += said;
        true_all += truth;
    }
    return micro ? (1 + beta * beta) * tp_all / (beta * beta * true_all + said_all) : sum / weights;
}

static double ref_r2(const test_case *c, const data *x)
{
    double n = (double)x->rows, k = option(c, "num_regressors", 0), sum = 0, weights = 0;
    for (size_t j = 0; j < x->d; j++) {
        double mean = 0, w = 0, total = 0, error = 0;
        for (size_t r = 0; r < x->rows; r++) {
            mean += x->w[r] * x->y[r * x->d + j];
            w += x->w[r];
        }
        mean /= w;
        for (size_t r = 0; r < x->rows; r++) {
            total += x->w[r] * pow(x->y[r * x->d + j] - mean, 2);
            error += x->w[r] * pow(x->y[r * x->d + j] - x->p[r * x->d + j], 2);
        }
        double weight = chosen(c, "class_aggregation", "variance_weighted_average", false) ? total : 1;
        sum += weight * (1 - error / total);
        weights += weight;
    }
    return 1 - (1 - sum / weights) * (k > 0 ? (n - 1) / (n - k - 1) : 1);
}

static const test_case cases[] = {
    {"binary_accuracy", ref_binary_accuracy, BINARY, {{0}}, NULL},
    {"binary_accuracy", ref_binary_accuracy, BINARY, {{"threshold", 0.25, NULL}}, NULL},
    {"categorical_accuracy", ref_accuracy, ONE_HOT, {{0}}, NULL},
    {"sparse_categorical_accuracy", ref_accuracy, SPARSE, {{0}}, NULL},
    {"top_k_categorical_accuracy", ref_top, ONE_HOT, {{0}}, NULL},
    {"top_k_categorical_accuracy", ref_top, ONE_HOT, {{"k", 2, NULL}}, NULL},
    {"sparse_top_k_categorical_accuracy", ref_top, SPARSE, {{0}}, NULL},
    {"sparse_top_k_categorical_accuracy", ref_top, SPARSE, {{"k", 3, NULL}}, NULL},
    {"precision", ref_confusion, BINARY, {{0}}, NULL},
    {"precision", ref_confusion, BINARY, {{"thresholds", 0.3, NULL}, {"class_id", 0, NULL}}, NULL},
    {"recall", ref_confusion, BINARY, {{0}}, NULL},
    {"recall", ref_confusion, BINARY, {{"thresholds", 0.7, NULL}, {"class_id", 0, NULL}}, NULL},
    {"true_positives", ref_confusion, BINARY, {{0}}, NULL},
    {"true_negatives", ref_confusion, BINARY, {{"thresholds", 0.4, NULL}}, NULL},
    {"false_positives", ref_confusion, BINARY, {{0}}, NULL},
    {"false_negatives", ref_confusion, BINARY, {{0}}, NULL},
    {"auc", ref_auc, BINARY, {{0}}, NULL},
    {"auc", ref_auc, BINARY, {{"curve", 0, "PR"}}, NULL},
    {"auc", ref_auc, BINARY, {{"num_thresholds", 11, NULL}, {"summation_method", 0, "minoring"}}, NULL},
    {"auc", ref_auc, BINARY, {{"num_thresholds", 50, NULL}, {"summation_method", 0, "majoring"}, {"curve", 0, "PR"}}, NULL},
    {"f1_score", ref_fbeta, ONE_HOT, {{0}}, NULL},
    {"f1_score", ref_fbeta, BINARY, {{"average", 0, "micro"}, {"threshold", 0.4, NULL}}, NULL},
    {"fbeta_score", ref_fbeta, ONE_HOT, {{"beta", 2, NULL}, {"average", 0, "weighted"}}, NULL},
    {"mean_squared_error", ref_loss, REAL, {{0}}, NULL},
    {"root_mean_squared_error", ref_rmse, REAL, {{0}}, "mean_squared_error"},
    {"mean_absolute_error", ref_loss, REAL, {{0}}, NULL},
    {"mean_absolute_percentage_error", ref_loss, REAL, {{0}}, NULL},
    {"mean_squared_logarithmic_error", ref_loss, POSITIVE, {{0}}, NULL},
    {"r2_score", ref_r2, REAL, {{0}}, NULL},
    {"r2_score", ref_r2, REAL, {{"num_regressors", 2, NULL}, {"class_aggregation", 0, "variance_weighted_average"}}, NULL},
    {"cosine_similarity", ref_cosine, REAL, {{0}}, NULL},
    {"binary_crossentropy", ref_loss, BINARY, {{0}}, NULL},
    {"categorical_crossentropy", ref_loss, ONE_HOT, {{0}}, NULL},
    {"sparse_categorical_crossentropy", ref_loss, SPARSE, {{0}}, NULL},
    {"binary_focal_crossentropy", ref_loss, BINARY, {{0}}, NULL},
    {"categorical_focal_crossentropy", ref_loss, ONE_HOT, {{0}}, NULL},
    {"kl_divergence", ref_loss, BINARY, {{0}}, NULL},
    {"poisson", ref_loss, POSITIVE, {{0}}, NULL},
    {"hinge", ref_loss, SIGNS, {{0}}, NULL},
    {"squared_hinge", ref_loss, SIGNS, {{0}}, NULL},
    {"categorical_hinge", ref_loss, ONE_HOT, {{0}}, NULL},
    {"log_cosh_error", ref_loss, REAL, {{0}}, "log_cosh"},
    {"huber", ref_loss, REAL, {{0}}, NULL},
};

/* ---- the comparison -------------------------------------------------------------------------- */

static lam_status read_metric(const char *name, const number *config, size_t d, size_t y_d,
                              lam_metric *metric, lam_error *err)
{
    lam_arg arg[MAX_ARGS];
    size_t n = 0;
    for (; config && n < MAX_ARGS && config[n].name; n++) {
        bool text = config[n].string != NULL;
        arg[n] = (lam_arg){.name = config[n].name, .n = 1};
        arg[n].kind = text ? LAM_ARG_STRINGS : LAM_ARG_NUMBERS;
        if (text)
            arg[n].strings = &config[n].string;
        else
            arg[n].numbers = &config[n].value;
    }
    return lam_metric_read(&(lam_spec){.type = name, .config = {n, arg}}, d, y_d, metric, err);
}

static lam_metric make_metric(const char *name, const number *config, size_t d, size_t y_d)
{
    lam_metric metric = {0};
    lam_error err;
    if (read_metric(name, config, d, y_d, &metric, &err) != LAM_OK)
        unit_fail(__FILE__, __LINE__, "%s: %s", name, err.message);
    return metric;
}

/* Floats, so that the references see what the metric sees; every fourth prediction lies on a round
 * number, where thresholds lie too. */
static void fill(data *x, domain dom, size_t rows, size_t d, bool weighted)
{
    *x = (data){.rows = rows, .d = d, .y_d = dom == SPARSE ? 1 : d};
    for (size_t r = 0; r < rows; r++) {
        double *y = x->y + r * x->y_d, *p = x->p + r * d;
        size_t label = (size_t)unit_uniform(0, (double)d);
        x->w[r] = weighted ? (double)(float)unit_uniform(0, 2) : 1;
        for (size_t j = 0; j < d; j++) {
            bool any = dom == REAL || dom == SIGNS, round_number = !any && (r + j) % 4 == 0;
            double v = any ? unit_uniform(-2, 2) : unit_uniform(0.03, 0.97);
            p[j] = (double)(float)(round_number ? round(v * 20) / 20 : v);
            if (dom == REAL)
                y[j] = (double)(float)(p[j] + unit_uniform(0.5, 1));
            else if (dom == POSITIVE)
                y[j] = (double)(float)unit_uniform(0, 2);
            else if (dom == BINARY)
                y[j] = unit_uniform(0, 1) < 0.3 + 0.4 * p[j];
            else if (dom == SIGNS)
                y[j] = j == 0 || unit_uniform(0, 1) < 0.5 ? -1 : 1;
            else if (dom == ONE_HOT)
                y[j] = j == label;
        }
        if (dom == SPARSE)
            y[0] = (double)label;
    }
}

/* The metric's result, the data coming in `batches` pieces. */
static double stream(const lam_metric *metric, const data *x, bool weighted, size_t batches)
{
    static float y[MAX_ROWS * MAX_D], p[MAX_ROWS * MAX_D], w[MAX_ROWS];
    double *state = calloc(metric->type->state_count(metric, x->d), sizeof *state);
    for (size_t b = 0; b < batches; b++) {
        size_t from = x->rows * b / batches, n = x->rows * (b + 1) / batches - from;
        for (size_t i = 0; i < n * x->y_d; i++)
            y[i] = (float)x->y[from * x->y_d + i];
        for (size_t i = 0; i < n * x->d; i++)
            p[i] = (float)x->p[from * x->d + i];
        for (size_t i = 0; i < n; i++)
            w[i] = (float)x->w[from + i];
        metric->type->update(metric, n, x->d, x->y_d, y, p, weighted ? w : NULL, state);
    }
    double result = metric->type->result(metric, x->d, state);
    free(state);
    return result;
}

TEST(metrics_follow_their_definitions_whatever_the_batches)
{
    static data x;
    static const size_t widths[] = {1, 2, MAX_D};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t k = 0; k < sizeof widths / sizeof *widths; k++)
            for (int weighted = 0; weighted < 2; weighted++) {
                const test_case *c = &cases[i];
                bool quadrature = strcmp(c->name, "auc") == 0 && chosen(c, "curve", "PR", false);
                fill(&x, c->domain, MAX_ROWS, widths[k], weighted);
                lam_metric metric = make_metric(c->name, c->config, x.d, x.y_d);
                double want = c->ref(c, &x), tol = quadrature ? 1e-5 : 2e-6;
                unit_rel(__FILE__, __LINE__, c->name, stream(&metric, &x, weighted, 1), want, tol, 0);
                unit_rel(__FILE__, __LINE__, c->name, stream(&metric, &x, weighted, 4), want, tol, 0);
            }
}

TEST(every_metric_of_the_list_has_a_definition_here)
{
    for (size_t i = 0; lam_metric_types[i]; i++) {
        bool found = false;
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
            found |= strcmp(cases[k].name, lam_metric_types[i]->name) == 0;
        if (!found)
            unit_fail(__FILE__, __LINE__, "metric %s is not tested", lam_metric_types[i]->name);
    }
    CHECK(!lam_metric_type_find("no_such_metric"));
}

TEST(metrics_of_nothing_are_0)
{
    static data x;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fill(&x, cases[i].domain, 0, 2, false);
        lam_metric metric = make_metric(cases[i].name, cases[i].config, x.d, x.y_d);
        CHECK_NEAR(stream(&metric, &x, false, 1), 0, 0);
    }
}

TEST(thresholds_are_strict_and_the_first_of_equals_wins)
{
    static data x = {.rows = 2, .d = 1, .y_d = 1, .y = {0, 1}, .p = {0.5, 0.75}};
    lam_metric m = make_metric("binary_accuracy", NULL, 1, 1);
    CHECK_NEAR(stream(&m, &x, false, 1), 1, 0);
    m = make_metric("false_positives", NULL, 1, 1);
    CHECK_NEAR(stream(&m, &x, false, 1), 0, 0);
    static data tie = {.rows = 2, .d = 3, .y_d = 1, .y = {0, 1}, .p = {0.4, 0.4, 0.2, 0.4, 0.4, 0.2}};
    m = make_metric("sparse_categorical_accuracy", NULL, 3, 1);
    CHECK_NEAR(stream(&m, &tie, false, 1), 0.5, 0);
    m = make_metric("sparse_top_k_categorical_accuracy", (number[MAX_ARGS]){{"k", 1, NULL}}, 3, 1);
    CHECK_NEAR(stream(&m, &tie, false, 1), 1, 0);
}

TEST(auc_of_a_small_example)
{
    /* three thresholds: -1e-7, 0.5, 1 + 1e-7; tp 2 1 0, fp 2 0 0 */
    static data x = {.rows = 4, .d = 1, .y_d = 1, .y = {0, 0, 1, 1}, .p = {0, 0.5, 0.3, 0.9}};
    lam_metric m = make_metric("auc", (number[MAX_ARGS]){{"num_thresholds", 3, NULL}}, 1, 1);
    CHECK_NEAR(stream(&m, &x, false, 1), 0.75, 1e-12);
}

TEST(the_words_accuracy_and_crossentropy_follow_the_shapes)
{
    static const struct {
        const char *word;
        size_t d, y_d;
        const char *type;
    } words[] = {
        {"accuracy", 1, 1, "binary_accuracy"},
        {"acc", 3, 3, "categorical_accuracy"},
        {"acc", 3, 1, "sparse_categorical_accuracy"},
        {"crossentropy", 1, 1, "binary_crossentropy"},
        {"ce", 3, 3, "categorical_crossentropy"},
        {"ce", 3, 1, "sparse_categorical_crossentropy"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        lam_metric m = make_metric(words[i].word, NULL, words[i].d, words[i].y_d);
        CHECK(strcmp(m.type->name, words[i].type) == 0);
        CHECK(strcmp(m.name, words[i].word) == 0);
    }
    for (size_t i = 0; lam_metric_aliases[i]; i += 2) {
        lam_metric m = make_metric(lam_metric_aliases[i], NULL, 1, 1);
        CHECK(strcmp(m.name, lam_metric_aliases[i]) == 0);
    }
    lam_metric m = make_metric("mae", (number[MAX_ARGS]){{"name", 0, "mine"}}, 1, 1);
    CHECK(strcmp(m.name, "mine") == 0);
}

TEST(a_metric_ignores_rows_that_its_loss_ignores)
{
    static data x = {.rows = 2, .d = 2, .y_d = 1, .y = {1, -1}, .p = {0.25, 0.75, 0.5, 0.5}};
    lam_metric m = make_metric("sparse_categorical_crossentropy", (number[MAX_ARGS]){{"ignore_class", -1, NULL}}, 2, 1);
    CHECK_REL(stream(&m, &x, false, 1), -log(0.75), 1e-7, 0);
}

TEST(hinge_labels_are_judged_by_the_whole_batch)
{
    static data x = {.rows = MAX_ROWS, .d = 1, .y_d = 1}; /* 300 labels 0, and then a -1 */
    x.y[MAX_ROWS - 1] = -1;
    lam_metric m = make_metric("hinge", NULL, 1, 1);
    for (size_t r = 0; r < MAX_ROWS; r++)
        x.p[r] = 0.5;
    CHECK_NEAR(stream(&m, &x, false, 1), (300 * 1 + 1.5) / 301, 1e-6);
}

TEST(metrics_refuse_what_they_cannot_do)
{
    lam_metric m;
    lam_error err;
    CHECK_INT(read_metric("no_such_metric", NULL, 1, 1, &m, &err), LAM_EARGUMENT);
    CHECK_INT(read_metric("precision", NULL, 3, 1, &m, &err), LAM_ESHAPE);
    CHECK_INT(read_metric("sparse_categorical_accuracy", NULL, 3, 3, &m, &err), LAM_ESHAPE);
    CHECK_INT(read_metric("mean_squared_error", NULL, 3, 1, &m, &err), LAM_ESHAPE);
    CHECK_INT(read_metric("precision", (number[MAX_ARGS]){{"class_id", 3, NULL}}, 3, 3, &m, &err), LAM_EARGUMENT);
    CHECK_INT(read_metric("precision", (number[MAX_ARGS]){{"top_k", 3, NULL}}, 3, 3, &m, &err), LAM_EARGUMENT);
    CHECK_INT(read_metric("auc", (number[MAX_ARGS]){{"curve", 0, "XY"}}, 1, 1, &m, &err), LAM_EARGUMENT);
    CHECK_INT(read_metric("f1_score", (number[MAX_ARGS]){{"beta", 2, NULL}}, 1, 1, &m, &err), LAM_EARGUMENT);
    CHECK_INT(read_metric("mae", (number[MAX_ARGS]){{"k", 2, NULL}}, 1, 1, &m, &err), LAM_EARGUMENT);
}
