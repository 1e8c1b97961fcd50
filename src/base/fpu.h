/* Denormal numbers are flushed to zero while the core computes: they cost a hundred times as much
 * and mean nothing here.  The caller's mode is put back on the way out. */
#ifndef LAM_BASE_FPU_H
#define LAM_BASE_FPU_H

#include <stdint.h>

uint64_t lam_fpu_enter(void);
void lam_fpu_leave(uint64_t mode);

#endif
