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

/* Even: free. Odd: held, by the process in bits 1 to 32. The bits above count, with each taking and
 * each giving back: whoever reads what it guards sees by the word alone that nobody wrote
 * meanwhile, and whoever found its holder dead does not take it from a later one that got the same
 * id. */
typedef _Atomic uint64_t assay_claim;

enum assay_claim_result {
    ASSAY_CLAIM_BUSY, /* a living process holds it, or was faster */
    ASSAY_CLAIM_TAKEN,
    ASSAY_CLAIM_INHERITED, /* its holder died: nobody knows how far that had got */
};

/* Is `word` that of a claim that is held? */
static inline bool assay_claim_is_held(uint64_t word)
{
    return (word & 1) != 0;
}

/* Could `me` take a claim that reads `word`? */
bool assay_claim_may_take(uint64_t word, const struct assay_process *me);

/* Takes the claim, if it is free or its holder is gone. A holder of our own id is a process that
 * had it before us: nobody holds a claim twice. */
enum assay_claim_result assay_claim_take(assay_claim *claim, const struct assay_process *me);

/* Gives it back; the next even word. */
void assay_claim_give(assay_claim *claim);

#endif
