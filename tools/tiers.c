/* Prints the machine tiers that this processor runs, from low to high. */
#include <stdio.h>

#include "kernels/cpu.h"

int main(void)
{
    for (int i = 0; i <= (int)lam_tier_best(); i++)
        puts(lam_tier_name((lam_tier_id)i));
    return 0;
}
