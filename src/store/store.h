/* The contract between a host and a store, in the verbs of the domain (record/lookup.h, change.h,
 * query.h). Two engines keep it: LMDB (store/lmdb) and, later, PostgreSQL (store/pg); one suite
 * (test/store/store_contract.c) holds them to it.
 *
 * Every call is made on the thread of the loop the store was opened with, and every done() runs on
 * it: once, maybe before the call returns. Durable before done: a change whose done() says ASSAY_OK
 * is on the disk. */
#ifndef ASSAY_STORE_STORE_H
#define ASSAY_STORE_STORE_H

#include "base/status.h"
#include "record/change.h"
#include "record/lookup.h"
#include "record/query.h"

struct assay_store;

/* One look-up. The caller owns it, so a look-up allocates nothing, and keeps it until done() or
 * cancel() has returned. The records in `lookup` are gone when done() returns. */
struct assay_store_find {
    struct assay_lookup *lookup;
    void (*done)(struct assay_store_find *find);
    void *context;            /* the caller's */
    enum assay_status status; /* out: OK, STORE, CORRUPT */
    struct assay_error error; /* out, when status is not OK */
    void *engine;             /* the engine's */
};

/* One change. The caller owns it and `change` until done(). After cancel() the change is either
 * abandoned, never to be committed and never to be answered (cancel returns true), or in the
 * writer's hands and will be answered by done() all the same (cancel returns false). So it belongs
 * to the host's worker, not to a request's pool.
 *
 * Status: OK (then see change->outcome), STORE (no answer in time, or the commit failed: nothing
 * was done, or the outcome is unknown when error.what says so), FULL, CORRUPT, CRYPTO. */
struct assay_store_change {
    struct assay_change *change;
    void (*done)(struct assay_store_change *op);
    void *context;
    enum assay_status status;
    struct assay_error error;
    void *engine[4]; /* the engine's */
};

/* One listing; its rows arrive by query->row before done(). */
struct assay_store_list {
    struct assay_query *query;
    void (*done)(struct assay_store_list *list);
    void *context;
    enum assay_status status;
    struct assay_error error;
    void *engine;
};

struct assay_store_ops {
    void (*find)(struct assay_store *store, struct assay_store_find *find);
    void (*find_cancel)(struct assay_store *store,
                        struct assay_store_find *find); /* no done() after */
    void (*change)(struct assay_store *store, struct assay_store_change *op);
    bool (*change_cancel)(struct assay_store *store, struct assay_store_change *op);
    void (*list)(struct assay_store *store, struct assay_store_list *list);
    void (*list_cancel)(struct assay_store *store,
                        struct assay_store_list *list); /* no done() after */
    /* Answers what is queued, stops, frees. What cannot be written within twice the time a change
     * may wait (a stopped process holds the write lock) is refused with ASSAY_ERR_STORE; then a
     * thread stays behind, so that the code of the engine must stay as well until the process ends.
     */
    void (*close)(struct assay_store *store);
};

/* What an engine tells its host of its work, for counters that processes share: runs on whatever
 * thread does the work. */
struct assay_store_meter {
    /* A commit of so many changes has reached the disk, in that many microseconds. */
    void (*committed)(struct assay_store_meter *meter, size_t changes, uint64_t took_us);
    void *context; /* the host's */
};

/* An engine's store starts with this. */
struct assay_store {
    const struct assay_store_ops *ops;
};

#endif
