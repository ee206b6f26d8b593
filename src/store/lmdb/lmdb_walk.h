/* A walk over a whole tree of the data file that believes nothing: every page number, every place
 * in a page, every length is looked at before it is followed, and keys must come in order, each
 * where a search would look for it. So what was walked can be handed to LMDB, which follows
 * whatever it finds. */
#ifndef ASSAY_STORE_LMDB_LMDB_WALK_H
#define ASSAY_STORE_LMDB_LMDB_WALK_H

#include "base/attr.h"
#include "base/slice.h"
#include "store/lmdb/lmdb_tree.h"

#include <stdbool.h>

struct lmdb_walk {
    bool by_number; /* keys are integers of 8 bytes, in the machine's order */
    /* Sees one entry; `named`: it is the record of a database. False: it is damaged. */
    bool (*see)(struct lmdb_walk *walk, struct assay_slice key, struct assay_slice value,
                bool named);
    void *context; /* the caller's */
};

/* True when the tree is whole and every entry was seen. */
ASSAY_MUST_USE bool lmdb_walk_tree(struct lmdb_walk *walk, const struct lmdb_tree *tree);

#endif
