/* A directory of a test's own, in memory if there is room, and processes that look at many images
 * side by side and may die of one. */
#ifndef ASSAY_TEST_CRASH_PLACE_H
#define ASSAY_TEST_CRASH_PLACE_H

#include "crash/examine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct place {
    char path[128];
};

void place_make(struct place *place);
void place_remove(const struct place *place);

/* A number from the environment, or `otherwise`. */
uint64_t place_setting(const char *name, uint64_t otherwise);
/* Is this the long form (ASSAY_DEEP=1)? */
bool place_is_deep(void);
/* The seed: ASSAY_CRASH_SEED, or one from the clock; printed once. */
uint64_t place_seed(void);

struct outcome {
    uint8_t verdict; /* enum verdict */
    char why[200];
};

/* What several processes do with `count` numbered things. */
struct pool {
    size_t count;
    unsigned seconds;         /* for one thing; more is a hang */
    bool quiet;               /* what the processes say goes nowhere: they are expected to die */
    struct outcome *outcomes; /* shared; count of them */
    /* Does those of `number % workers == worker` from `from` on, each between pool_begin and
     * pool_end. */
    void (*work)(struct pool *pool, unsigned worker, unsigned workers, size_t from);
    void *context;
    size_t *current; /* shared: what each worker is at */
};

void pool_run(struct pool *pool);
void pool_begin(struct pool *pool, unsigned worker, size_t number);
void pool_end(struct pool *pool, size_t number, enum verdict verdict, const char *why);
void pool_free(struct pool *pool);

#endif
