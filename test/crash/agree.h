/* Do the records of a store agree with each other? A walk over every database in one snapshot that
 * believes none of them: each record passes its own check, and tokens, grants, their index,
 * cutoffs, event log, the list of ends and the header say the same. */
#ifndef ASSAY_TEST_CRASH_AGREE_H
#define ASSAY_TEST_CRASH_AGREE_H

#include "store/lmdb/lmdb_priv.h"

#include <stdbool.h>
#include <stdint.h>

struct agreement {
    uint64_t digest; /* over every key and value */
    struct assay_header_record header;
    uint64_t tokens;
    uint64_t cutoffs;
    uint64_t grants;
    uint64_t events;
    char why[160]; /* what does not agree */
};

/* True when all agree; `store` is an opened engine. */
bool agree(struct lmdb_store *store, struct agreement *ret);

/* The same for a closed store at `path`, opened for this. */
bool agree_at(const char *path, struct agreement *ret);

#endif
