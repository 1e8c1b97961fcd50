# Optimizers: objects that hold a type and its arguments.  The formulas are in src/nn/optimizers/.

common_arguments <- c(
  "learning_rate", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema",
  "ema_momentum", "ema_overwrite_frequency", "name", "loss_scale_factor",
  "gradient_accumulation_steps"
)

# own: the type's checked arguments; frame: where the constructor holds those all optimizers share.
new_optimizer <- function(type, own, frame, dots, call = rlang::caller_env()) {
  if ("lr" %in% names(dots)) {
    abort_argument("lr", "written `learning_rate`", describe(dots$lr), call = call)
  }
  check_no_dots(dots, call = call)
  config <- c(check_common(mget(common_arguments, envir = frame), call), own)
  new_spec("optimizer", type, config[!vapply(config, is.null, NA)])
}

check_common <- function(a, call) {
  clips <- c("clipnorm", "clipvalue", "global_clipnorm")
  a$learning_rate <- check_rate(a$learning_rate, call)
  a["weight_decay"] <- list(check_number(a$weight_decay, 0, allow_null = TRUE, arg = "weight_decay", call = call))
  for (name in c(clips, "loss_scale_factor")) {
    a[name] <- list(check_positive(a[[name]], allow_null = TRUE, arg = name, call = call))
  }
  given <- clips[!vapply(a[clips], is.null, NA)]
  if (length(given) > 1L) {
    abort_argument(given[1L], "the only one of `clipnorm`, `clipvalue` and `global_clipnorm`",
                   paste(given, collapse = ", "), call = call)
  }
  a$use_ema <- check_flag(a$use_ema, arg = "use_ema", call = call)
  a$ema_momentum <- check_number(a$ema_momentum, 0, 1, arg = "ema_momentum", call = call)
  for (name in c("ema_overwrite_frequency", "gradient_accumulation_steps")) {
    a[name] <- list(check_count(a[[name]], allow_null = TRUE, arg = name, call = call))
  }
  a$name <- check_string(a$name, arg = "name", call = call)
  a
}

# A number stays one; a schedule becomes its plain spec.
check_rate <- function(x, call = rlang::caller_env()) {
  spec <- spec_of(x, "schedule")
  if (!is.null(spec)) {
    return(spec)
  }
  if (!is.numeric(x)) {
    abort_argument(
      "learning_rate", "a number of at least 0 or a learning_rate_schedule_*()", describe(x),
      hint = if (is.function(x)) c(i = "`callback_learning_rate_scheduler()` takes functions of the epoch."),
      call = call
    )
  }
  check_number(x, min = 0, arg = "learning_rate", call = call)
}

check_positive <- function(x, allow_null = FALSE, arg = arg_name(substitute(x)),
                           call = rlang::caller_env()) {
  if (is.null(x) && allow_null) {
    return(NULL)
  }
  if (!is.numeric(x) || length(x) != 1L || !is.finite(x) || x <= 0) {
    abort_argument(arg, "a number above 0", describe(x), call = call)
  }
  as.double(x)
}

# What is kept from step to step: a share, from 0 to less than 1.
check_share <- function(x, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  if (!is.numeric(x) || length(x) != 1L || is.na(x) || x < 0 || x >= 1) {
    abort_argument(arg, "a number from 0 to less than 1", describe(x), call = call)
  }
  as.double(x)
}

# optimizer$learning_rate and the like; a schedule comes back as the function it is.
#' @export
`$.lamina_optimizer` <- function(x, name) {
  if (name %in% c("type", "config")) {
    return(.subset2(x, name))
  }
  value <- .subset2(x, "config")[[name]]
  if (is.list(value)) new_schedule(value$type, value$config) else value
}

#' @export
`$<-.lamina_optimizer` <- function(x, name, value) {
  plain <- unclass(x)
  if (name %in% c("type", "config")) {
    plain[[name]] <- value
  } else {
    plain$config[[name]] <- if (name == "learning_rate") check_rate(value) else value
  }
  structure(plain, class = class(x))
}

#' Stochastic gradient descent
#'
#' An optimizer moves the weights so that the loss falls. This is the rule that all others vary: at each step the
#' new weight is the old weight minus the learning rate times the gradient (Robbins and Monro 1951).
#'
#' The gradient \eqn{g} holds the derivatives of the loss of one batch of samples by every weight. With
#' \eqn{\eta} the learning rate the step is
#'
#' \deqn{w \leftarrow w - \eta g.}
#'
#' With `momentum` \eqn{\mu > 0} (Polyak 1964) weights move by a velocity
#' \eqn{v \leftarrow \mu v - \eta g}, \eqn{w \leftarrow w + v}, which starts at 0: steps in the same direction add
#' up, those to and fro cancel. With `nesterov = TRUE` (Nesterov 1983, in the form of Sutskever and others 2013)
#' \eqn{w \leftarrow w + \mu v - \eta g} with the new v.
#'
#' @section What all optimizers share:
#' In this order at each step: the gradients of `gradient_accumulation_steps` batches are averaged;
#' they are clipped; weights shrink by `weight_decay` times the learning rate (Loshchilov and Hutter
#' 2019), biases too; the optimizer's rule; the running average of the weights, if `use_ema`; the weights'
#' constraints. Weights that are frozen are left alone. Arithmetic is in single precision.
#'
#' The object is a description: [compile()][compile.lamina_model] copies it, and what is changed in it afterwards
#' does not reach the model. The rate of a compiled model is changed by `model$optimizer$learning_rate <- 0.001`.
#'
#' @param learning_rate The step size \eqn{\eta}: a number of at least 0, or a schedule such as
#'   [learning_rate_schedule_cosine_decay()], which changes it from step to step. Too small, training is slow;
#'   too large, the loss jumps or becomes infinite. [lr_finder()] helps to choose.
#' @param momentum How much of the last step is kept, from 0 to 1; 0.9 is usual.
#' @param nesterov Whether the gradient is taken as if the momentum had been followed already. Has an
#'   effect only with `momentum`.
#' @param weight_decay At each step weights lose this share of themselves, times the learning rate.
#'   `NULL`: none.
#' @param clipnorm The gradient of each weight array is shortened to this norm (root of the sum of squares) where it
#'   is longer. `NULL`, as for the next two: it is not.
#' @param clipvalue Each number of the gradients is cut to at most this size.
#' @param global_clipnorm All gradients together are shortened to this norm. At most one of the three
#'   may be given.
#' @param use_ema Whether a running average of the weights is kept and takes their place at the end
#'   of training (Polyak and Juditsky 1992).
#' @param ema_momentum How much of the average is kept at each step, from 0 to 1.
#' @param ema_overwrite_frequency Every so many steps the average takes the weights' place already;
#'   `NULL`: only at the end.
#' @param name A label; it has no effect.
#' @param ... Must be empty: other arguments of keras3 are an error.
#' @param loss_scale_factor Accepted for keras3 scripts, a number above 0 or `NULL`; it has no effect, as lamina
#'   always computes in single precision.
#' @param gradient_accumulation_steps How many batches make one step; `NULL`: one.
#' @return An object for `compile(optimizer = )`, which also takes its name, as in `"sgd"`, for the defaults.
#'   `optimizer$learning_rate` and the like read and replace its arguments.
#' @section Errors:
#' An argument out of its range is a `lamina_error_argument`.
#' @references
#' H. Robbins and S. Monro, A stochastic approximation method, Annals of Mathematical Statistics 22, 1951.
#' B. T. Polyak, Some methods of speeding up the convergence of iteration methods, 1964.
#' Y. Nesterov, A method for solving the convex programming problem with convergence rate O(1/k^2), 1983.
#' B. T. Polyak and A. B. Juditsky, Acceleration of stochastic approximation by averaging, 1992.
#' I. Sutskever and others, On the importance of initialization and momentum in deep learning, ICML 2013.
#' I. Loshchilov and F. Hutter, Decoupled weight decay regularization, ICLR 2019.
#' @seealso [gradient_steps()] to follow an optimizer step by step; [optimizer_adam()], which needs less care with the
#'   learning rate; [callback_learning_rate_scheduler()]; `vignette("v04-training", package = "lamina")`.
#' @family optimizers
#' @examples
#' sgd <- optimizer_sgd(learning_rate = 0.1)
#' # one step: new weight = old weight - learning rate * gradient
#' gradient_steps(sgd, weights = c(1, 2), gradients = rbind(c(0.5, -1)))
#' # three steps with the same gradient: with momentum they become larger
#' fast <- optimizer_sgd(learning_rate = 0.1, momentum = 0.9)
#' cbind(plain = gradient_steps(sgd, 1, list(0.5, 0.5, 0.5))[, 1],
#'       momentum = gradient_steps(fast, 1, list(0.5, 0.5, 0.5))[, 1])
#'
#' model <- keras_model_sequential(input_shape = 1) |> layer_dense(1)
#' model |> compile(optimizer = sgd, loss = "mse")
#' @export
optimizer_sgd <- function(learning_rate = 0.01, momentum = 0, nesterov = FALSE,
                          weight_decay = NULL, clipnorm = NULL, clipvalue = NULL,
                          global_clipnorm = NULL, use_ema = FALSE, ema_momentum = 0.99,
                          ema_overwrite_frequency = NULL, name = "SGD", ...,
                          loss_scale_factor = NULL, gradient_accumulation_steps = NULL) {
  own <- list(momentum = check_number(momentum, 0, 1), nesterov = check_flag(nesterov))
  new_optimizer("sgd", own, environment(), list(...))
}

#' RMSprop
#'
#' Divides the gradient by the root of a running average of its square (Tieleman and Hinton 2012):
#'
#' \deqn{v \leftarrow \rho v + (1 - \rho) g^2, \qquad w \leftarrow w - \eta g / \sqrt{v + \epsilon}.}
#'
#' `centered = TRUE` subtracts the square of the running mean of g from v, which makes it a variance
#' (Graves 2013). With `momentum` \eqn{\mu} the steps are
#' \eqn{b \leftarrow \mu b + \eta g / \sqrt{\cdot}}, \eqn{w \leftarrow w - b}.
#'
#' @inheritParams optimizer_sgd
#' @param rho How much of the running average is kept, from 0 to less than 1.
#' @param momentum How much of the last step is kept, from 0 to 1.
#' @param epsilon Added inside the root, above 0.
#' @param centered Whether gradients are divided by their standard deviation rather than their root
#'   mean square.
#' @inherit optimizer_sgd return
#' @inheritSection optimizer_sgd What all optimizers share
#' @inheritSection optimizer_sgd Errors
#' @references
#' T. Tieleman and G. Hinton, Lecture 6.5: RMSprop, Neural networks for machine learning, 2012.
#' A. Graves, Generating sequences with recurrent neural networks, arXiv:1308.0850, 2013.
#' @family optimizers
#' @examples
#' optimizer_rmsprop(learning_rate = 1e-3, rho = 0.9)
#' @export
optimizer_rmsprop <- function(learning_rate = 0.001, rho = 0.9, momentum = 0, epsilon = 1e-07,
                              centered = FALSE, weight_decay = NULL, clipnorm = NULL,
                              clipvalue = NULL, global_clipnorm = NULL, use_ema = FALSE,
                              ema_momentum = 0.99, ema_overwrite_frequency = NULL,
                              name = "rmsprop", ..., loss_scale_factor = NULL,
                              gradient_accumulation_steps = NULL) {
  own <- list(
    rho = check_share(rho), momentum = check_number(momentum, 0, 1),
    epsilon = check_positive(epsilon), centered = check_flag(centered)
  )
  new_optimizer("rmsprop", own, environment(), list(...))
}

adam_arguments <- function(beta_1, beta_2, epsilon, call = rlang::caller_env()) {
  list(
    beta_1 = check_share(beta_1, call = call), beta_2 = check_share(beta_2, call = call),
    epsilon = check_positive(epsilon, call = call)
  )
}

#' Adam and AdamW
#'
#' The usual choice. Each weight has a step size of its own: running averages of its gradient and of the square of
#' it are kept, and the step is the learning rate times the first over the root of the second, so that weights with
#' small gradients move as well as those with large ones (Kingma and Ba 2015).
#'
#' With \eqn{g} the gradient (see [optimizer_sgd()]) and \eqn{\eta} the learning rate, the averages \eqn{m} and
#' \eqn{v} start at 0 and are corrected for it at step \eqn{t = 1, 2, \ldots} (in the form at the end of section 2
#' of the paper):
#'
#' \deqn{m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2,}
#' \deqn{w \leftarrow w - \eta \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \frac{m}{\sqrt{v} + \epsilon}.}
#'
#' `amsgrad = TRUE` puts the largest v so far in the place of v (Reddi, Kale and Kumar 2018).
#' `optimizer_adam_w()` is Adam with weight decay (Loshchilov and Hutter 2019): before each step
#' \eqn{w \leftarrow w - \eta \lambda w} with \eqn{\lambda} the `weight_decay`.
#'
#' @inheritParams optimizer_sgd
#' @param learning_rate The step size \eqn{\eta}: a number of at least 0, or a schedule such as
#'   [learning_rate_schedule_cosine_decay()]. 0.001 suits many networks; small ones on small data learn faster with
#'   0.01.
#' @param beta_1,beta_2 How much of the two averages is kept, from 0 to less than 1.
#' @param epsilon Added to the root, above 0, so that nothing is divided by 0.
#' @param amsgrad Whether the largest average square so far is used.
#' @inherit optimizer_sgd return
#' @inheritSection optimizer_sgd What all optimizers share
#' @inheritSection optimizer_sgd Errors
#' @references
#' D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, ICLR 2015.
#' S. J. Reddi, S. Kale and S. Kumar, On the convergence of Adam and beyond, ICLR 2018.
#' I. Loshchilov and F. Hutter, Decoupled weight decay regularization, ICLR 2019.
#' @seealso [gradient_steps()] to follow an optimizer step by step; [lr_finder()].
#' @family optimizers
#' @examples
#' # the first step is about the learning rate, whether the gradient is small or large
#' gradient_steps(optimizer_adam(learning_rate = 0.1), weights = c(1, 1),
#'                gradients = rbind(c(0.01, 1000)))
#'
#' # a learning rate that falls by a tenth every 100 steps
#' falling <- learning_rate_schedule_exponential_decay(0.01, decay_steps = 100, decay_rate = 0.9)
#' model <- keras_model_sequential(input_shape = 1) |> layer_dense(1)
#' model |> compile(optimizer = optimizer_adam(falling), loss = "mse")
#' @export
optimizer_adam <- function(learning_rate = 0.001, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-07,
                           amsgrad = FALSE, weight_decay = NULL, clipnorm = NULL,
                           clipvalue = NULL, global_clipnorm = NULL, use_ema = FALSE,
                           ema_momentum = 0.99, ema_overwrite_frequency = NULL, name = "adam", ...,
                           loss_scale_factor = NULL, gradient_accumulation_steps = NULL) {
  own <- c(adam_arguments(beta_1, beta_2, epsilon), amsgrad = check_flag(amsgrad))
  new_optimizer("adam", own, environment(), list(...))
}

#' @rdname optimizer_adam
#' @export
optimizer_adam_w <- function(learning_rate = 0.001, weight_decay = 0.004, beta_1 = 0.9,
                             beta_2 = 0.999, epsilon = 1e-07, amsgrad = FALSE, clipnorm = NULL,
                             clipvalue = NULL, global_clipnorm = NULL, use_ema = FALSE,
                             ema_momentum = 0.99, ema_overwrite_frequency = NULL, name = "adamw",
                             ..., loss_scale_factor = NULL, gradient_accumulation_steps = NULL) {
  own <- c(adam_arguments(beta_1, beta_2, epsilon), amsgrad = check_flag(amsgrad))
  if (is.null(weight_decay)) {
    weight_decay <- 0
  }
  new_optimizer("adam_w", own, environment(), list(...))
}

#' Adamax
#'
#' Adam with a running maximum in the place of the root mean square (Kingma and Ba 2015, section 7):
#'
#' \deqn{m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad u \leftarrow \max(\beta_2 u, |g|), \qquad
#'   w \leftarrow w - \frac{\eta}{1 - \beta_1^t} \frac{m}{u + \epsilon}.}
#'
#' @inheritParams optimizer_adam
#' @param epsilon Added to the maximum, above 0.
#' @inherit optimizer_sgd return
#' @inheritSection optimizer_sgd What all optimizers share
#' @inheritSection optimizer_sgd Errors
#' @references D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, ICLR 2015.
#' @family optimizers
#' @examples
#' optimizer_adamax()
#' @export
optimizer_adamax <- function(learning_rate = 0.001, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-07,
                             weight_decay = NULL, clipnorm = NULL, clipvalue = NULL,
                             global_clipnorm = NULL, use_ema = FALSE, ema_momentum = 0.99,
                             ema_overwrite_frequency = NULL, name = "adamax", ...,
                             loss_scale_factor = NULL, gradient_accumulation_steps = NULL) {
  new_optimizer("adamax", adam_arguments(beta_1, beta_2, epsilon), environment(), list(...))
}

#' Nadam
#'
#' Adam with Nesterov momentum (Dozat 2016). With \eqn{u_t = \beta_1 (1 - 0.96^t / 2)} and
#' \eqn{U_t = u_1 \cdots u_t}, m and v as in [optimizer_adam()]:
#'
#' \deqn{w \leftarrow w - \eta \left( \frac{u_{t+1} m}{1 - U_{t+1}} + \frac{(1 - u_t) g}{1 - U_t} \right)
#'   / \left( \sqrt{v / (1 - \beta_2^t)} + \epsilon \right).}
#'
#' @inheritParams optimizer_adam
#' @inherit optimizer_sgd return
#' @inheritSection optimizer_sgd What all optimizers share
#' @inheritSection optimizer_sgd Errors
#' @references T. Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016.
#' @family optimizers
#' @examples
#' optimizer_nadam()
#' @export
optimizer_nadam <- function(learning_rate = 0.001, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-07,
                            weight_decay = NULL, clipnorm = NULL, clipvalue = NULL,
                            global_clipnorm = NULL, use_ema = FALSE, ema_momentum = 0.99,
                            ema_overwrite_frequency = NULL, name = "nadam", ...,
                            loss_scale_factor = NULL, gradient_accumulation_steps = NULL) {
  new_optimizer("nadam", adam_arguments(beta_1, beta_2, epsilon), environment(), list(...))
}

#' Adagrad
#'
#' Divides the gradient by the root of the sum of all its squares so far (Duchi, Hazan and Singer
#' 2011):
#'
#' \deqn{s \leftarrow s + g^2, \qquad w \leftarrow w - \eta g / \sqrt{s + \epsilon}.}
#'
#' @inheritParams optimizer_sgd
#' @param initial_accumulator_value Where the sum s starts, at least 0.
#' @param epsilon Added inside the root, above 0.
#' @inherit optimizer_sgd return
#' @inheritSection optimizer_sgd What all optimizers share
#' @inheritSection optimizer_sgd Errors
#' @references J. Duchi, E. Hazan and Y. Singer, Adaptive subgradient methods for online learning and
#'   stochastic optimization, Journal of Machine Learning Research 12, 2011.
#' @family optimizers
#' @examples
#' optimizer_adagrad(learning_rate = 0.01)
#' @export
optimizer_adagrad <- function(learning_rate = 0.001, initial_accumulator_value = 0.1,
                              epsilon = 1e-07, weight_decay = NULL, clipnorm = NULL,
                              clipvalue = NULL, global_clipnorm = NULL, use_ema = FALSE,
                              ema_momentum = 0.99, ema_overwrite_frequency = NULL,
                              name = "adagrad", ..., loss_scale_factor = NULL,
                              gradient_accumulation_steps = NULL) {
  own <- list(
    initial_accumulator_value = check_number(initial_accumulator_value, 0),
    epsilon = check_positive(epsilon)
  )
  new_optimizer("adagrad", own, environment(), list(...))
}

#' Adadelta
#'
#' Scales the gradient by the ratio of two running averages, of past steps and of past gradients
#' (Zeiler 2012):
#'
#' \deqn{s \leftarrow \rho s + (1 - \rho) g^2, \qquad x = \sqrt{(d + \epsilon) / (s + \epsilon)}\, g,}
#' \deqn{d \leftarrow \rho d + (1 - \rho) x^2, \qquad w \leftarrow w - \eta x.}
#'
#' Zeiler's own learning rate is 1; the default here is Keras'.
#'
#' @inheritParams optimizer_sgd
#' @param rho How much of the running averages is kept, from 0 to less than 1.
#' @param epsilon Added inside the roots, above 0.
#' @inherit optimizer_sgd return
#' @inheritSection optimizer_sgd What all optimizers share
#' @inheritSection optimizer_sgd Errors
#' @references M. D. Zeiler, ADADELTA: an adaptive learning rate method, arXiv:1212.5701, 2012.
#' @family optimizers
#' @examples
#' optimizer_adadelta(learning_rate = 1)
#' @export
optimizer_adadelta <- function(learning_rate = 0.001, rho = 0.95, epsilon = 1e-07,
                               weight_decay = NULL, clipnorm = NULL, clipvalue = NULL,
                               global_clipnorm = NULL, use_ema = FALSE, ema_momentum = 0.99,
                               ema_overwrite_frequency = NULL, name = "adadelta", ...,
                               loss_scale_factor = NULL, gradient_accumulation_steps = NULL) {
  own <- list(rho = check_share(rho), epsilon = check_positive(epsilon))
  new_optimizer("adadelta", own, environment(), list(...))
}

#' FTRL
#'
#' Follow the regularized leader, for linear models with many sparse inputs (McMahan and others 2013).
#' With q = -`learning_rate_power`, n starting at `initial_accumulator_value` and z at 0:
#'
#' \deqn{n' = n + g^2, \qquad z \leftarrow z + g + 2 \lambda_s w - \frac{n'^q - n^q}{\eta} w,}
#' \deqn{w = \frac{\mathrm{clip}(z, -\lambda_1, \lambda_1) - z}{(n'^q + \beta) / \eta + 2 \lambda_2}, \qquad n = n'.}
#'
#' Weights are made anew from z at every step: one that has had no gradient is 0 after the first.
#'
#' @inheritParams optimizer_sgd
#' @param learning_rate_power At most 0; how the learning rate falls with the sum of squares.
#' @param initial_accumulator_value Where n starts, at least 0.
#' @param l1_regularization_strength,l2_regularization_strength \eqn{\lambda_1} and
#'   \eqn{\lambda_2}, at least 0.
#' @param l2_shrinkage_regularization_strength \eqn{\lambda_s}, a penalty on the size of the weights,
#'   at least 0.
#' @param beta \eqn{\beta}, at least 0.
#' @inherit optimizer_sgd return
#' @inheritSection optimizer_sgd What all optimizers share
#' @inheritSection optimizer_sgd Errors
#' @references H. B. McMahan and others, Ad click prediction: a view from the trenches, KDD 2013.
#' @family optimizers
#' @examples
#' optimizer_ftrl(learning_rate = 0.1, l1_regularization_strength = 0.01)
#' @export
optimizer_ftrl <- function(learning_rate = 0.001, learning_rate_power = -0.5,
                           initial_accumulator_value = 0.1, l1_regularization_strength = 0,
                           l2_regularization_strength = 0,
                           l2_shrinkage_regularization_strength = 0, beta = 0,
                           weight_decay = NULL, clipnorm = NULL, clipvalue = NULL,
                           global_clipnorm = NULL, use_ema = FALSE, ema_momentum = 0.99,
                           ema_overwrite_frequency = NULL, name = "ftrl", ...,
                           loss_scale_factor = NULL, gradient_accumulation_steps = NULL) {
  own <- list(
    learning_rate_power = check_number(learning_rate_power, max = 0),
    initial_accumulator_value = check_number(initial_accumulator_value, 0),
    l1_regularization_strength = check_number(l1_regularization_strength, 0),
    l2_regularization_strength = check_number(l2_regularization_strength, 0),
    l2_shrinkage_regularization_strength = check_number(l2_shrinkage_regularization_strength, 0),
    beta = check_number(beta, 0)
  )
  new_optimizer("ftrl", own, environment(), list(...))
}

#' Lion
#'
#' Steps of one size, in the direction of the sign of an averaged gradient (Chen and others 2023):
#'
#' \deqn{w \leftarrow w - \eta\, \mathrm{sign}(\beta_1 m + (1 - \beta_1) g), \qquad
#'   m \leftarrow \beta_2 m + (1 - \beta_2) g.}
#'
#' Its learning rate is usually three to ten times smaller than Adam's, its weight decay larger.
#'
#' @inheritParams optimizer_sgd
#' @param beta_1 How much of m enters the step, above 0 and at most 1.
#' @param beta_2 How much of m is kept, from 0 to 1.
#' @inherit optimizer_sgd return
#' @inheritSection optimizer_sgd What all optimizers share
#' @inheritSection optimizer_sgd Errors
#' @references X. Chen and others, Symbolic discovery of optimization algorithms, NeurIPS 2023.
#' @family optimizers
#' @examples
#' optimizer_lion(learning_rate = 1e-4, weight_decay = 0.01)
#' @export
optimizer_lion <- function(learning_rate = 0.001, beta_1 = 0.9, beta_2 = 0.99,
                           weight_decay = NULL, clipnorm = NULL, clipvalue = NULL,
                           global_clipnorm = NULL, use_ema = FALSE, ema_momentum = 0.99,
                           ema_overwrite_frequency = NULL, name = "lion", ...,
                           loss_scale_factor = NULL, gradient_accumulation_steps = NULL) {
  own <- list(beta_1 = check_number(check_positive(beta_1), max = 1, arg = "beta_1"),
              beta_2 = check_number(beta_2, 0, 1))
  new_optimizer("lion", own, environment(), list(...))
}

#' Follow an optimizer step by step
#'
#' Applies an optimizer to weights for gradients that are given, and shows where each step leads: the
#' rule and the weight decay alone, without clipping, averaging and accumulation.
#'
#' @param optimizer An `optimizer_*()` object or its name.
#' @param weights The weights at the start, a numeric vector.
#' @param gradients A matrix with one row a step and one column a weight, or a list of vectors.
#' @return A matrix like `gradients`: in row t the weights after step t.
#' @section Errors:
#' `lamina_error_argument` for what is not numbers, `lamina_error_shape` where weights and gradients
#' differ in length.
#' @family optimizers
#' @examples
#' # new weight = old weight - learning rate * gradient
#' gradient_steps(optimizer_sgd(learning_rate = 0.1), weights = 1, gradients = list(0.5, 0.5, 0.5))
#' # Adam's first step is the learning rate, whatever the size of the gradient
#' gradient_steps("adam", weights = c(1, 1), gradients = list(c(0.001, 1000)))
#' @export
gradient_steps <- function(optimizer, weights, gradients) {
  spec <- as_spec(optimizer, "optimizer")
  if (!is.numeric(weights) || length(weights) == 0L || !all(is.finite(weights))) {
    abort_argument("weights", "numbers, at least one", describe(weights))
  }
  if (is.list(gradients)) {
    if (length(unique(lengths(gradients))) != 1L) {
      abort_argument("gradients", "vectors of one length", describe(gradients))
    }
    gradients <- do.call(rbind, gradients)
  }
  if (!is.matrix(gradients) || !is.numeric(gradients) || !all(is.finite(gradients))) {
    abort_argument("gradients", "a numeric matrix or a list of vectors", describe(gradients))
  }
  .Call(ffi_optimizer_steps, spec, as.double(weights), gradients)
}
