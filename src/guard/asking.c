#include "guard/asking.h"

#include <string.h>

/* A token has one place. It is free (0) or names who asks, and about which token: so the two change
 * hands in one step. */
struct slot {
    _Atomic uint64_t holder; /* bits 0-31: process; 32-63: of the key */
    _Atomic uint64_t failed_key;
    _Atomic uint64_t failure; /* bits 0-7: which; 8-63: when it was asked, microseconds */
    uint64_t rest[5];
};

struct assay_asking {
    size_t slots;
    uint64_t rest[7];
    struct slot slot[];
};

size_t assay_asking_size(size_t slots)
{
    return sizeof(struct assay_asking) + slots * sizeof(struct slot);
}

struct assay_asking *assay_asking_init(void *memory, size_t slots)
{
    struct assay_asking *asking = memory;
    asking->slots = slots;
    return asking;
}

static uint64_t word_of(const uint8_t key[ASSAY_ASKING_KEY_LEN], size_t at)
{
    uint64_t word;
    memcpy(&word, key + 8 * at, sizeof(word));
    return word;
}

static struct slot *slot_of(struct assay_asking *asking, const uint8_t key[ASSAY_ASKING_KEY_LEN])
{
    return &asking->slot[(word_of(key, 0) >> 32) * asking->slots >> 32];
}

static uint64_t held_by(const uint8_t key[ASSAY_ASKING_KEY_LEN], uint32_t process)
{
    return word_of(key, 1) >> 32 << 32 | process;
}

/* The two words are not read as one: at worst a failure of another token is taken for this one's,
 * and the request refused with 503. */
static unsigned failure_of(struct slot *slot, const uint8_t key[ASSAY_ASKING_KEY_LEN],
                           int64_t since_us)
{
    uint64_t failure = atomic_load_explicit(&slot->failure, memory_order_acquire);
    bool ours = atomic_load_explicit(&slot->failed_key, memory_order_acquire) == word_of(key, 1);
    return ours && failure != 0 && (int64_t)(failure >> 8) > since_us ? (unsigned)(failure & 0xFF)
                                                                      : 0;
}

enum assay_asking_role assay_asking_begin(struct assay_asking *asking,
                                          const uint8_t key[ASSAY_ASKING_KEY_LEN], int64_t since_us,
                                          const struct assay_process *me, unsigned *ret_failure)
{
    struct slot *slot = slot_of(asking, key);
    uint64_t mine = held_by(key, me->id);
    uint64_t held = atomic_load_explicit(&slot->holder, memory_order_acquire);
    *ret_failure = failure_of(slot, key, since_us);
    if (*ret_failure != 0) {
        return ASSAY_ASKING_FAILED;
    }
    if (held != 0 && (uint32_t)held != me->id && me->alive((uint32_t)held)) {
        return held >> 32 == mine >> 32 ? ASSAY_ASKING_OTHERS : ASSAY_ASKING_ALONE;
    }
    if (held != 0 && (uint32_t)held == me->id && held != mine) {
        return ASSAY_ASKING_ALONE; /* this process itself asks about another token */
    }
    return atomic_compare_exchange_strong_explicit(&slot->holder, &held, mine, memory_order_acq_rel,
                                                   memory_order_relaxed)
               ? ASSAY_ASKING_MINE
               : ASSAY_ASKING_OTHERS; /* somebody was faster: looking again will tell */
}

void assay_asking_end(struct assay_asking *asking, const uint8_t key[ASSAY_ASKING_KEY_LEN],
                      unsigned failure, int64_t asked_us, const struct assay_process *me)
{
    struct slot *slot = slot_of(asking, key);
    uint64_t mine = held_by(key, me->id);
    if (failure != 0) {
        atomic_store_explicit(&slot->failure, (uint64_t)asked_us << 8 | failure,
                              memory_order_release);
        atomic_store_explicit(&slot->failed_key, word_of(key, 1), memory_order_release);
    }
    atomic_compare_exchange_strong_explicit(&slot->holder, &mine, 0, memory_order_acq_rel,
                                            memory_order_relaxed);
}
