#include "guard/claim.h"

#include <assert.h>

#define COUNT_SHIFT 33

static uint32_t holder_of(uint64_t word)
{
    return (uint32_t)(word >> 1);
}

bool assay_claim_take(assay_claim *claim, const struct assay_process *me)
{
    uint64_t word = atomic_load_explicit(claim, memory_order_acquire);
    if (assay_claim_is_held(word) && holder_of(word) != me->id && me->alive(holder_of(word))) {
        return false;
    }
    uint64_t count = word >> COUNT_SHIFT;
    uint64_t held = count << COUNT_SHIFT | (uint64_t)me->id << 1 | 1;
    return atomic_compare_exchange_strong_explicit(claim, &word, held, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

void assay_claim_give(assay_claim *claim)
{
    uint64_t word = atomic_load_explicit(claim, memory_order_relaxed);
    assert(assay_claim_is_held(word));
    atomic_store_explicit(claim, ((word >> COUNT_SHIFT) + 1) << COUNT_SHIFT, memory_order_release);
}
