/* What an administrator took back, and when: in force for what is kept as for what is being asked,
 * from the moment it is marked. In memory that a host's processes share; one of them may die or be
 * stopped at any instruction. */
#ifndef ASSAY_GUARD_FLUSHED_H
#define ASSAY_GUARD_FLUSHED_H

#include "guard/claim.h"

#include <stdbool.h>
#include <stdint.h>

#define ASSAY_FLUSHED_MARKS 64

enum assay_flush_kind {
    ASSAY_FLUSH_TOKEN = 1,
    ASSAY_FLUSH_SUBJECT,
    ASSAY_FLUSH_CLIENT,
    ASSAY_FLUSH_EVERYTHING, /* is no mark, but a new generation of the cache */
};

/* What was asked up to `at_us` about `value` is to be asked again. A mark that changes hands is
 * held meanwhile, and then counts for everything that was asked up to its time. */
struct assay_flush_mark {
    assay_claim claim;
    _Atomic int64_t at_us;
    _Atomic uint64_t kind;
    _Atomic uint64_t value;
};

/* All zeros to begin with. */
struct assay_flushed {
    _Atomic int64_t floor_us; /* everything that was asked up to then counts as taken back */
    _Atomic int64_t last_us;  /* what was asked later needs no look at the marks */
    struct assay_flush_mark marks[ASSAY_FLUSHED_MARKS];
};

/* An answer, by what a flush may name. 0: it has none. */
struct assay_flushable {
    uint64_t token;
    uint64_t subject;
    uint64_t client;
};

/* Was that taken back, at `asked_us` or later? May say so of more than was meant, where there were
 * more flushes than there are marks; never of less. */
bool assay_flushed_has(const struct assay_flushed *flushed, const struct assay_flushable *what,
                       int64_t asked_us);

/* Takes back what was asked about `value` up to `at_us`; in force on return. When living processes
 * hold all marks, everything that was asked up to then is taken back. */
void assay_flushed_mark(struct assay_flushed *flushed, enum assay_flush_kind kind, uint64_t value,
                        int64_t at_us, const struct assay_process *me);

/* Raises `word` to `value`, never lowers it. */
void assay_raise(_Atomic int64_t *word, int64_t value);

#endif
