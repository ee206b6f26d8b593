/* A word in shared memory that names its holder: held only as long as that process lives. */
#ifndef ASSAY_GUARD_CLAIM_H
#define ASSAY_GUARD_CLAIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The process that works on shared memory, and how it learns whether another one still lives. */
struct assay_process {
    uint32_t id; /* never 0 */
    bool (*alive)(uint32_t id);
};

/* Even: free. Odd: held, by the process in bits 1 to 32. The bits above count, so that whoever
 * reads what it guards sees by the word alone that nobody wrote meanwhile. */
typedef _Atomic uint64_t assay_claim;

/* Is `word` that of a claim that is held? */
static inline bool assay_claim_is_held(uint64_t word)
{
    return (word & 1) != 0;
}

/* Takes the claim, if it is free or its holder is gone. A holder of our own id is a process that
 * had it before us: nobody holds a claim twice. */
bool assay_claim_take(assay_claim *claim, const struct assay_process *me);

/* Gives it back; the next even word. */
void assay_claim_give(assay_claim *claim);

#endif
