/* Tokens that were said to be inactive lately, in memory that a host's processes share: small
 * entries of their own, so that junk drives out nothing that lives. */
#ifndef ASSAY_GUARD_INACTIVE_H
#define ASSAY_GUARD_INACTIVE_H

#include "guard/claim.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ASSAY_INACTIVE_KEY_WORDS 2

/* A table; it may be mapped anywhere. */
struct assay_inactive;

/* Bytes that a table of `sets` sets of four takes. */
size_t assay_inactive_size(size_t sets);

/* A table in memory that is aligned to 64 bytes and all zeros. */
struct assay_inactive *assay_inactive_init(void *memory, size_t sets);

/* When the latest question was asked to which, in that generation, "inactive" was the answer.
 * Microseconds; false when none is known. No lock, no system call. */
bool assay_inactive_find(const struct assay_inactive *table,
                         const uint64_t key[ASSAY_INACTIVE_KEY_WORDS], uint64_t generation,
                         int64_t *ret_asked_us);

/* The same, 0 when none is known; where somebody writes about that token just now, the time may be
 * later than it was. For who wants to know whether an answer is outdated. */
int64_t assay_inactive_latest(const struct assay_inactive *table,
                              const uint64_t key[ASSAY_INACTIVE_KEY_WORDS], uint64_t generation);

/* Keeps that. A later answer about the same token stays; for another, the oldest makes room. What
 * is written here and what the caller reads next are in one order for all processes. */
void assay_inactive_put(struct assay_inactive *table, const uint64_t key[ASSAY_INACTIVE_KEY_WORDS],
                        uint64_t generation, int64_t asked_us, const struct assay_process *me);

#endif
