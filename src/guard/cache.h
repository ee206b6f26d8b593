/* The answers that a host remembers, in memory that its workers share. Nobody waits for anybody: a
 * reader that meets a writer takes it for a miss, and a writer that died at any instruction is in
 * nobody's way.
 *
 * An entry has 512 bytes and lies in one of 8 places of its set. A set's tags and its clock hand
 * are one cache line, so that a miss costs one and a hit a few more. Inactive answers have small
 * entries of their own, so that junk drives out nothing that lives. */
#ifndef ASSAY_GUARD_CACHE_H
#define ASSAY_GUARD_CACHE_H

#include "guard/claim.h"
#include "guard/flushed.h"
#include "oauth/freshness.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ASSAY_CACHE_KEY_LEN 16
#define ASSAY_CACHE_ENTRY 512
#define ASSAY_CACHE_PAYLOAD 352

/* One active answer, outside the shared memory. */
struct assay_cached {
    uint64_t generation;  /* of the cache when the question was sent */
    int64_t asked_us;     /* CLOCK_BOOTTIME in microseconds when that was; above 0 */
    int64_t dies_us;      /* likewise; INT64_MAX: the server said no end */
    int64_t expires_at_s; /* wall clock; 0: not said */
    int64_t not_before_s; /* likewise */
    uint64_t log; /* 0: not told, as what follows. Of a signed token: the version of the keys */
    uint64_t as_of;
    uint64_t keys[ASSAY_FRESHNESS_KINDS];
    uint64_t subject; /* what a flush compares; 0: none */
    uint64_t client;
    uint32_t flags; /* the caller's, 16 bits */
    uint16_t len;   /* bytes of payload */
    uint8_t payload[ASSAY_CACHE_PAYLOAD];
};

struct assay_cache;

/* What it counts, since it was made. */
struct assay_cache_counts {
    uint64_t stored;
    uint64_t evicted;    /* live or not: the set was full */
    uint64_t taken_over; /* from writers that died */
    uint64_t refused;    /* came too late: ended or flushed after the question was sent */
    uint64_t flushed;
};

/* A cache in `size` bytes at `memory`, which is aligned to 64 bytes and all zeros; NULL when that
 * is too small for anything useful (64 KiB). */
struct assay_cache *assay_cache_init(void *memory, size_t size);

/* How many active answers there is room for. */
size_t assay_cache_room(const struct assay_cache *cache);

/* The answer under `key`, whatever its age. No lock, no system call. */
bool assay_cache_find(struct assay_cache *cache, const uint8_t key[ASSAY_CACHE_KEY_LEN],
                      struct assay_cached *ret);

/* Stores `entry`, unless there is a later answer about its token, active or not, or what it is
 * about was flushed after it was asked. */
void assay_cache_put(struct assay_cache *cache, const uint8_t key[ASSAY_CACHE_KEY_LEN],
                     const struct assay_cached *entry, const struct assay_process *me);

/* The same of inactive answers. What was known as active and asked about no later is forgotten, by
 * whomever it is being stored. */
bool assay_cache_find_inactive(struct assay_cache *cache, const uint8_t key[ASSAY_CACHE_KEY_LEN],
                               int64_t *ret_asked_us);
void assay_cache_put_inactive(struct assay_cache *cache, const uint8_t key[ASSAY_CACHE_KEY_LEN],
                              uint64_t generation, int64_t asked_us,
                              const struct assay_process *me);

/* --- flushing --- */

/* A flush under way: zero it, fill in what is marked, and step until that says it is over. */
struct assay_flush {
    enum assay_flush_kind kind;       /* in */
    uint8_t key[ASSAY_CACHE_KEY_LEN]; /* in, for a token */
    uint64_t mark;                    /* in, for a subject or client: what assay_mark_make gives */
    int64_t now_us;                   /* in: CLOCK_BOOTTIME in microseconds when it began */
    uint64_t ended;                   /* out: entries */
    bool begun;                       /* private */
    size_t next;                      /* private */
};

/* Goes on, a bounded number of entries at a time. With the first step it is in force, also for
 * questions that are under way; the others make room. False when it is over. */
bool assay_flush_step(struct assay_cache *cache, struct assay_flush *flush,
                      const struct assay_process *me);

/* What an answer must still be to be used: of the generation in which it was asked for, */
uint64_t assay_cache_generation(struct assay_cache *cache);

/* and about nothing that was flushed since. */
bool assay_cache_may_use(struct assay_cache *cache, const uint8_t key[ASSAY_CACHE_KEY_LEN],
                         const struct assay_cached *entry);

void assay_cache_count(struct assay_cache *cache, struct assay_cache_counts *ret);

#endif
