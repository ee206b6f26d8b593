/* What a host's event loop offers: watch a descriptor, set a timer. One thread per loop; all calls
 * and callbacks are on it. */
#ifndef ASSAY_LOOP_LOOP_H
#define ASSAY_LOOP_LOOP_H

#include "base/attr.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct assay_loop;

/* A descriptor whose readability is waited for. The owner fills it in and keeps it while watched.
 */
struct assay_watch {
    int fd;
    void (*ready)(struct assay_watch *watch); /* `fd` is readable; must read until it would block */
    void *context;                            /* the owner's */
    void *host;                               /* the loop's */
};

/* A single shot. The owner fills it in and keeps it while set. */
struct assay_timer {
    void (*fired)(struct assay_timer *timer);
    void *context; /* the owner's */
    void *host;    /* the loop's */
};

/* A call that is put off. The owner fills it in and keeps it while deferred. */
struct assay_task {
    void (*run)(struct assay_task *task);
    void *context; /* the owner's */
    void *host;    /* the loop's */
};

struct assay_loop {
    /* Fails with ASSAY_ERR_SYSTEM. */
    enum assay_status (*watch)(struct assay_loop *loop, struct assay_watch *watch,
                               struct assay_error *reterr);
    void (*unwatch)(struct assay_loop *loop, struct assay_watch *watch);
    /* Sets or moves the timer to `delay_ms` milliseconds from now. False when it cannot. */
    bool (*timer_set)(struct assay_loop *loop, struct assay_timer *timer, int64_t delay_ms);
    void (*timer_clear)(struct assay_loop *loop, struct assay_timer *timer);
    /* Runs `task` once, when all that is ready in this turn has been served, so that what many ask
     * for can be done together. NULL where the loop knows no such moment. */
    void (*defer)(struct assay_loop *loop, struct assay_task *task);
    void (*undefer)(struct assay_loop *loop, struct assay_task *task);
};

#endif
