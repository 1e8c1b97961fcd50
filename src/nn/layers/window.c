#include "nn/layers/window.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MOST 1e6 /* of any number of a window: products of two stay exact and small */

lam_status lam_window_numbers(const lam_args *args, const char *name, int rank, double min,
                              size_t *out, lam_error *err)
{
    const lam_arg *arg = lam_args_get(args, name);
    char expected[96];
    if (!arg)
        return LAM_OK;
    if (rank == 1)
        snprintf(expected, sizeof expected, "a whole number of at least %g", min);
    else
        snprintf(expected, sizeof expected, "one or two whole numbers of at least %g", min);
    if (arg->kind != LAM_ARG_NUMBERS || (arg->n != 1 && arg->n != (size_t)rank))
        return lam_fail_arg(err, LAM_EARGUMENT, name, expected, "%zu %s", arg->n,
                            arg->kind == LAM_ARG_STRINGS ? "string(s)" : "value(s)");
    for (int i = 0; i < rank; i++) {
        double v = arg->numbers[arg->n == 1 ? 0 : i];
        if (!(v >= min && v <= MOST && v == floor(v)))
            return lam_fail_arg(err, LAM_EARGUMENT, name, expected, "%g", v);
        out[2 - rank + i] = (size_t)v;
    }
    return LAM_OK;
}

static lam_status read_padding(lam_window *window, const lam_args *args, int flags, lam_error *err)
{
    static const char *const names[] = {"valid", "same", "causal"};
    int n = flags & LAM_WINDOW_CAUSAL ? 3 : 2;
    const lam_arg *arg = lam_args_get(args, "padding");
    if (!arg)
        return LAM_OK;
    bool text = arg->kind == LAM_ARG_STRINGS && arg->n == 1;
    for (int i = 0; text && i < n; i++)
        if (strcmp(arg->strings[0], names[i]) == 0) {
            window->padding = (lam_padding)i;
            return LAM_OK;
        }
    return lam_fail_arg(err, LAM_EARGUMENT, "padding",
                        n == 3 ? "\"valid\", \"same\" or \"causal\"" : "\"valid\" or \"same\"",
                        "\"%s\"", text ? arg->strings[0] : "?");
}

lam_status lam_window_read(lam_window *window, int rank, const lam_args *args,
                           const char *size_name, int flags, lam_error *err)
{
    *window = (lam_window){
        .rank = rank, .size = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .padding = LAM_PAD_VALID};
    if (!lam_args_get(args, size_name))
        return lam_fail_arg(err, LAM_EARGUMENT, size_name, "given", "missing");
    LAM_TRY(lam_window_numbers(args, size_name, rank, 1, window->size, err));
    if (flags & LAM_WINDOW_POOLS)
        memcpy(window->stride, window->size, sizeof window->stride);
    LAM_TRY(lam_window_numbers(args, "strides", rank, 1, window->stride, err));
    LAM_TRY(lam_window_numbers(args, "dilation_rate", rank, 1, window->dilation, err));
    LAM_TRY(read_padding(window, args, flags, err));
    bool strided = window->stride[0] > 1 || window->stride[1] > 1;
    bool dilated = window->dilation[0] > 1 || window->dilation[1] > 1;
    if (strided && dilated)
        return lam_fail_arg(err, LAM_EARGUMENT, "dilation_rate", "1 where `strides` are above 1",
                            "%zu", window->dilation[window->dilation[1] > 1]);
    return LAM_OK;
}

lam_status lam_window_input(const lam_window *window, const lam_layer *layer, lam_window_fit *fit,
                            lam_error *err)
{
    char text[128];
    const lam_shape *in = &layer->in;
    bool flat = window->rank == 1;
    if (in->rank != window->rank + 1)
        return lam_fail(err, LAM_ESHAPE, "Layer %s needs samples of shape %s; these have shape %s.%s",
                        layer->name, flat ? "(steps, channels)" : "(height, width, channels)",
                        lam_shape_text(in, text, sizeof text),
                        in->rank != window->rank ? ""
                        : flat ? " A series of one number a step has the shape (steps, 1)."
                               : " Grey pictures have one channel: (height, width, 1).");
    *fit = (lam_window_fit){.in = {flat ? 1 : in->dim[0], in->dim[window->rank - 1]},
                            .channels = lam_shape_last(in)};
    return LAM_OK;
}

static lam_status too_large(const lam_window *window, const lam_layer *layer, lam_error *err)
{
    char spans[64], text[128];
    if (window->rank == 1)
        snprintf(spans, sizeof spans, "%zu step%s", lam_window_span(window, 1),
                 lam_window_span(window, 1) == 1 ? "" : "s");
    else
        snprintf(spans, sizeof spans, "%zu x %zu", lam_window_span(window, 0),
                 lam_window_span(window, 1));
    return lam_fail(err, LAM_ESHAPE,
                    "The window of layer %s spans %s: too large for samples of shape %s with "
                    "padding = \"valid\".",
                    layer->name, spans, lam_shape_text(&layer->in, text, sizeof text));
}

lam_status lam_window_place(const lam_window *window, const lam_layer *layer, lam_window_fit *fit,
                            lam_error *err)
{
    LAM_TRY(lam_window_input(window, layer, fit, err));
    for (int i = 0; i < 2; i++) {
        size_t in = fit->in[i], span = lam_window_span(window, i), stride = window->stride[i];
        if (window->padding == LAM_PAD_VALID) {
            if (in < span)
                return too_large(window, layer, err);
            fit->out[i] = (in - span) / stride + 1;
            continue;
        }
        fit->out[i] = (in + stride - 1) / stride;
        size_t reach = (fit->out[i] - 1) * stride + span;
        fit->pad[i] = window->padding == LAM_PAD_CAUSAL ? span - 1 : reach > in ? (reach - in) / 2 : 0;
    }
    return LAM_OK;
}

lam_shape lam_window_shape(const lam_window *window, const size_t out[2], size_t channels)
{
    return window->rank == 1 ? (lam_shape){.rank = 2, .dim = {out[1], channels}}
                             : (lam_shape){.rank = 3, .dim = {out[0], out[1], channels}};
}
