withr::local_options(lamina.verbose = 0, .local_envir = testthat::teardown_env())
