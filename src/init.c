/* Generated from src/glue by tools/make-registrations.R: do not edit. */
#include <R.h>
#include <Rinternals.h>
#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "kernels/cpu.h"

SEXP ffi_encode(SEXP);
SEXP ffi_decode(SEXP);
SEXP ffi_checksum(SEXP);
SEXP ffi_file_replace(SEXP, SEXP);
SEXP ffi_activation(SEXP, SEXP);
SEXP ffi_vocabulary(SEXP);
SEXP ffi_info(void);
SEXP ffi_isa(SEXP);
SEXP ffi_memory(SEXP);
SEXP ffi_image_resize(SEXP, SEXP, SEXP, SEXP, SEXP, SEXP);
SEXP ffi_order(SEXP, SEXP, SEXP);
SEXP ffi_data_new(SEXP, SEXP, SEXP);
SEXP ffi_release(SEXP);
SEXP ffi_data_size(SEXP);
SEXP ffi_data_bad(SEXP);
SEXP ffi_loop_new(SEXP, SEXP, SEXP, SEXP, SEXP, SEXP, SEXP, SEXP, SEXP);
SEXP ffi_loop_start(SEXP, SEXP, SEXP);
SEXP ffi_loop_run(SEXP, SEXP, SEXP);
SEXP ffi_loop_names(SEXP);
SEXP ffi_loop_feed(SEXP, SEXP);
SEXP ffi_loop_batch(SEXP);
SEXP ffi_loop_forward(SEXP);
SEXP ffi_loop_backward(SEXP, SEXP, SEXP);
SEXP ffi_loop_probe(SEXP, SEXP);
SEXP ffi_loss_value(SEXP, SEXP, SEXP);
SEXP ffi_loss_gradient(SEXP, SEXP, SEXP);
SEXP ffi_metric_update(SEXP, SEXP, SEXP, SEXP, SEXP);
SEXP ffi_metric_result(SEXP, SEXP);
SEXP ffi_check_layers(SEXP);
SEXP ffi_net_new(SEXP, SEXP, SEXP);
SEXP ffi_net_count(SEXP);
SEXP ffi_net_alive(SEXP);
SEXP ffi_net_describe(SEXP);
SEXP ffi_net_weights(SEXP);
SEXP ffi_net_set_weights(SEXP, SEXP);
SEXP ffi_net_reset_states(SEXP, SEXP);
SEXP ffi_net_set_trainable(SEXP, SEXP);
SEXP ffi_check_compile(SEXP, SEXP);
SEXP ffi_net_compile(SEXP, SEXP, SEXP, SEXP, SEXP);
SEXP ffi_net_state(SEXP);
SEXP ffi_net_restore(SEXP, SEXP);
SEXP ffi_net_seed(SEXP, SEXP);
SEXP ffi_net_finish(SEXP);
SEXP ffi_net_resume(SEXP);
SEXP ffi_net_rate(SEXP);
SEXP ffi_net_set_rate(SEXP, SEXP);
SEXP ffi_net_predict(SEXP, SEXP, SEXP);
SEXP ffi_net_outputs(SEXP, SEXP, SEXP, SEXP, SEXP);
SEXP ffi_net_backward(SEXP, SEXP, SEXP, SEXP);
SEXP ffi_net_vjp(SEXP, SEXP, SEXP, SEXP, SEXP, SEXP);
SEXP ffi_initializer(SEXP, SEXP, SEXP);
SEXP ffi_regularizer(SEXP, SEXP);
SEXP ffi_constraint(SEXP, SEXP);
SEXP ffi_schedule(SEXP, SEXP);
SEXP ffi_optimizer_steps(SEXP, SEXP, SEXP);
SEXP ffi_profile_start(SEXP);
SEXP ffi_profile_mark(SEXP, SEXP);
SEXP ffi_profile_read(SEXP);
SEXP ffi_peak(SEXP);
SEXP ffi_ranks_version(void);
SEXP ffi_ranks_open(void);
SEXP ffi_ranks_live(void);
SEXP ffi_ranks_abort(SEXP);
SEXP ffi_ranks_sum(SEXP);
SEXP ffi_ranks_send(SEXP, SEXP);
SEXP ffi_ranks_traffic(SEXP);
SEXP ffi_loop_join(SEXP, SEXP, SEXP);
SEXP ffi_loop_feed_share(SEXP, SEXP, SEXP, SEXP, SEXP);
SEXP ffi_data_print(SEXP);
SEXP ffi_net_print(SEXP);
SEXP ffi_tokens_bad(SEXP, SEXP);
SEXP ffi_ask(void);
SEXP ffi_threads(void);

static const R_CallMethodDef calls[] = {
    {"ffi_encode", (DL_FUNC)&ffi_encode, 1},
    {"ffi_decode", (DL_FUNC)&ffi_decode, 1},
    {"ffi_checksum", (DL_FUNC)&ffi_checksum, 1},
    {"ffi_file_replace", (DL_FUNC)&ffi_file_replace, 2},
    {"ffi_activation", (DL_FUNC)&ffi_activation, 2},
    {"ffi_vocabulary", (DL_FUNC)&ffi_vocabulary, 1},
    {"ffi_info", (DL_FUNC)&ffi_info, 0},
    {"ffi_isa", (DL_FUNC)&ffi_isa, 1},
    {"ffi_memory", (DL_FUNC)&ffi_memory, 1},
    {"ffi_image_resize", (DL_FUNC)&ffi_image_resize, 6},
    {"ffi_order", (DL_FUNC)&ffi_order, 3},
    {"ffi_data_new", (DL_FUNC)&ffi_data_new, 3},
    {"ffi_release", (DL_FUNC)&ffi_release, 1},
    {"ffi_data_size", (DL_FUNC)&ffi_data_size, 1},
    {"ffi_data_bad", (DL_FUNC)&ffi_data_bad, 1},
    {"ffi_loop_new", (DL_FUNC)&ffi_loop_new, 9},
    {"ffi_loop_start", (DL_FUNC)&ffi_loop_start, 3},
    {"ffi_loop_run", (DL_FUNC)&ffi_loop_run, 3},
    {"ffi_loop_names", (DL_FUNC)&ffi_loop_names, 1},
    {"ffi_loop_feed", (DL_FUNC)&ffi_loop_feed, 2},
    {"ffi_loop_batch", (DL_FUNC)&ffi_loop_batch, 1},
    {"ffi_loop_forward", (DL_FUNC)&ffi_loop_forward, 1},
    {"ffi_loop_backward", (DL_FUNC)&ffi_loop_backward, 3},
    {"ffi_loop_probe", (DL_FUNC)&ffi_loop_probe, 2},
    {"ffi_loss_value", (DL_FUNC)&ffi_loss_value, 3},
    {"ffi_loss_gradient", (DL_FUNC)&ffi_loss_gradient, 3},
    {"ffi_metric_update", (DL_FUNC)&ffi_metric_update, 5},
    {"ffi_metric_result", (DL_FUNC)&ffi_metric_result, 2},
    {"ffi_check_layers", (DL_FUNC)&ffi_check_layers, 1},
    {"ffi_net_new", (DL_FUNC)&ffi_net_new, 3},
    {"ffi_net_count", (DL_FUNC)&ffi_net_count, 1},
    {"ffi_net_alive", (DL_FUNC)&ffi_net_alive, 1},
    {"ffi_net_describe", (DL_FUNC)&ffi_net_describe, 1},
    {"ffi_net_weights", (DL_FUNC)&ffi_net_weights, 1},
    {"ffi_net_set_weights", (DL_FUNC)&ffi_net_set_weights, 2},
    {"ffi_net_reset_states", (DL_FUNC)&ffi_net_reset_states, 2},
    {"ffi_net_set_trainable", (DL_FUNC)&ffi_net_set_trainable, 2},
    {"ffi_check_compile", (DL_FUNC)&ffi_check_compile, 2},
    {"ffi_net_compile", (DL_FUNC)&ffi_net_compile, 5},
    {"ffi_net_state", (DL_FUNC)&ffi_net_state, 1},
    {"ffi_net_restore", (DL_FUNC)&ffi_net_restore, 2},
    {"ffi_net_seed", (DL_FUNC)&ffi_net_seed, 2},
    {"ffi_net_finish", (DL_FUNC)&ffi_net_finish, 1},
    {"ffi_net_resume", (DL_FUNC)&ffi_net_resume, 1},
    {"ffi_net_rate", (DL_FUNC)&ffi_net_rate, 1},
    {"ffi_net_set_rate", (DL_FUNC)&ffi_net_set_rate, 2},
    {"ffi_net_predict", (DL_FUNC)&ffi_net_predict, 3},
    {"ffi_net_outputs", (DL_FUNC)&ffi_net_outputs, 5},
    {"ffi_net_backward", (DL_FUNC)&ffi_net_backward, 4},
    {"ffi_net_vjp", (DL_FUNC)&ffi_net_vjp, 6},
    {"ffi_initializer", (DL_FUNC)&ffi_initializer, 3},
    {"ffi_regularizer", (DL_FUNC)&ffi_regularizer, 2},
    {"ffi_constraint", (DL_FUNC)&ffi_constraint, 2},
    {"ffi_schedule", (DL_FUNC)&ffi_schedule, 2},
    {"ffi_optimizer_steps", (DL_FUNC)&ffi_optimizer_steps, 3},
    {"ffi_profile_start", (DL_FUNC)&ffi_profile_start, 1},
    {"ffi_profile_mark", (DL_FUNC)&ffi_profile_mark, 2},
    {"ffi_profile_read", (DL_FUNC)&ffi_profile_read, 1},
    {"ffi_peak", (DL_FUNC)&ffi_peak, 1},
    {"ffi_ranks_version", (DL_FUNC)&ffi_ranks_version, 0},
    {"ffi_ranks_open", (DL_FUNC)&ffi_ranks_open, 0},
    {"ffi_ranks_live", (DL_FUNC)&ffi_ranks_live, 0},
    {"ffi_ranks_abort", (DL_FUNC)&ffi_ranks_abort, 1},
    {"ffi_ranks_sum", (DL_FUNC)&ffi_ranks_sum, 1},
    {"ffi_ranks_send", (DL_FUNC)&ffi_ranks_send, 2},
    {"ffi_ranks_traffic", (DL_FUNC)&ffi_ranks_traffic, 1},
    {"ffi_loop_join", (DL_FUNC)&ffi_loop_join, 3},
    {"ffi_loop_feed_share", (DL_FUNC)&ffi_loop_feed_share, 5},
    {"ffi_data_print", (DL_FUNC)&ffi_data_print, 1},
    {"ffi_net_print", (DL_FUNC)&ffi_net_print, 1},
    {"ffi_tokens_bad", (DL_FUNC)&ffi_tokens_bad, 2},
    {"ffi_ask", (DL_FUNC)&ffi_ask, 0},
    {"ffi_threads", (DL_FUNC)&ffi_threads, 0},
    {NULL, NULL, 0},
};

attribute_visible void R_init_lamina(DllInfo *dll)
{
    R_registerRoutines(dll, NULL, calls, NULL, NULL);
    R_useDynamicSymbols(dll, FALSE);
    R_forceSymbols(dll, TRUE);
    lam_tier_init();
}

attribute_visible void R_unload_lamina(DllInfo *dll)
{
    (void)dll;
    lam_threads_stop();
    lam_alloc_trim();
}
