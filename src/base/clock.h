/* A monotonic clock. */
#ifndef LAM_BASE_CLOCK_H
#define LAM_BASE_CLOCK_H

double lam_seconds(void);

#endif
