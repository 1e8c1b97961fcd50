#include "nn/layers/attend.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "nn/layers/drop.h"

static const lam_activation softmax = {.id = LAM_ACT_softmax};

lam_status lam_attend_build(lam_attend *attend, lam_layer *layer, lam_error *err)
{
    if (layer->in.rank != 2) {
        char text[128];
        return lam_fail(err, LAM_ESHAPE,
                        "Layer %s attends over the steps of a sequence: its samples have shape "
                        "(steps, features), not %s.",
                        layer->name, lam_shape_text(&layer->in, text, sizeof text));
    }
    attend->steps = layer->in.dim[0];
    layer->flags =
        LAM_LAYER_WHOLE_BATCH | LAM_LAYER_NEEDS_X | LAM_LAYER_CARRIES_MASK | LAM_LAYER_USES_MASK;
    return LAM_OK;
}

static size_t cells(const lam_attend *attend)
{
    return lam_mul(attend->steps, attend->steps);
}

/* Bytes of the shares of one sample. */
static size_t share_bytes(const lam_attend *attend)
{
    return lam_mul(lam_mul(attend->heads, cells(attend)), sizeof(float));
}

size_t lam_attend_cache(const lam_attend *attend)
{
    size_t bytes = share_bytes(attend);
    size_t kept = attend->dropout > 0.0f ? bytes / sizeof(float) : 0;
    return lam_add(bytes, kept);
}

lam_attend_head lam_attend_head_of(const lam_attend *attend, const lam_layer *layer,
                                   const lam_pass *pass, char *cache, size_t sample, size_t head)
{
    size_t n = cells(attend), at = sample * attend->heads + head;
    char *kept = cache + pass->rows * share_bytes(attend);
    return (lam_attend_head){.attend = attend,
                             .layer = layer,
                             .pass = pass,
                             .sample = sample,
                             .head = head,
                             .shares = (float *)cache + at * n,
                             .kept = (unsigned char *)kept + at * n};
}

/* The sample's mask; NULL: every step counts. */
static const unsigned char *mask_of(const lam_attend_head *h)
{
    return h->pass->mask ? h->pass->mask + h->sample * h->attend->steps : NULL;
}

/* Row i, of which the first `seen` keys are not after the query. */
static void share_out_row(const lam_attend_head *h, const unsigned char *mask, size_t i, float *row)
{
    const lam_attend *a = h->attend;
    size_t seen = a->causal ? i + 1 : a->steps;
    if (mask && !mask[i]) {
        for (size_t j = 0; j < a->steps; j++)
            row[j] = a->blind;
        return;
    }
    for (size_t j = 0; mask && j < seen; j++)
        if (!mask[j])
            row[j] = -INFINITY;
    lam_activation_kernel(LAM_ACT_softmax)(softmax.par, 1, seen, row, row);
    for (size_t j = 0; j < a->steps; j++) /* exp(-Inf) may leave a trace */
        if (j >= seen || (mask && !mask[j]))
            row[j] = 0.0f;
}

static void share_out(const lam_attend_head *h)
{
    const unsigned char *mask = mask_of(h);
    size_t steps = h->attend->steps;
    if (!mask && !h->attend->causal)
        lam_activation_forward(&softmax, steps, steps, h->shares, h->shares);
    else
        for (size_t i = 0; i < steps; i++)
            share_out_row(h, mask, i, h->shares + i * steps);
}

static bool drops(const lam_attend_head *h)
{
    return h->pass->training && h->attend->dropout > 0.0f;
}

const float *lam_attend_forward(const lam_attend_head *h, float *dropped)
{
    share_out(h);
    if (!drops(h))
        return h->shares;
    const lam_attend *a = h->attend;
    size_t n = cells(a);
    uint64_t first = ((uint64_t)(h->pass->first_row + h->sample) * a->heads + h->head) * n;
    lam_rng rng = lam_noise_rng(h->layer, h->pass, a->seed);
    lam_dropout_forward(n, &rng, first, a->dropout, h->shares, dropped, h->kept);
    return dropped;
}

static void drop_again(const lam_attend_head *h, const float *from, float *to)
{
    lam_dropout_backward(cells(h->attend), h->kept, 1.0f / (1.0f - h->attend->dropout), from, to);
}

const float *lam_attend_again(const lam_attend_head *h, float *dropped)
{
    if (!drops(h))
        return h->shares;
    drop_again(h, h->shares, dropped);
    return dropped;
}

void lam_attend_backward(const lam_attend_head *h, float *d)
{
    size_t steps = h->attend->steps;
    const unsigned char *mask = mask_of(h);
    if (drops(h))
        drop_again(h, d, d);
    lam_activation_backward(&softmax, steps, steps, NULL, h->shares, d, d);
    for (size_t i = 0; mask && i < steps; i++)
        if (!mask[i]) /* its shares do not come from scores */
            memset(d + i * steps, 0, steps * sizeof *d);
}

void lam_attend_scores(const lam_pass *pass, size_t steps, size_t each, const float *a, const float *b,
                       size_t width, float *s)
{
    lam_gemm_run(&(lam_gemm){.form = LAM_NT,
                             .m = steps,
                             .n = steps,
                             .k = each,
                             .a = a,
                             .lda = width,
                             .b = b,
                             .ldb = width,
                             .c = s,
                             .ldc = steps,
                             .bf16 = pass->bf16});
}

void lam_attend_combine(const lam_pass *pass, lam_form form, size_t rows, size_t steps, size_t each,
                        const float *s, const float *b, size_t width, float *c)
{
    lam_gemm_run(&(lam_gemm){.form = form,
                             .m = rows,
                             .n = each,
                             .k = steps,
                             .a = s,
                             .lda = steps,
                             .b = b,
                             .ldb = width,
                             .c = c,
                             .ldc = width,
                             .bf16 = pass->bf16});
}
