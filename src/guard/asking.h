/* Who asks about which token: one of a host's workers at a time (DESIGN section 5, coalescing). In
 * memory that they share; a worker that dies, or is stopped, holds nothing up. */
#ifndef ASSAY_GUARD_ASKING_H
#define ASSAY_GUARD_ASKING_H

#include "guard/claim.h"

#include <stddef.h>
#include <stdint.h>

#define ASSAY_ASKING_KEY_LEN 16

struct assay_asking;

size_t assay_asking_size(size_t slots);
/* A table in memory that is aligned to 64 bytes and all zeros. */
struct assay_asking *assay_asking_init(void *memory, size_t slots);

enum assay_asking_role {
    ASSAY_ASKING_MINE,   /* ask, and end it */
    ASSAY_ASKING_OTHERS, /* somebody else asks: look again in a few milliseconds */
    ASSAY_ASKING_ALONE,  /* the place is taken by another token: ask, without ending it */
    ASSAY_ASKING_FAILED, /* somebody has asked in vain: `*ret_failure` tells */
};

/* CLOCK_BOOTTIME in microseconds. */
struct assay_asking_times {
    int64_t now_us;
    int64_t since_us; /* when the first came that wants to know */
    int64_t until_us; /* when a question that is sent now is given up */
};

/* A question of ours: what ends it, and nothing else. */
struct assay_asking_turn {
    uint64_t word;
};

/* May `me` ask about `key`? The place is its own until the question is ended, or a tenth of a
 * second behind its end is over, or the process is. A failure is shared if its question was sent
 * later than `since_us`: it is not remembered for those who come after it. `*ret_turn` is written
 * for MINE,
 * `*ret_failure` for FAILED. */
enum assay_asking_role
assay_asking_begin(struct assay_asking *asking, const uint8_t key[ASSAY_ASKING_KEY_LEN],
                   const struct assay_asking_times *times, const struct assay_process *me,
                   struct assay_asking_turn *ret_turn, unsigned *ret_failure);

/* The question that was mine is over. `failure` is 0 for an answer, else what those are told who
 * waited for it elsewhere (1 to 255); `asked_us` is when it was sent. */
void assay_asking_end(struct assay_asking *asking, const uint8_t key[ASSAY_ASKING_KEY_LEN],
                      struct assay_asking_turn turn, unsigned failure, int64_t asked_us);

#endif
