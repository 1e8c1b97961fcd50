#include "nn/layers/frame.h"

#include <math.h>
#include <string.h>

#include "base/threads.h"

lam_status lam_frame_read(lam_frame *frame, int rank, const lam_args *args, const char *name,
                          lam_error *err)
{
    const lam_arg *arg = lam_args_get(args, name);
    const char *expected = rank == 1 ? "two whole numbers of at least 0, before and after"
                                     : "four whole numbers of at least 0: top, bottom, left, right";
    if (!arg || arg->kind != LAM_ARG_NUMBERS || arg->n != 2 * (size_t)rank)
        return lam_fail_arg(err, LAM_EARGUMENT, name, expected, "%zu value(s)", arg ? arg->n : 0);
    for (size_t i = 0; i < arg->n; i++) {
        double v = arg->numbers[i];
        size_t dimension = 2 - (size_t)rank + i / 2;
        if (!(v >= 0 && v <= 1e6 && v == floor(v)))
            return lam_fail_arg(err, LAM_EARGUMENT, name, expected, "%g", v);
        *(i % 2 ? &frame->after[dimension] : &frame->before[dimension]) = (size_t)v;
    }
    frame->window.rank = rank;
    return LAM_OK;
}

typedef struct job {
    const lam_frame *frame;
    const float *from;
    float *to;
} job;

static size_t inner_count(const lam_frame *f)
{
    return f->inner[0] * f->inner[1] * f->channels;
}

static size_t outer_count(const lam_frame *f)
{
    return lam_frame_outer(f, 0) * lam_frame_outer(f, 1) * f->channels;
}

/* Numbers of the outer picture before line i of the inner one. */
static size_t line_start(const lam_frame *f, size_t i)
{
    return ((f->before[0] + i) * lam_frame_outer(f, 1) + f->before[1]) * f->channels;
}

/* From one line of the inner picture to the next lie the right frame and the left one. */
static void put_on_task(void *arg, size_t sample, int worker)
{
    (void)worker;
    const job *j = arg;
    const lam_frame *f = j->frame;
    size_t line = f->inner[1] * f->channels, done = 0;
    const float *inner = j->from + sample * inner_count(f);
    float *outer = j->to + sample * outer_count(f);
    for (size_t i = 0; i < f->inner[0]; i++) {
        size_t at = line_start(f, i);
        memset(outer + done, 0, (at - done) * sizeof *outer);
        memcpy(outer + at, inner + i * line, line * sizeof *outer);
        done = at + line;
    }
    memset(outer + done, 0, (outer_count(f) - done) * sizeof *outer);
}

void lam_frame_put_on(const lam_frame *frame, size_t rows, const float *inner, float *outer)
{
    lam_parallel(rows, put_on_task, &(job){frame, inner, outer});
}

static void take_off_task(void *arg, size_t sample, int worker)
{
    (void)worker;
    const job *j = arg;
    const lam_frame *f = j->frame;
    size_t line = f->inner[1] * f->channels;
    const float *outer = j->from + sample * outer_count(f);
    float *inner = j->to + sample * inner_count(f);
    for (size_t i = 0; i < f->inner[0]; i++)
        memcpy(inner + i * line, outer + line_start(f, i), line * sizeof *inner);
}

void lam_frame_take_off(const lam_frame *frame, size_t rows, const float *outer, float *inner)
{
    lam_parallel(rows, take_off_task, &(job){frame, outer, inner});
}
