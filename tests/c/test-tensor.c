#if !defined(_WIN32)
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "base/alloc.h"
#include "base/file.h"
#include "base/threads.h"
#include "kernels/convert.h"
#include "tensor/shape.h"
#include "unit.h"

static lam_error err;

/* Where R keeps element (i0, i1, ...) and where we do, from the definitions of the two orders. */
static size_t column_major(int rank, const size_t *dim, const size_t *i)
{
    size_t at = 0, stride = 1;
    for (int k = 0; k < rank; k++) {
        at += i[k] * stride;
        stride *= dim[k];
    }
    return at;
}

static size_t row_major(int rank, const size_t *dim, const size_t *i)
{
    size_t at = 0;
    for (int k = 0; k < rank; k++)
        at = at * dim[k] + i[k];
    return at;
}

static void check_order(int rank, const size_t *dim)
{
    size_t n = 1, index[5] = {0};
    for (int k = 0; k < rank; k++)
        n *= dim[k];
    double *r = lam_alloc(n, sizeof(double)), *back = lam_alloc(n, sizeof(double));
    int *whole = lam_alloc(n, sizeof(int));
    float *ours = lam_alloc(n, sizeof(float)), *from_ints = lam_alloc(n, sizeof(float));
    for (size_t i = 0; i < n; i++)
        r[i] = whole[i] = (int)i;
    lam_from_doubles(r, 0, dim[0], rank, dim, ours);
    lam_from_integers(whole, 0, dim[0], rank, dim, from_ints);
    for (size_t i = 0; i < n; i++) {
        size_t rest = i;
        for (int k = 0; k < rank; k++) {
            index[k] = rest % dim[k];
            rest /= dim[k];
        }
        CHECK(ours[row_major(rank, dim, index)] == (float)column_major(rank, dim, index));
        CHECK(from_ints[i] == ours[i]);
    }
    /* back, in two blocks of samples */
    size_t half = dim[0] / 2, d = n / dim[0];
    lam_to_doubles(ours, 0, half, rank, dim, back);
    lam_to_doubles(ours + half * d, half, dim[0] - half, rank, dim, back);
    CHECK(memcmp(back, r, n * sizeof(double)) == 0);
    lam_from_doubles(r, half, dim[0] - half, rank, dim, from_ints);
    CHECK(memcmp(from_ints, ours + half * d, (dim[0] - half) * d * sizeof(float)) == 0);
    lam_free(r);
    lam_free(back);
    lam_free(whole);
    lam_free(ours);
    lam_free(from_ints);
}

TEST(arrays_keep_their_elements_in_both_orders)
{
    for (int threads = 1; threads <= 2; threads++) {
        CHECK_OK(lam_threads_set(threads, &err));
        check_order(1, (size_t[]){7});
        check_order(2, (size_t[]){1, 9});
        check_order(2, (size_t[]){1500, 130});
        check_order(3, (size_t[]){67, 5, 3});
        check_order(4, (size_t[]){5, 4, 6, 3});
        check_order(5, (size_t[]){3, 2, 4, 3, 2});
        check_order(2, (size_t[]){2701, 800}); /* large enough to be written past the caches */
        check_order(4, (size_t[]){2701, 20, 10, 4});
    }
    CHECK_OK(lam_threads_set(1, &err));
}

TEST(missing_integers_become_nan)
{
    int x[6] = {1, 2, INT32_MIN, 4, 5, INT32_MIN}; /* column-major 3 x 2 */
    float out[6];
    CHECK(!lam_from_integers(x, 0, 3, 2, (size_t[]){3, 2}, out));
    CHECK(isnan(out[4]) && isnan(out[5]) && out[0] == 1 && out[1] == 4);
}

/* One number at a time, in the corners of arrays that are and are not whole vectors. */
TEST(numbers_that_are_not_finite_are_noticed)
{
    const double odd[] = {NAN, INFINITY, -1e300};
    for (size_t rows = 3; rows <= 40; rows += 37)
        for (size_t columns = 5; columns <= 50; columns += 45) {
            size_t dim[] = {rows, columns}, n = rows * columns, at[] = {0, rows - 1, n - rows, n - 1};
            double *x = lam_alloc(n, sizeof(double));
            float *out = lam_alloc(n, sizeof(float));
            CHECK(lam_from_doubles(x, 0, rows, 2, dim, out));
            for (int i = 0; i < 4; i++)
                for (int k = 0; k < 3; k++) {
                    x[at[i]] = odd[k];
                    CHECK(!lam_from_doubles(x, 0, rows, 2, dim, out));
                    x[at[i]] = 0.0;
                }
            CHECK(lam_from_doubles(x, 0, rows, 2, dim, out));
            lam_free(x);
            lam_free(out);
        }
}

TEST(shapes_count_and_print)
{
    char text[64];
    lam_shape shape = lam_shape_of(3, (size_t[]){28, 28, 1});
    CHECK_INT(lam_shape_count(&shape), 784);
    CHECK_INT(lam_shape_last(&shape), 1);
    CHECK(strcmp(lam_shape_text(&shape, text, sizeof text), "(28, 28, 1)") == 0);
    lam_shape huge = lam_shape_2(SIZE_MAX / 2, 3);
    CHECK(lam_shape_count(&huge) == SIZE_MAX);
    CHECK(!lam_shape_equal(&shape, &huge) && lam_shape_equal(&shape, &shape));
    lam_shape none = {0};
    CHECK_INT(lam_shape_count(&none), 1);
}

TEST(files_are_replaced_whole_or_not_at_all)
{
    const char *path = "lamina-test-file";
    char read[16] = {0};
    CHECK_OK(lam_file_replace(path, "first", 5, &err));
    CHECK_OK(lam_file_replace(path, "second!", 7, &err));
    FILE *file = fopen(path, "rb");
    CHECK(file && fread(read, 1, sizeof read, file) == 7 && strcmp(read, "second!") == 0);
    if (file)
        fclose(file);
    remove(path);
    CHECK_INT(lam_file_replace("no-such-folder/file", "x", 1, &err), LAM_EFILE);
    CHECK(strstr(err.message, "no-such-folder") != NULL);
#if !defined(_WIN32)
    struct stat file_is;
    CHECK_OK(lam_file_replace("./lamina-test-file", "1", 1, &err));
    CHECK(chmod(path, 0600) == 0);
    CHECK_OK(lam_file_replace(path, "2", 1, &err));
    CHECK(stat(path, &file_is) == 0 && (file_is.st_mode & 0777) == 0600);
    remove(path);
    CHECK(mkdir(path, 0700) == 0);
    CHECK_INT(lam_file_replace(path, "x", 1, &err), LAM_EFILE);
    CHECK(stat(path, &file_is) == 0 && S_ISDIR(file_is.st_mode));
    rmdir(path);
    CHECK_INT(lam_file_replace("/dev/null", "x", 1, &err), LAM_EFILE);
    CHECK(stat("/dev/null", &file_is) == 0 && !S_ISREG(file_is.st_mode));
#endif
}

#if !defined(_WIN32)
TEST(beyond_the_largest_file_is_an_error_and_no_signal)
{
#if defined(__SANITIZE_THREAD__)
    SKIP("the thread sanitizer does not follow a fork");
#endif
    const char *path = "lamina-test-large-file";
    struct stat file_is;
    CHECK_OK(lam_file_replace(path, "old", 3, &err));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit most = {1000, 1000};
        static char big[5000];
        setrlimit(RLIMIT_FSIZE, &most);
        bool good = lam_file_replace(path, big, sizeof big, &err) == LAM_EFILE;
        char temporary[64];
        snprintf(temporary, sizeof temporary, ".%s.%ld.tmp", path, (long)getpid());
        good &= access(temporary, F_OK) != 0;
        struct sigaction now;
        good &= sigaction(SIGXFSZ, NULL, &now) == 0 && now.sa_handler == SIG_DFL;
        _exit(good ? 0 : 1);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(stat(path, &file_is) == 0 && file_is.st_size == 3);
    remove(path);
}
#endif
