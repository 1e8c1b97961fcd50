/* Goes through a piece a vector at a time, for one tier; included after vec_template.h. */
#include "nn/optimizers/root_template.h"

/* One vector of weights, with its gradients and what the optimizer keeps for them. */
typedef struct LAM_T(lane) {
    vf w, g, slot[LAM_MAX_SLOTS];
} LAM_T(lane);

/* The optimizer's formula, defined by its file: new w and slots from old.  k: the step's constants,
 * o->constant, each in all lanes. */
LAM_INLINE void LAM_T(step)(const vf *k, LAM_T(lane) *a, int variant);

LAM_INLINE void LAM_T(step_at)(const vf *k, const lam_piece *p, size_t i, size_t n, int slots, int variant)
{
    LAM_T(lane) a;
    a.w = vf_load_up_to(p->w + i, n);
    a.g = vf_load_up_to(p->g + i, n);
    if (slots > 0) a.slot[0] = vf_load_up_to(p->slot[0] + i, n);
    if (slots > 1) a.slot[1] = vf_load_up_to(p->slot[1] + i, n);
    if (slots > 2) a.slot[2] = vf_load_up_to(p->slot[2] + i, n);
    LAM_T(step)(k, &a, variant);
    vf_store_up_to(p->w + i, a.w, n);
    if (slots > 0) vf_store_up_to(p->slot[0] + i, a.slot[0], n);
    if (slots > 1) vf_store_up_to(p->slot[1] + i, a.slot[1], n);
    if (slots > 2) vf_store_up_to(p->slot[2] + i, a.slot[2], n);
}

/* Slots (at most 3) and variant are constants where this is called, and so cost nothing.  The copy
 * of the piece tells the compiler that storing weights does not move its pointers. */
LAM_INLINE void LAM_T(each)(const lam_optimizer *o, const lam_piece *piece, int slots, int variant)
{
    const lam_piece p = *piece;
    vf k[LAM_COUNT(o->constant)];
    for (size_t j = 0; j < LAM_COUNT(k); j++)
        k[j] = vf_set(o->constant[j]);
    size_t i = 0;
    for (; i + VL <= p.n; i += VL)
        LAM_T(step_at)(k, &p, i, VL, slots, variant);
    if (i < p.n)
        LAM_T(step_at)(k, &p, i, p.n - i, slots, variant);
}
