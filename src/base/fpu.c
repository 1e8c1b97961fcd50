#include "base/fpu.h"

#if defined(__x86_64__) || defined(__i386__)

/* Bits 15 and 6 of MXCSR: flush results, read denormals as zero. */
uint64_t lam_fpu_enter(void)
{
    unsigned mode = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(mode | 0x8040u);
    return mode;
}

void lam_fpu_leave(uint64_t mode)
{
    __builtin_ia32_ldmxcsr((unsigned)mode);
}

#elif defined(__aarch64__)

/* Bit 24 of FPCR: flush to zero. */
uint64_t lam_fpu_enter(void)
{
    uint64_t mode;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(mode));
    __asm__ __volatile__("msr fpcr, %0" : : "r"(mode | (uint64_t)1 << 24));
    return mode;
}

void lam_fpu_leave(uint64_t mode)
{
    __asm__ __volatile__("msr fpcr, %0" : : "r"(mode));
}

#else

uint64_t lam_fpu_enter(void)
{
    return 0;
}

void lam_fpu_leave(uint64_t mode)
{
    (void)mode;
}

#endif
