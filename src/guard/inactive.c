#include "guard/inactive.h"

#include <assert.h>

#define WAYS 4
#define WORDS ASSAY_INACTIVE_KEY_WORDS

struct entry {
    assay_claim claim;
    _Atomic uint64_t key[WORDS];
    _Atomic uint64_t generation;
    _Atomic int64_t asked_us;
    uint64_t rest[3];
};
static_assert(sizeof(struct entry) == 64, "an inactive answer is one cache line");

struct assay_inactive {
    size_t sets;
    uint64_t rest[7];
    struct entry entries[];
};

size_t assay_inactive_size(size_t sets)
{
    return sizeof(struct assay_inactive) + sets * WAYS * sizeof(struct entry);
}

struct assay_inactive *assay_inactive_init(void *memory, size_t sets)
{
    struct assay_inactive *table = memory;
    table->sets = sets;
    return table;
}

static size_t first_of(const struct assay_inactive *table, const uint64_t key[WORDS])
{
    return WAYS * (size_t)((key[1] >> 32) * table->sets >> 32);
}

/* --- finding --- */

/* All reads are in one order with the writes of active answers: cache.c tells why. */
static bool has_key(const struct entry *entry, const uint64_t key[WORDS])
{
    for (size_t i = 0; i < WORDS; i++) {
        if (atomic_load_explicit(&entry->key[i], memory_order_seq_cst) != key[i]) {
            return false;
        }
    }
    return true;
}

/* 0 when it is about another token or of another generation. One that is being written counts as it
 * is, or not at all. */
static int64_t asked_if_known(const struct entry *entry, const uint64_t key[WORDS],
                              uint64_t generation, bool count_unsure)
{
    uint64_t before = atomic_load_explicit(&entry->claim, memory_order_seq_cst);
    if (!has_key(entry, key)) {
        return 0;
    }
    uint64_t own = atomic_load_explicit(&entry->generation, memory_order_acquire);
    int64_t asked_us = atomic_load_explicit(&entry->asked_us, memory_order_acquire);
    bool whole = !assay_claim_is_held(before) &&
                 atomic_load_explicit(&entry->claim, memory_order_relaxed) == before;
    return (whole && own == generation) || (!whole && count_unsure) ? asked_us : 0;
}

static int64_t latest_known(const struct assay_inactive *table, const uint64_t key[WORDS],
                            uint64_t generation, bool count_unsure)
{
    const struct entry *set = &table->entries[first_of(table, key)];
    int64_t latest_us = 0;
    for (size_t way = 0; way < WAYS; way++) {
        int64_t asked_us = asked_if_known(&set[way], key, generation, count_unsure);
        latest_us = asked_us > latest_us ? asked_us : latest_us;
    }
    return latest_us;
}

bool assay_inactive_find(const struct assay_inactive *table, const uint64_t key[WORDS],
                         uint64_t generation, int64_t *ret_asked_us)
{
    int64_t latest_us = latest_known(table, key, generation, false);
    if (latest_us == 0) {
        return false;
    }
    *ret_asked_us = latest_us;
    return true;
}

int64_t assay_inactive_latest(const struct assay_inactive *table, const uint64_t key[WORDS],
                              uint64_t generation)
{
    return latest_known(table, key, generation, true);
}

/* --- storing --- */

/* That of the token, else the oldest; none of those in `tried`, a bit for each. */
static size_t way_for(const struct entry *set, const uint64_t key[WORDS], unsigned tried)
{
    size_t oldest = WAYS;
    int64_t oldest_us = INT64_MAX;
    for (size_t way = 0; way < WAYS; way++) {
        int64_t asked_us = atomic_load_explicit(&set[way].asked_us, memory_order_relaxed);
        if ((tried >> way & 1) != 0) {
            continue;
        }
        if (has_key(&set[way], key)) {
            return way;
        }
        if (oldest == WAYS || asked_us < oldest_us) {
            oldest = way;
            oldest_us = asked_us;
        }
    }
    return oldest;
}

static bool is_later(const struct entry *entry, const uint64_t key[WORDS], uint64_t generation,
                     int64_t asked_us)
{
    uint64_t own = atomic_load_explicit(&entry->generation, memory_order_relaxed);
    return has_key(entry, key) &&
           (own > generation ||
            (own == generation &&
             atomic_load_explicit(&entry->asked_us, memory_order_relaxed) >= asked_us));
}

/* Of an entry whose writer died nobody knows which of its words belong together: the later time is
 * the safe one. */
static int64_t latest_of(const struct entry *entry, const uint64_t key[WORDS], int64_t asked_us)
{
    int64_t there_us = atomic_load_explicit(&entry->asked_us, memory_order_relaxed);
    return has_key(entry, key) && there_us > asked_us ? there_us : asked_us;
}

static void write(struct entry *entry, const uint64_t key[WORDS], uint64_t generation,
                  int64_t asked_us)
{
    for (size_t i = 0; i < WORDS; i++) {
        atomic_store_explicit(&entry->key[i], key[i], memory_order_release);
    }
    atomic_store_explicit(&entry->generation, generation, memory_order_release);
    atomic_store_explicit(&entry->asked_us, asked_us, memory_order_release);
}

void assay_inactive_put(struct assay_inactive *table, const uint64_t key[WORDS],
                        uint64_t generation, int64_t asked_us, const struct assay_process *me)
{
    struct entry *set = &table->entries[first_of(table, key)];
    unsigned tried = 0;
    for (size_t i = 0; i < WAYS; i++) {
        size_t way = way_for(set, key, tried);
        enum assay_claim_result result = assay_claim_take(&set[way].claim, me);
        if (result == ASSAY_CLAIM_BUSY) {
            tried |= 1u << way; /* its holder may be stopped: another place will do */
            continue;
        }
        if (result == ASSAY_CLAIM_INHERITED) {
            asked_us = latest_of(&set[way], key, asked_us);
        }
        if (result == ASSAY_CLAIM_INHERITED || !is_later(&set[way], key, generation, asked_us)) {
            write(&set[way], key, generation, asked_us);
        }
        assay_claim_give(&set[way].claim);
        return;
    }
}
