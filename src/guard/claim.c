#include "guard/claim.h"

#include <assert.h>

#define COUNT_SHIFT 33
#define COUNT_ONE (UINT64_C(1) << COUNT_SHIFT)

static uint32_t holder_of(uint64_t word)
{
    return (uint32_t)(word >> 1);
}

static uint64_t counted(uint64_t word)
{
    return (word & ~(COUNT_ONE - 1)) + COUNT_ONE;
}

bool assay_claim_may_take(uint64_t word, const struct assay_process *me)
{
    return !assay_claim_is_held(word) || holder_of(word) == me->id || !me->alive(holder_of(word));
}

enum assay_claim_result assay_claim_take(assay_claim *claim, const struct assay_process *me)
{
    uint64_t word = atomic_load_explicit(claim, memory_order_acquire);
    bool held = assay_claim_is_held(word);
    if (!assay_claim_may_take(word, me)) {
        return ASSAY_CLAIM_BUSY;
    }
    uint64_t mine = counted(word) | (uint64_t)me->id << 1 | 1;
    if (!atomic_compare_exchange_strong_explicit(claim, &word, mine, memory_order_acq_rel,
                                                 memory_order_relaxed)) {
        return ASSAY_CLAIM_BUSY;
    }
    return held ? ASSAY_CLAIM_INHERITED : ASSAY_CLAIM_TAKEN;
}

/* In one order with what was written before and is read behind: cache.c tells why. */
void assay_claim_give(assay_claim *claim)
{
    uint64_t word = atomic_load_explicit(claim, memory_order_relaxed);
    assert(assay_claim_is_held(word));
    atomic_store_explicit(claim, counted(word), memory_order_seq_cst);
}
