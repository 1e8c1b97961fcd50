/* Runs a target without libFuzzer: changed inputs by the number, the same on every machine.
 *
 *     fuzz-codec RUNS SEED FILES...      runs from 0
 *     fuzz-codec RUNS SEED --only RUN FILES...   that one alone, to look into what was found
 *
 * Each input is one of the files changed a few times, as bytes or as a tree.  One that takes more than a
 * second is reported and fails; one that crashes names its run. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { ROOM = 1 << 17, SLOW_SECONDS = 1, HANG_SECONDS = 20 };

static long run;
static unsigned long seed;

static void say_run(void)
{
    char line[96];
    int n = snprintf(line, sizeof line, "\nseed %lu, run %ld\n", seed, run);
    if (write(STDERR_FILENO, line, (size_t)n) < 0)
        _exit(1);
}

/* The sanitizers call this before they end the process. */
void __asan_on_error(void);
void __asan_on_error(void)
{
    say_run();
}

static void on_signal(int number)
{
    say_run();
    signal(number, SIG_DFL);
    raise(number);
}

typedef struct file {
    uint8_t *bytes;
    size_t n;
    tree *tree;
} file;

static file read_file(const char *path)
{
    file f = {malloc(ROOM), 0, NULL};
    FILE *in = fopen(path, "rb");
    if (!in || !f.bytes) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    f.n = fread(f.bytes, 1, ROOM, in);
    fclose(in);
    f.tree = tree_read(f.bytes, f.n);
    return f;
}

static size_t change_bytes(uint8_t *b, size_t n, const file *other, uint64_t *random)
{
    static const uint8_t odd[] = {0, 1, 2, 3, 4, 8, 16, 64, 127, 128, 255, 'N', 'L', 'I', 'D', 'S', 'R', 'V'};
    size_t at = n ? next_random(random) % n : 0, length = next_random(random) % 32, from;
    if (n == 0)
        return n;
    if (length > n - at)
        length = n - at;
    switch (next_random(random) % 8) {
    case 0:
        b[at] ^= (uint8_t)(1 << next_random(random) % 8);
        return n;
    case 1:
        b[at] = odd[next_random(random) % sizeof odd];
        return n;
    case 2: /* a run of bytes gone */
        memmove(b + at, b + at + length, n - at - length);
        return n - length;
    case 3: /* twice */
        if (n + length > ROOM)
            return n;
        memmove(b + at + length, b + at, n - at);
        return n + length;
    case 4: /* another file's */
        from = other->n ? next_random(random) % other->n : 0;
        if (length > other->n - from)
            length = other->n - from;
        memcpy(b + at, other->bytes + from, length);
        return n;
    case 5:
        return at;
    case 6:
        memset(b + at, next_random(random) % 2 ? 0xFF : 0, length < 8 ? length : 8);
        return n;
    default:
        b[at] = (uint8_t)next_random(random);
        return n;
    }
}

static size_t make_input(const file *files, size_t n_files, uint64_t random, uint8_t *to)
{
    const file *f = &files[next_random(&random) % n_files], *other = &files[next_random(&random) % n_files];
    uint64_t changes = 1 + next_random(&random) % 4;
    size_t n = f->n;
    memcpy(to, f->bytes, n);
    tree *t = f->tree && next_random(&random) % 4 ? tree_read(f->bytes, f->n) : NULL;
    for (uint64_t k = 0; k < changes; k++)
        if (t)
            tree_change(t, other->tree ? other->tree : t, &random);
        else
            n = change_bytes(to, n, other, &random);
    if (t) {
        n = tree_write(t, to, ROOM);
        tree_free(t);
    }
    return n > ROOM ? 0 : n;
}

int main(int argc, char **argv)
{
    int first = 3;
    long only = -1;
    if (argc > 4 && strcmp(argv[3], "--only") == 0) {
        only = atol(argv[4]);
        first = 5;
    }
    if (argc <= first) {
        fprintf(stderr, "usage: %s RUNS SEED [--only RUN] FILES...\n", argv[0]);
        return 2;
    }
    long runs = atol(argv[1]), slow = 0;
    seed = strtoul(argv[2], NULL, 10);
    size_t n_files = (size_t)(argc - first);
    file *files = calloc(n_files, sizeof *files);
    uint8_t *room = malloc(ROOM);
    for (size_t i = 0; i < n_files; i++)
        files[i] = read_file(argv[first + (int)i]);
    signal(SIGALRM, on_signal);
    signal(SIGABRT, on_signal);
    for (size_t i = 0; i < n_files; i++)
        LLVMFuzzerTestOneInput(files[i].bytes, files[i].n);
    for (run = only < 0 ? 0 : only; run < (only < 0 ? runs : only + 1); run++) {
        /* The sanitizers see the end of the input only where its block ends. */
        size_t n = make_input(files, n_files, (uint64_t)seed << 40 ^ (uint64_t)run, room);
        uint8_t *input = malloc(n ? n : 1);
        memcpy(input, room, n);
        clock_t start = clock();
        alarm(HANG_SECONDS);
        LLVMFuzzerTestOneInput(input, n);
        alarm(0);
        free(input);
        if (clock() - start > SLOW_SECONDS * CLOCKS_PER_SEC) {
            fprintf(stderr, "run %ld took %.1f s\n", run, (double)(clock() - start) / CLOCKS_PER_SEC);
            slow++;
        }
    }
    for (size_t i = 0; i < n_files; i++) {
        free(files[i].bytes);
        tree_free(files[i].tree);
    }
    free(files);
    free(room);
    printf("%ld inputs, %ld slow\n", run, slow);
    return slow > 0;
}
