/* The loop of the command: poll(2) over a few descriptors and timers. */
#ifndef ASSAY_TOOL_LOOP_POLL_H
#define ASSAY_TOOL_LOOP_POLL_H

#include "base/attr.h"
#include "base/status.h"
#include "loop/loop.h"

#include <stddef.h>
#include <stdint.h>

#define ASSAY_POLL_MAX 8 /* descriptors, and timers */

/* The caller owns it; it starts with the loop it offers. */
struct assay_poll {
    struct assay_loop loop;
    struct assay_watch *watches[ASSAY_POLL_MAX];
    size_t watch_count;
    struct {
        struct assay_timer *timer;
        int64_t due_ms; /* on CLOCK_MONOTONIC */
    } timers[ASSAY_POLL_MAX];
    size_t timer_count;
};

void assay_poll_init(struct assay_poll *poll);

/* Waits until a descriptor is readable or a timer is due, at most `wait_ms`, and calls what is.
 * Fails with ASSAY_ERR_SYSTEM. */
ASSAY_MUST_USE enum assay_status assay_poll_once(struct assay_poll *poll, int64_t wait_ms,
                                                 struct assay_error *reterr);

#endif
