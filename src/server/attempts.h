/* Failed authentications per client and source, in memory it is given, which processes may share.
 * No lock: a process may die at any instruction. A source is the bytes of an IPv4 address, or of an
 * IPv6 one, which counts by its first 64 bits. */
#ifndef ASSAY_SERVER_ATTEMPTS_H
#define ASSAY_SERVER_ATTEMPTS_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct assay_attempts;

/* Bytes of memory for about `entries` counters. */
size_t assay_attempts_size(size_t entries);

/* Makes `memory` (assay_attempts_size bytes, aligned to 64) into a table. `key` (16 random bytes)
 * keys its hash, so that collisions cannot be made. */
struct assay_attempts *assay_attempts_init(void *memory, size_t size, const uint8_t key[16]);

/* Seconds until (client_id, source) may try again, 0 if it may now (fewer than
 * ASSAY_MAX_FAILED_AUTH failures in ASSAY_FAILED_AUTH_WINDOW_S). */
unsigned assay_attempts_wait_s(struct assay_attempts *attempts, struct assay_slice client_id,
                               struct assay_slice source, int64_t now_s);

/* Notes one failure. A full bucket forgets a counter whose window is over, else the one that
 * counted least; nothing grows and nothing is refused. */
void assay_attempts_failed(struct assay_attempts *attempts, struct assay_slice client_id,
                           struct assay_slice source, int64_t now_s);

#endif
