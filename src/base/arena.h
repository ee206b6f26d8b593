/* Memory for one request. */
#ifndef ASSAY_BASE_ARENA_H
#define ASSAY_BASE_ARENA_H

#include "base/attr.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

/* Memory for one request, cut from a block its caller owns: an nginx pool, a stack array. Nothing
 * is freed singly; clearing the arena wipes it and ends every pointer into it.
 *
 * Under ASSAY_ARENA_CHECKED (the sanitizer builds) each piece is poisoned behind its end, so that
 * one byte over shows. */
struct assay_arena {
    uint8_t *base;
    size_t size; /* bytes */
    size_t used; /* bytes, at most size */
};

/* An arena over `size` bytes at `base`, which stay the caller's and outlive it. */
void assay_arena_init(struct assay_arena *arena, void *base, size_t size);

/* `size` bytes aligned to `align` (a power of two), uninitialised; NULL when the arena is spent. */
ASSAY_MUST_USE void *assay_arena_take(struct assay_arena *arena, size_t size, size_t align);

/* A copy of `s` in the arena. Returns false, and leaves `*ret` alone, when the arena is spent. */
ASSAY_MUST_USE bool assay_arena_copy(struct assay_arena *arena, struct assay_slice s,
                                     struct assay_slice *ret);

/* Gives back all but the first `keep` of the `size` bytes at `piece`, which was taken last
 * (asserted) and never written behind `keep`. */
void assay_arena_give_back(struct assay_arena *arena, void *piece, size_t size, size_t keep);

/* Wipes what was taken and starts over. */
void assay_arena_clear(struct assay_arena *arena);

/* Wipes what was taken and gives the block back: before it is used for anything else, or goes out
 * of scope (the sanitizer builds notice what forgets that). */
void assay_arena_release(struct assay_arena *arena);

#endif
