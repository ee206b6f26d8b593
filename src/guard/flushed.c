#include "guard/flushed.h"

#include <stddef.h>

void assay_raise(_Atomic int64_t *word, int64_t value)
{
    int64_t there = atomic_load_explicit(word, memory_order_relaxed);
    while (there < value && !atomic_compare_exchange_weak_explicit(
                                word, &there, value, memory_order_seq_cst, memory_order_relaxed)) {
    }
}

/* --- reading --- */

static bool names(uint64_t kind, uint64_t value, const struct assay_flushable *what)
{
    return (kind == ASSAY_FLUSH_TOKEN && value == what->token) ||
           (kind == ASSAY_FLUSH_SUBJECT && value == what->subject) ||
           (kind == ASSAY_FLUSH_CLIENT && value == what->client);
}

/* One that is held, or was in between, is read as widely as it can be meant: its time is that of
 * the mark which goes or of the one which comes, and of what goes the floor takes care. */
static bool forbids(const struct assay_flush_mark *mark, const struct assay_flushable *what,
                    int64_t asked_us)
{
    uint64_t before = atomic_load_explicit(&mark->claim, memory_order_acquire);
    int64_t at_us = atomic_load_explicit(&mark->at_us, memory_order_acquire);
    if (at_us < asked_us) {
        return false;
    }
    uint64_t kind = atomic_load_explicit(&mark->kind, memory_order_acquire);
    uint64_t value = atomic_load_explicit(&mark->value, memory_order_acquire);
    bool whole = !assay_claim_is_held(before) &&
                 atomic_load_explicit(&mark->claim, memory_order_relaxed) == before;
    return !whole || names(kind, value, what);
}

bool assay_flushed_has(const struct assay_flushed *flushed, const struct assay_flushable *what,
                       int64_t asked_us)
{
    if (atomic_load_explicit(&flushed->last_us, memory_order_acquire) < asked_us) {
        return false;
    }
    for (size_t i = 0; i < ASSAY_FLUSHED_MARKS; i++) {
        if (forbids(&flushed->marks[i], what, asked_us)) {
            return true;
        }
    }
    /* Behind the marks: one that was replaced while they were read has raised it before. */
    return atomic_load_explicit(&flushed->floor_us, memory_order_acquire) >= asked_us;
}

/* --- marking --- */

/* The mark that was set longest ago, of those that nobody holds; NULL: all are held. */
static struct assay_flush_mark *take_oldest(struct assay_flushed *flushed,
                                            const struct assay_process *me)
{
    for (size_t tries = 0; tries < ASSAY_FLUSHED_MARKS; tries++) {
        struct assay_flush_mark *oldest = NULL;
        int64_t oldest_us = INT64_MAX;
        for (size_t i = 0; i < ASSAY_FLUSHED_MARKS; i++) {
            struct assay_flush_mark *mark = &flushed->marks[i];
            int64_t at_us = atomic_load_explicit(&mark->at_us, memory_order_relaxed);
            uint64_t word = atomic_load_explicit(&mark->claim, memory_order_relaxed);
            if (at_us < oldest_us && assay_claim_may_take(word, me)) {
                oldest = mark;
                oldest_us = at_us;
            }
        }
        if (oldest == NULL || assay_claim_take(&oldest->claim, me) != ASSAY_CLAIM_BUSY) {
            return oldest;
        }
    }
    return NULL;
}

/* In this order: whoever reads meanwhile, and however far this gets, the mark that goes is in force
 * until the floor stands for it. */
static void replace(struct assay_flushed *flushed, struct assay_flush_mark *mark,
                    enum assay_flush_kind kind, uint64_t value, int64_t at_us)
{
    assay_raise(&flushed->floor_us, atomic_load_explicit(&mark->at_us, memory_order_relaxed));
    atomic_store_explicit(&mark->at_us, at_us, memory_order_seq_cst);
    atomic_store_explicit(&mark->kind, kind, memory_order_release);
    atomic_store_explicit(&mark->value, value, memory_order_release);
    assay_claim_give(&mark->claim);
}

void assay_flushed_mark(struct assay_flushed *flushed, enum assay_flush_kind kind, uint64_t value,
                        int64_t at_us, const struct assay_process *me)
{
    struct assay_flush_mark *mark = take_oldest(flushed, me);
    if (mark == NULL) {
        assay_raise(&flushed->floor_us, at_us);
    } else {
        replace(flushed, mark, kind, value, at_us);
    }
    assay_raise(&flushed->last_us, at_us);
}
