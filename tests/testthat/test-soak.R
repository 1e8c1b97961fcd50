# A minute of many models in one session; LAMINA_STRESS=20 makes it twenty minutes.

test_that("after many models and trainings, memory and speed are those of the beginning", {
  measured <- in_own_process(function(seconds) soak(seconds), stress_trials(600))
  n <- nrow(measured)
  part <- function(i) measured[seq(ceiling((i - 1) * n / 4) + 1, floor(i * n / 4)), ]
  # all sizes of batches come in the first round; models are replaced in rounds of ten
  expect_lte(max(part(4)$blocks), max(measured$blocks[seq_len(min(10, n))]))
  expect_lt(max(part(4)$r), max(part(1)$r) + 0.5)
  # the allocator's heap has its final size after some twenty rounds (12 % above the first's)
  most <- if (n >= 80) 1.02 * max(part(2)$memory) else 1.15 * max(part(1)$memory)
  if (!anyNA(measured$memory)) expect_lt(max(part(4)$memory), most)
  expect_lt(min(part(4)$seconds), 1.5 * min(part(1)$seconds))
})
