#include "guard/asking.h"

#include <stdbool.h>
#include <string.h>

/* A token has one place. Each of its two words says all in one, so that nothing is read of two
 * questions at once: who asks, about which token and until when (0: nobody); and how the last one
 * failed, about which token and when it was asked (0: none did). */
struct slot {
    _Atomic uint64_t holder;
    _Atomic uint64_t failure;
    uint64_t rest[6];
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

/* --- who asks: 22 bits of process, 22 of time, 20 of the token --- */

#define PROCESS_BITS 22 /* Linux has no higher id */
#define TIME_BITS 22
#define NAME_BITS 20
#define TICK_US 16384   /* so that a day has no time twice */
#define GRACE_US 100000 /* an answer may be on its way to the cache */
#define LONGEST_US (INT64_C(3600) * 1000000)

static uint64_t low(uint64_t word, unsigned bits)
{
    return word & ((UINT64_C(1) << bits) - 1);
}

/* The part of a key that tells the tokens of one place apart. */
static uint64_t name_of(const uint8_t key[ASSAY_ASKING_KEY_LEN])
{
    return low(word_of(key, 1), NAME_BITS);
}

static uint64_t holder_word(const uint8_t key[ASSAY_ASKING_KEY_LEN], uint32_t process,
                            const struct assay_asking_times *times)
{
    int64_t until_us =
        times->until_us - times->now_us > LONGEST_US ? times->now_us + LONGEST_US : times->until_us;
    uint64_t tick = low((uint64_t)((until_us + GRACE_US) / TICK_US) + 1, TIME_BITS);
    return low(process, PROCESS_BITS) | tick << PROCESS_BITS |
           name_of(key) << (PROCESS_BITS + TIME_BITS);
}

static uint32_t process_of(uint64_t holder)
{
    return (uint32_t)low(holder, PROCESS_BITS);
}

static uint64_t name_in(uint64_t holder)
{
    return holder >> (PROCESS_BITS + TIME_BITS);
}

/* A time that lies further ahead than any question takes has passed long ago. */
static bool is_over(uint64_t holder, int64_t now_us)
{
    uint64_t tick = low(holder >> PROCESS_BITS, TIME_BITS);
    uint64_t left = low(tick - (uint64_t)(now_us / TICK_US), TIME_BITS);
    return left == 0 || left > (LONGEST_US + GRACE_US) / TICK_US + 1;
}

/* --- how the last one failed: 8 bits of which, 36 of milliseconds, 20 of the token --- */

#define WHICH_BITS 8
#define ASKED_BITS 36

static uint64_t failure_word(const uint8_t key[ASSAY_ASKING_KEY_LEN], unsigned failure,
                             int64_t asked_us)
{
    return low(failure, WHICH_BITS) | low((uint64_t)(asked_us / 1000), ASKED_BITS) << WHICH_BITS |
           name_of(key) << (WHICH_BITS + ASKED_BITS);
}

/* Which failure whoever waits since then is to be told; 0: none. Within a millisecond nobody knows
 * which was first: then it is asked once more. */
static unsigned failure_of(const struct slot *slot, const uint8_t key[ASSAY_ASKING_KEY_LEN],
                           int64_t since_us)
{
    uint64_t word = atomic_load_explicit(&slot->failure, memory_order_acquire);
    uint64_t asked_ms = low(word >> WHICH_BITS, ASKED_BITS);
    uint64_t later_ms = low(asked_ms - (uint64_t)(since_us / 1000), ASKED_BITS);
    bool after = later_ms != 0 && later_ms < UINT64_C(1) << (ASKED_BITS - 1);
    bool ours = word >> (WHICH_BITS + ASKED_BITS) == name_of(key);
    return ours && after ? (unsigned)low(word, WHICH_BITS) : 0;
}

/* --- the interface --- */

/* Is that a question which is under way? One of our own id about this token is not: it was that of
 * a process which had the id before us, as nobody asks about a token twice. */
static bool is_held(uint64_t holder, const uint8_t key[ASSAY_ASKING_KEY_LEN], int64_t now_us,
                    const struct assay_process *me)
{
    if (holder == 0 || is_over(holder, now_us)) {
        return false;
    }
    return process_of(holder) == me->id ? name_in(holder) != name_of(key)
                                        : me->alive(process_of(holder));
}

enum assay_asking_role assay_asking_begin(struct assay_asking *asking,
                                          const uint8_t key[ASSAY_ASKING_KEY_LEN],
                                          const struct assay_asking_times *times,
                                          const struct assay_process *me,
                                          struct assay_asking_turn *ret_turn, unsigned *ret_failure)
{
    struct slot *slot = slot_of(asking, key);
    uint64_t mine = holder_word(key, me->id, times);
    uint64_t held = atomic_load_explicit(&slot->holder, memory_order_acquire);
    unsigned failure = failure_of(slot, key, times->since_us);
    if (failure != 0) {
        *ret_failure = failure;
        return ASSAY_ASKING_FAILED;
    }
    if (is_held(held, key, times->now_us, me)) {
        return name_in(held) == name_of(key) ? ASSAY_ASKING_OTHERS : ASSAY_ASKING_ALONE;
    }
    if (!atomic_compare_exchange_strong_explicit(&slot->holder, &held, mine, memory_order_acq_rel,
                                                 memory_order_relaxed)) {
        return ASSAY_ASKING_OTHERS; /* somebody was faster: looking again will tell */
    }
    ret_turn->word = mine;
    return ASSAY_ASKING_MINE;
}

void assay_asking_end(struct assay_asking *asking, const uint8_t key[ASSAY_ASKING_KEY_LEN],
                      struct assay_asking_turn turn, unsigned failure, int64_t asked_us)
{
    struct slot *slot = slot_of(asking, key);
    if (failure != 0) {
        atomic_store_explicit(&slot->failure, failure_word(key, failure, asked_us),
                              memory_order_release);
    }
    atomic_compare_exchange_strong_explicit(&slot->holder, &turn.word, 0, memory_order_acq_rel,
                                            memory_order_relaxed);
}
