/* The external pointers: a network with what prediction reuses, data, a loop.
 *
 * They are caches: everything worth keeping is in R vectors, and a pointer that comes back dead
 * from a saved session (address NULL) is simply made anew by the R side. */
#ifndef LAM_GLUE_HANDLE_H
#define LAM_GLUE_HANDLE_H

#include "glue/glue.h"
#include "nn/loop.h"
#include "nn/net.h"
#include "nn/plan.h"

typedef struct glue_net {
    lam_net *net;
    lam_plan *plan;     /* for prediction */
    float *x;           /* one batch of inputs */
} glue_net;

bool glue_is_pointer(SEXP ptr, const char *kind);
/* The object behind a pointer; an R error when it is not of that kind or dead. */
glue_net *glue_get_net(SEXP ptr);    /* with weights */
glue_net *glue_get_shapes(SEXP ptr); /* with or without */
lam_data *glue_get_data(SEXP ptr);
lam_loop *glue_get_loop(SEXP ptr);
/* NULL for a dead network pointer. */
glue_net *glue_find_net(SEXP ptr);

/* An empty pointer of a kind ("net", "data", "loop"), finalizer set, keeping `alive` from the
 * collector; fill it with R_SetExternalPtrAddr().  Unprotected. */
SEXP glue_new_pointer(const char *kind, R_CFinalizer_t finalizer, SEXP alive);

/* A flat vector of the network (weights, gradients) as a list of R arrays in Keras' order. */
SEXP glue_flat_list(const lam_net *net, const float *flat);
/* The dimensions of `rows` samples of that shape into dim; returns how many there are. */
int glue_batch_dims(const lam_shape *shape, size_t rows, size_t *dim);

/* Before and after computing: threads as the options say, denormals off and back.  In between Ctrl-C makes the
 * core give up what it computes, and glue_leave() does not come back: nothing may be held that R does not know of,
 * and no R error may be raised before it. */
uint64_t glue_enter(void);
void glue_leave(uint64_t mode);

/* Between two computations: lets Ctrl-C through, 20 times a second at the most. */
void glue_ask(void);

#endif
