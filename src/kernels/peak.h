/* What the processor could do: multiply-adds on registers alone, as many at once as it takes, in the
 * tier and with the threads in use.  No product is faster; how near one comes is a measure of it. */
#ifndef LAM_KERNELS_PEAK_H
#define LAM_KERNELS_PEAK_H

/* A fraction of a millisecond of them on each of `threads` threads; returns how many floating-point
 * operations that were (a multiply-add is two). */
double lam_peak_run(int threads);

/* Floating-point operations a second on lam_threads() threads: the best of the runs that `seconds` leave
 * room for, so that a neighbour on the same core disturbs little. */
double lam_peak(double seconds);

#endif
