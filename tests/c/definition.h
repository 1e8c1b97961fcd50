/* Networks and their loss in double precision, put together from the definitions of the layers, losses
 * and activations that their own tests hold: what the engine's numbers are compared with. */
#ifndef LAM_TESTS_DEFINITION_H
#define LAM_TESTS_DEFINITION_H

#include "layers.h"
#include "random-nets.h"

typedef struct definition {
    const random_net *r;
    const lam_net *net;
    const lam_data *data;
    bool training;
    example ex[RANDOM_LAYERS];
    double *x, *w;           /* the data's inputs and the network's weights; may be moved */
    double *y[RANDOM_LAYERS];
    double *sums;            /* the last layer's without its activation, where the loss is of these */
    unsigned char *mask[RANDOM_LAYERS]; /* that leaves the layer; NULL: none */
    double noise;            /* each number a layer puts out is off by so much of the largest and of itself */
    uint64_t draw;           /* in this of many ways */
    double loss;
    size_t d, per, y_d;      /* the output's numbers a row, its rows a sample, targets a row */
} definition;

void definition_new(definition *def, const random_net *r, const lam_net *net, const lam_data *data, bool training);
void definition_free(definition *def);
/* Works out the outputs and the loss of all samples as one batch: predictions are def->y[n - 1]. */
double definition_loss(definition *def);
/* The loss of samples first .. first + n - 1 as one batch, if these are all samples' predictions; and the
 * penalties that belong to it. */
double definition_score(const definition *def, const double *pred, size_t first, size_t n);
double definition_penalty(const definition *def, size_t first, size_t n);

#endif
