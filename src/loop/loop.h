/* What a host's event loop offers: watch a descriptor, set a timer. One thread per loop; all calls
 * and callbacks are on it. */
#ifndef ASSAY_LOOP_LOOP_H
#define ASSAY_LOOP_LOOP_H

#include "base/attr.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct assay_loop;

#define ASSAY_READABLE 1u
#define ASSAY_WRITABLE 2u

/* A descriptor that is waited for. The owner fills it in and keeps it while watched. */
struct assay_watch {
    int fd;
    unsigned wants; /* ASSAY_READABLE, ASSAY_WRITABLE or both; 0: the first, once each time */
    unsigned is;    /* out, for `ready`: which of them; both when it is broken */
    void (*ready)(
        struct assay_watch *watch); /* where `wants` is 0, must read until it would block */
    void *context;                  /* the owner's */
    void *host;                     /* the loop's */
};

/* A single shot. The owner fills it in and keeps it while set. */
struct assay_timer {
    void (*fired)(struct assay_timer *timer);
    bool background; /* keeps no worker from leaving that is told to */
    void *context;   /* the owner's */
    void *host;      /* the loop's */
};

/* A call that is put off. The owner fills it in and keeps it while deferred. */
struct assay_task {
    void (*run)(struct assay_task *task);
    void *context; /* the owner's */
    void *host;    /* the loop's */
};

struct assay_loop {
    /* Begins to wait; for a watch that is waited for already, what it wants may have changed. Fails
     * with ASSAY_ERR_SYSTEM. */
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
