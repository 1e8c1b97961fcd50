/* auc: the area under the ROC curve (true against false positive rate) or the PR curve (precision
 * against recall), approximated at T thresholds -1e-7, 1/(T-1), 2/(T-1), ..., 1 + 1e-7; a
 * prediction that is greater says positive.  Columns are pooled.  Keras: AUC.
 *
 * A prediction p in [0, 1] exceeds the thresholds 0 .. ceil(p (T - 1)) - 1 (in single precision, as
 * Keras): so the state holds, for targets 1 and 0, how many predictions stop at each threshold, and
 * counting from the top gives the true and false positives of every threshold. */
#include "nn/metrics/common.h"

#include <math.h>

enum { THRESHOLDS, CURVE, METHOD, FROM_LOGITS };
enum { ROC, PR };
enum { INTERPOLATION, MINORING, MAJORING };

typedef struct arguments {
    size_t thresholds;
    int curve, method;
    bool from_logits;
} arguments;

static lam_status configure(lam_metric *metric, const lam_args *args, lam_error *err)
{
    static const char *const curves[] = {"ROC", "PR", NULL};
    static const char *const methods[] = {"interpolation", "minoring", "majoring", NULL};
    static const lam_field fields[] = {
        {.name = "num_thresholds",
         .kind = LAM_FIELD_SIZE,
         .offset = offsetof(arguments, thresholds),
         .min = 2,
         .max = 1e6},
        {.name = "curve",
         .kind = LAM_FIELD_CHOICE,
         .offset = offsetof(arguments, curve),
         .choices = curves},
        {.name = "summation_method",
         .kind = LAM_FIELD_CHOICE,
         .offset = offsetof(arguments, method),
         .choices = methods},
        {.name = "from_logits",
         .kind = LAM_FIELD_BOOL,
         .offset = offsetof(arguments, from_logits)},
    };
    arguments a = {.thresholds = 200};
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), &a, "auc", err));
    metric->config[THRESHOLDS] = (double)a.thresholds;
    metric->config[CURVE] = a.curve;
    metric->config[METHOD] = a.method;
    metric->config[FROM_LOGITS] = a.from_logits;
    return LAM_OK;
}

static size_t state_count(const lam_metric *metric, size_t d)
{
    (void)d;
    return 2 * (size_t)metric->config[THRESHOLDS];
}

static size_t last_exceeded(float p, size_t thresholds)
{
    float place = ceilf(p * (float)(thresholds - 1));
    if (!(place >= 1))
        return 0;
    return place > (float)(thresholds - 1) ? thresholds - 2 : (size_t)place - 1;
}

static void update(const lam_metric *metric, size_t rows, size_t d, size_t y_d, const float *y,
                   const float *pred, const float *w, double *state)
{
    size_t thresholds = (size_t)metric->config[THRESHOLDS];
    (void)y_d;
    for (size_t r = 0; r < rows; r++)
        for (size_t i = r * d; i < (r + 1) * d; i++) {
            float p = metric->config[FROM_LOGITS] != 0 ? 1 / (1 + expf(-pred[i])) : pred[i];
            double *counts = y[i] != 0 ? state : state + thresholds;
            counts[last_exceeded(p, thresholds)] += w ? (double)w[r] : 1;
        }
}

/* True and false positives at one threshold, and the sums of each over the lowest. */
typedef struct point {
    double tp, fp, positives, negatives;
} point;

/* Between two thresholds, a below b, true positives grow linearly with all positives said: Davis
 * and Goadrich, "The relationship between precision-recall and ROC curves", 2006.  The integral of
 * tp / (tp + fp) over the recall is then
 * slope (tp_a - tp_b + intercept log(said_a / said_b)) / positives. */
static double interpolated_precision(point a, point b)
{
    double said_a = a.tp + a.fp, said_b = b.tp + b.fp;
    double slope = lam_ratio(a.tp - b.tp, said_a - said_b);
    double intercept = b.tp - slope * said_b;
    double ratio = said_a > 0 && said_b > 0 ? said_a / said_b : 1;
    return lam_ratio(slope * (a.tp - b.tp + intercept * log(ratio)), a.positives);
}

static double strip(const lam_metric *metric, point a, point b)
{
    bool roc = metric->config[CURVE] == ROC;
    if (!roc && metric->config[METHOD] == INTERPOLATION)
        return interpolated_precision(a, b);
    double recall_a = lam_ratio(a.tp, a.positives), recall_b = lam_ratio(b.tp, b.positives);
    double high_a = roc ? recall_a : lam_ratio(a.tp, a.tp + a.fp);
    double high_b = roc ? recall_b : lam_ratio(b.tp, b.tp + b.fp);
    double width = roc ? lam_ratio(a.fp - b.fp, a.negatives) : recall_a - recall_b;
    double height = metric->config[METHOD] == MINORING   ? fmin(high_a, high_b)
                    : metric->config[METHOD] == MAJORING ? fmax(high_a, high_b)
                                                         : (high_a + high_b) / 2;
    return width * height;
}

static double result(const lam_metric *metric, size_t d, const double *state)
{
    size_t thresholds = (size_t)metric->config[THRESHOLDS];
    const double *positive = state, *negative = state + thresholds;
    point here = {0};
    double area = 0;
    (void)d;
    for (size_t t = 0; t < thresholds; t++) {
        here.positives += positive[t];
        here.negatives += negative[t];
    }
    for (size_t t = thresholds - 1; t-- > 0;) {
        point above = here;
        here.tp += positive[t];
        here.fp += negative[t];
        area += strip(metric, here, above);
    }
    return area;
}

const lam_metric_type lam_metric_auc = {
    .name = "auc",
    .configure = configure,
    .state_count = state_count,
    .update = update,
    .result = result,
};
