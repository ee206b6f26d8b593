/* Reading one tree of a snapshot by its pages, as LMDB 0.9 lays them out.
 *
 * mdb_get reads the same pages, one after the other, and waits for memory at each. What is here can
 * look ahead: the pages of several look-ups are asked of memory at once, so that they arrive while
 * the others are worked on (docs/decisions/015). It also believes no number it reads: a damaged
 * page is an error, never a stray pointer.
 *
 * The caller holds a read transaction, whose pages stay as they are until it ends. */
#ifndef ASSAY_STORE_LMDB_LMDB_TREE_H
#define ASSAY_STORE_LMDB_LMDB_TREE_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The map of the environment that a snapshot is read through. */
struct lmdb_pages {
    const uint8_t *base;
    size_t page_size; /* bytes */
    uint64_t count;   /* pages of the snapshot; none of it lies behind */
};

/* A tree with keys of MDB_INTEGERKEY, 8 bytes. */
struct lmdb_tree {
    struct lmdb_pages pages;
    uint64_t root; /* page number; LMDB_NO_PAGE of an empty tree */
    uint64_t entries;
    uint64_t fanout; /* of its branches, about */
    unsigned depth;
};

#define LMDB_NO_PAGE UINT64_MAX

/* Finds the map by `value`, which some mdb_get of the unnamed database gave for a small value.
 * ASSAY_ERR_CORRUPT when what lies there is not a page of the layout that this file knows. */
ASSAY_MUST_USE enum assay_status lmdb_pages_find(struct assay_slice value, size_t page_size,
                                                 uint64_t count, struct lmdb_pages *ret,
                                                 struct assay_error *reterr);

/* Reads the record that the unnamed database keeps of a named one. ASSAY_ERR_CORRUPT when it breaks
 * its format. */
ASSAY_MUST_USE enum assay_status lmdb_tree_parse(const struct lmdb_pages *pages,
                                                 struct assay_slice record, struct lmdb_tree *ret,
                                                 struct assay_error *reterr);

/* The value of `number`. ASSAY_ERR_ABSENT; ASSAY_ERR_CORRUPT. The value ends with the snapshot. */
ASSAY_MUST_USE enum assay_status lmdb_tree_get(const struct lmdb_tree *tree, uint64_t number,
                                               struct assay_slice *ret, struct assay_error *reterr);

/* What is known of the keys of a page before it is read: none is below `low`, all are below `high`.
 */
struct lmdb_range {
    uint64_t low;  /* 0: not known */
    uint64_t high; /* UINT64_MAX: not known */
};

/* A place on the way down a tree. */
struct lmdb_place {
    uint64_t page; /* LMDB_NO_PAGE: there is none, or the page above it is damaged */
    struct lmdb_range range;
};

#define LMDB_AHEAD 32 /* look-ups that are looked ahead for at once */

/* One look-up that is to come, in the snapshot that is open. */
struct lmdb_ahead {
    const void *of; /* the caller's */
    const struct lmdb_tree *tree;
    uint64_t number;
    struct lmdb_place place; /* private */
};

/* Fetches from memory what lmdb_tree_get will want for each of `count` (at most LMDB_AHEAD), all at
 * once. Decides nothing, and fails at nothing. */
void lmdb_tree_look_ahead(struct lmdb_ahead *ahead, size_t count);

/* lmdb_tree_get, from where looking ahead came to. */
ASSAY_MUST_USE enum assay_status lmdb_tree_get_ahead(const struct lmdb_ahead *ahead,
                                                     struct assay_slice *ret,
                                                     struct assay_error *reterr);

#endif
