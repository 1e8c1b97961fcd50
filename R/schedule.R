# Learning rate schedules: functions of the 0-based step.  The formulas are in src/nn/schedule.c.

new_schedule <- function(type, config) {
  spec <- list(type = type, config = config)
  .Call(ffi_schedule, list(learning_rate = spec), 0)
  new_callable_spec("schedule", type, config, function(step) schedule_rates(spec, step))
}

schedule_rates <- function(spec, step) {
  if (!is.numeric(step) || anyNA(step) || any(step < 0)) {
    abort_argument("step", "numbers of at least 0", describe(step), call = rlang::caller_env())
  }
  .Call(ffi_schedule, list(learning_rate = spec), as.double(step))
}

#' Exponential and inverse time decay of the learning rate
#'
#' With s the step, counted from 0, and p = s / `decay_steps`:
#' * `learning_rate_schedule_exponential_decay()`: `initial_learning_rate * decay_rate^p`;
#' * `learning_rate_schedule_inverse_time_decay()`: `initial_learning_rate / (1 + decay_rate * p)`.
#'
#' A step is one update of the weights, that is one batch: an epoch has as many as there are batches.
#'
#' @param initial_learning_rate The rate at step 0, at least 0.
#' @param decay_steps A number of steps, above 0: after so many p is 1.
#' @param decay_rate The factor per `decay_steps`, at least 0.
#' @param staircase Whether p is rounded down, so that the rate falls in steps.
#' @param name Not used; for scripts written for keras3.
#' @return An object for `learning_rate` in an optimizer, which is also a function: called with steps
#'   (a numeric vector) it gives the rates.
#' @section Errors:
#' `lamina_error_argument` for an argument out of its range.
#' @family schedules
#' @examples
#' rate <- learning_rate_schedule_exponential_decay(0.1, decay_steps = 10, decay_rate = 0.5)
#' rate(c(0, 10, 20))
#' optimizer_sgd(learning_rate = rate)
#' @export
learning_rate_schedule_exponential_decay <- function(initial_learning_rate, decay_steps, decay_rate,
                                                     staircase = FALSE, name = "ExponentialDecay") {
  new_schedule("exponential_decay", list(
    initial_learning_rate = check_number(initial_learning_rate, 0),
    decay_steps = check_positive(decay_steps), decay_rate = check_number(decay_rate, 0),
    staircase = check_flag(staircase)
  ))
}

#' @rdname learning_rate_schedule_exponential_decay
#' @export
learning_rate_schedule_inverse_time_decay <- function(initial_learning_rate, decay_steps, decay_rate,
                                                      staircase = FALSE, name = "InverseTimeDecay") {
  new_schedule("inverse_time_decay", list(
    initial_learning_rate = check_number(initial_learning_rate, 0),
    decay_steps = check_positive(decay_steps), decay_rate = check_number(decay_rate, 0),
    staircase = check_flag(staircase)
  ))
}

#' Cosine decay of the learning rate, with warm-up or restarts
#'
#' Half a cosine from the initial rate down to `alpha` times that rate (Loshchilov and Hutter 2017).
#' With p the part of `decay_steps` that is over, at most 1:
#'
#' `initial_learning_rate * ((1 - alpha) * (1 + cos(pi * p)) / 2 + alpha)`
#'
#' With `warmup_target` the rate first rises in a line from `initial_learning_rate` to
#' `warmup_target` in `warmup_steps` steps; the cosine then starts there, and its `decay_steps` are
#' counted from the end of the warm-up.
#'
#' `learning_rate_schedule_cosine_decay_restarts()` starts the cosine anew after `first_decay_steps`;
#' each run is `t_mul` times as long and its cosine `m_mul` times as high as the one before.
#'
#' @inheritParams learning_rate_schedule_exponential_decay
#' @param decay_steps,first_decay_steps Steps that the (first) cosine takes, above 0.
#' @param alpha The rate at the end, as a share of the rate at the start, at least 0.
#' @param warmup_target The rate at the end of the warm-up; `NULL`: no warm-up.
#' @param warmup_steps Steps of the warm-up.
#' @param t_mul Each run's length in terms of the one before, at least 1.
#' @param m_mul Each run's height in terms of the one before, at least 0.
#' @inherit learning_rate_schedule_exponential_decay return
#' @inheritSection learning_rate_schedule_exponential_decay Errors
#' @references I. Loshchilov and F. Hutter, SGDR: stochastic gradient descent with warm restarts,
#'   ICLR 2017.
#' @family schedules
#' @examples
#' rate <- learning_rate_schedule_cosine_decay(0, 100, warmup_target = 0.1, warmup_steps = 10)
#' rate(c(0, 5, 10, 60, 110))
#' restarts <- learning_rate_schedule_cosine_decay_restarts(0.1, first_decay_steps = 10)
#' plot(0:70, restarts(0:70), type = "l", xlab = "step", ylab = "learning rate")
#' @export
learning_rate_schedule_cosine_decay <- function(initial_learning_rate, decay_steps, alpha = 0,
                                                name = "CosineDecay", warmup_target = NULL,
                                                warmup_steps = 0L) {
  new_schedule("cosine_decay", list(
    initial_learning_rate = check_number(initial_learning_rate, 0),
    decay_steps = check_positive(decay_steps), alpha = check_number(alpha, 0),
    warmup_target = check_number(warmup_target, 0, allow_null = TRUE),
    warmup_steps = check_number(warmup_steps, 0)
  ))
}

#' @rdname learning_rate_schedule_cosine_decay
#' @export
learning_rate_schedule_cosine_decay_restarts <- function(initial_learning_rate, first_decay_steps,
                                                         t_mul = 2, m_mul = 1, alpha = 0,
                                                         name = "SGDRDecay") {
  new_schedule("cosine_decay_restarts", list(
    initial_learning_rate = check_number(initial_learning_rate, 0),
    first_decay_steps = check_positive(first_decay_steps), t_mul = check_number(t_mul, 1),
    m_mul = check_number(m_mul, 0), alpha = check_number(alpha, 0)
  ))
}

#' Learning rates by pieces
#'
#' The rate is `values[1]` up to and with step `boundaries[1]`, `values[2]` up to and with
#' `boundaries[2]`, and so on; the last value after the last boundary.
#'
#' @param boundaries Steps, counted from 0, increasing; at most 64. A vector or a list.
#' @param values Rates, one more than there are boundaries.
#' @inheritParams learning_rate_schedule_exponential_decay
#' @inherit learning_rate_schedule_exponential_decay return
#' @inheritSection learning_rate_schedule_exponential_decay Errors
#' @family schedules
#' @examples
#' rate <- learning_rate_schedule_piecewise_constant_decay(c(100, 200), c(0.1, 0.01, 0.001))
#' rate(c(0, 100, 101, 201))
#' @export
learning_rate_schedule_piecewise_constant_decay <- function(boundaries, values,
                                                            name = "PiecewiseConstant") {
  new_schedule("piecewise_constant_decay", list(
    boundaries = check_numbers(boundaries), values = check_numbers(values)
  ))
}

check_numbers <- function(x, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  numbers <- if (is.list(x)) unlist(x) else x
  if (!is.numeric(numbers) || length(numbers) == 0L || !all(is.finite(numbers))) {
    abort_argument(arg, "numbers", describe(x), call = call)
  }
  as.double(numbers)
}

#' Polynomial decay of the learning rate
#'
#' With p = s / `decay_steps` at step s, at most 1:
#'
#' `(initial_learning_rate - end_learning_rate) * (1 - p)^power + end_learning_rate`
#'
#' With `cycle = TRUE` the rate does not stay at its end: `decay_steps` is multiplied by the least
#' whole number that makes it reach s.
#'
#' @inheritParams learning_rate_schedule_exponential_decay
#' @param decay_steps Steps until the end rate is reached, above 0.
#' @param end_learning_rate The rate at the end, at least 0.
#' @param power The power of the polynomial, at least 0; 1 gives a line.
#' @param cycle Whether the rate rises again after `decay_steps`.
#' @inherit learning_rate_schedule_exponential_decay return
#' @inheritSection learning_rate_schedule_exponential_decay Errors
#' @family schedules
#' @examples
#' rate <- learning_rate_schedule_polynomial_decay(0.1, decay_steps = 100, end_learning_rate = 0.01)
#' rate(c(0, 50, 100, 200))
#' @export
learning_rate_schedule_polynomial_decay <- function(initial_learning_rate, decay_steps,
                                                    end_learning_rate = 1e-04, power = 1,
                                                    cycle = FALSE, name = "PolynomialDecay") {
  new_schedule("polynomial_decay", list(
    initial_learning_rate = check_number(initial_learning_rate, 0),
    decay_steps = check_positive(decay_steps),
    end_learning_rate = check_number(end_learning_rate, 0), power = check_number(power, 0),
    cycle = check_flag(cycle)
  ))
}
