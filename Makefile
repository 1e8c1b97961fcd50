# make demo    install what is missing and lamina, and run the examples
# make test    install what is missing and lamina, and run every test
# The rest is for work on lamina itself; see CONTRIBUTING.md.

CORE := $(sort $(shell find src -name '*.c' ! -path 'src/glue/*' ! -name init.c))
TESTS := $(sort $(wildcard tests/c/*.c))
JOBS := -j$(shell getconf _NPROCESSORS_ONLN)

CFLAGS_plain = -O2 -g
CFLAGS_blas = -O2 -g @build/blas.cppflags
# For gcc alone.  Registers are shared out over whole functions, not loop by loop: unrolled kernels with
# checks compile in half the time.  And vzeroupper, else a part of -O2, ends vector code: without it libm,
# which the tests call, takes five times as long.
O1 := -O1 $(shell $(CC) -fira-region=one -fexpensive-optimizations -Werror -E -xc /dev/null >/dev/null 2>&1 && \
    echo -fira-region=one -fexpensive-optimizations)
CFLAGS_san = $(O1) -g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS_tsan = $(O1) -g1 -fsanitize=thread
LIBS_blas = @build/blas.libs
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla

.PHONY: demo test install setup setup-tests core-tests san tsan check docs bench bench-short fuzz fuzz-guided \
    sabotage site registrations clean

demo: setup
	@sh tools/install.sh
	@sh tools/demo.sh

test: setup-tests build/tiers build/blas.libs
	@sh tools/test.sh

install: setup
	@sh tools/install.sh

setup:
	@sh tools/setup.sh

setup-tests:
	@sh tools/setup.sh --tests

# build/c/<build>/ holds the core and its tests compiled in one way.  The builds plain and blas
# differ in the few files that ask for LAM_HAVE_BLAS and share the rest.
SOURCES := $(CORE) $(TESTS)
BLAS_SOURCES := $(shell grep -l LAM_HAVE_BLAS $(SOURCES))
objects = $(patsubst %.c,build/c/$(1)/%.o,$(2))

define c_build
build/c/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	$$(CC) -std=gnu11 $$(CFLAGS_$(1)) $$(WARNINGS) -MMD -MP -Isrc -Itests/c -c $$< -o $$@

build/c/$(1)/run-tests: $(2)
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS_$(1)) $(2) $$(LIBS_$(1)) -lm -lpthread -o $$@

-include $(2:.o=.d)
endef
$(foreach build,plain san tsan,$(eval $(call c_build,$(build),$(call objects,$(build),$(SOURCES)))))
$(eval $(call c_build,blas,$(call objects,plain,$(filter-out $(BLAS_SOURCES),$(SOURCES))) \
    $(call objects,blas,$(BLAS_SOURCES))))

# The flags that configure finds, for the C compiler's @file.
build/blas.libs: configure src/Makevars.in tools/probe-blas.c | setup
	@sh tools/copy.sh build/lamina
	@cd build/lamina && ./configure
	@sed -n 's/^PKG_CPPFLAGS = -I\. *//p' build/lamina/src/Makevars > build/blas.cppflags
	@sed -n 's/^PKG_LIBS = *//p' build/lamina/src/Makevars > $@
$(call objects,blas,$(BLAS_SOURCES)) build/c/blas/run-tests: build/blas.libs

build/tiers: tools/tiers.c src/kernels/cpu.c src/base/status.c | setup
	@mkdir -p build
	$(CC) -std=gnu11 -O1 -Isrc $^ -o $@

core-tests:
	@$(MAKE) -s $(JOBS) build/c/plain/run-tests
	build/c/plain/run-tests $(ONLY)

san tsan:
	@$(MAKE) -s $(JOBS) build/c/$@/run-tests
	build/c/$@/run-tests $(ONLY)

check:
	@sh tools/setup.sh knitr rmarkdown
	@sh tools/copy.sh build/lamina
	cd build && rm -f lamina_*.tar.gz && R CMD build lamina && _R_CHECK_FORCE_SUGGESTS_=false \
	    R CMD check --no-manual --as-cran lamina_*.tar.gz

docs:
	@sh tools/setup.sh roxygen2
	@sh tools/docs.sh

# About 40 minutes, and less than 5.
bench: install
	Rscript bench/bench.R

bench-short: install
	Rscript bench/bench.R form=short

# RUNS= damaged files for each target, from seed SEED=; by clang's libFuzzer for SECONDS= each.
fuzz:
	@sh tests/fuzz/run.sh $(or $(RUNS),100000) $(or $(SEED),1)

fuzz-guided:
	@sh tests/fuzz/run.sh --libfuzzer $(or $(SECONDS),60)

site: install
	@sh tools/setup.sh pkgdown
	@sh tools/site.sh

sabotage: install
	@Rscript tools/sabotage.R

registrations:
	@Rscript tools/make-registrations.R

clean:
	rm -rf build
