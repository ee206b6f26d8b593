/* Entries of the guard's cache that tell by every byte which token they are about. */
#ifndef ASSAY_TEST_SUPPORT_CACHED_H
#define ASSAY_TEST_SUPPORT_CACHED_H

#include "guard/cache.h"

/* A number of which every bit depends on all of `x`. */
uint64_t cached_mix(uint64_t x);

void cached_key(uint64_t n, uint8_t key[ASSAY_CACHE_KEY_LEN]);

/* The entry of token `n`: subject n % 16 + 1, client n % 4 + 1. */
struct assay_cached cached_entry(uint64_t n, uint64_t generation, int64_t asked_us);

/* Is `e` what cached_entry() made, whole? */
bool cached_is_entry(const struct assay_cached *e, uint64_t n);

#endif
