#include "store/lmdb/lmdb_priv.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define SWEEP_ON_MS 10     /* between batches of a sweep that has more to do: others write */
#define RETRY_EVERY_MS 250 /* while there is trouble */

int64_t lmdb_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void lmdb_log(struct lmdb_store *store, enum assay_log_level level, const char *event,
              const char *detail)
{
    if (store->log != NULL) {
        store->log->write(store->log, level, event, assay_slice_of_text(detail));
    }
}

static void fail_all(struct lmdb_batch *batch, enum assay_status status, const char *what)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->ops[i]->status == ASSAY_OK) {
            batch->ops[i]->status = assay_fail(status, what, &batch->ops[i]->error);
        }
    }
}

/* What stops when room runs short, and what goes on. */
static bool may_always(enum assay_change_verb verb)
{
    switch (verb) {
    case ASSAY_CHANGE_CUT:
    case ASSAY_CHANGE_CLIENT_REMOVE:
    case ASSAY_CHANGE_CLIENT_UPDATE:
    case ASSAY_CHANGE_SWEEP:
        return true;
    case ASSAY_CHANGE_ISSUE:
    case ASSAY_CHANGE_ROTATE:
    case ASSAY_CHANGE_CLIENT_ADD:
    case ASSAY_CHANGE_SEAL_ROTATE:
    case ASSAY_CHANGE_CONSUME_ONCE:
        return false;
    }
    return false;
}

/* After trouble of its own, LMDB lets nothing more be done in a transaction. */
static bool is_engine_trouble(enum assay_status status)
{
    return status == ASSAY_ERR_STORE || status == ASSAY_ERR_CORRUPT || status == ASSAY_ERR_FULL;
}

/* Runs one change in `w`. Trouble with it alone leaves the header as it was; *ret_torn tells when
 * it had written something before. */
static void run_one(struct lmdb_write *w, struct assay_store_change *op,
                    const struct lmdb_room *room, bool *ret_torn)
{
    const struct assay_header_record header = w->header;
    bool dirty = w->dirty;
    *ret_torn = false;
    if (may_always(op->change->verb) ? !room->revoke : !room->issue) {
        op->status = assay_fail(ASSAY_ERR_FULL, "the store is full", &op->error);
        return;
    }
    w->dirty = false;
    op->status = lmdb_change_run(w, op->change, &op->error);
    *ret_torn = op->status != ASSAY_OK && (w->dirty || is_engine_trouble(op->status));
    if (op->status != ASSAY_OK || !w->dirty) {
        w->header = header;
    } else {
        w->changes++;
    }
    w->dirty = w->dirty || dirty;
}

/* The same inside a transaction of its own, nested in the batch's. */
static enum assay_status run_nested(struct lmdb_write *w, struct assay_store_change *op,
                                    const struct lmdb_room *room, struct assay_error *error)
{
    MDB_txn *outer = w->txn;
    bool dirty = w->dirty;
    bool torn = false;
    int rc = mdb_txn_begin(w->store->env, outer, 0, &w->txn);
    if (rc != 0) {
        w->txn = outer;
        return lmdb_fail(rc, "the store cannot be written", error);
    }
    run_one(w, op, room, &torn);
    if (torn) {
        mdb_txn_abort(w->txn);
        w->dirty = dirty;
    } else {
        rc = mdb_txn_commit(w->txn);
    }
    w->txn = outer;
    if (rc != 0) {
        return lmdb_fail(rc, "the store cannot be written", error);
    }
    /* A new sealing key that was not kept must not seal what comes next. */
    return lmdb_ring_refresh(w->store, outer, w->header.keys_seq, &w->store->writer_ring, error);
}

/* Runs a batch that lies in one transaction. Once in a while a change fails half way (a record over
 * its limits): then the batch starts over with each change nested, which costs more and saves the
 * others. */
static enum assay_status run_batch(struct lmdb_write *w, struct lmdb_batch *batch,
                                   const struct lmdb_room *room, bool *ret_torn,
                                   struct assay_error *error)
{
    *ret_torn = false;
    for (size_t i = 0; i < batch->count && !*ret_torn; i++) {
        run_one(w, batch->ops[i], room, ret_torn);
    }
    if (!*ret_torn) {
        return w->dirty ? lmdb_write_commit(w, error) : ASSAY_OK;
    }
    return ASSAY_OK;
}

static enum assay_status run_batch_nested(struct lmdb_store *store, struct lmdb_batch *batch,
                                          const struct lmdb_room *room, struct assay_error *error)
{
    struct lmdb_write w;
    int rc = lmdb_write_begin(store, &w, error);
    enum assay_status status =
        rc == 0 ? ASSAY_OK : lmdb_fail(rc, "the store cannot be written", error);
    for (size_t i = 0; i < batch->count && status == ASSAY_OK; i++) {
        status = run_nested(&w, batch->ops[i], room, error);
    }
    if (status == ASSAY_OK && w.dirty) {
        status = lmdb_write_commit(&w, error);
    }
    if (w.txn != NULL) {
        mdb_txn_abort(w.txn);
    }
    return status;
}

static const char *why_not(const struct lmdb_store *store, const struct assay_error *error)
{
    if (atomic_load(&store->trouble.replaced)) {
        return "the store's files were removed or replaced under it: restart what has it open";
    }
    return error->what == NULL ? "the store cannot be written" : error->what;
}

static void write_batch(struct lmdb_store *store)
{
    struct lmdb_batch batch = {.count = 0};
    struct lmdb_write w;
    struct assay_error error = {0};
    bool torn = false;
    lmdb_see_to_environment(store);
    struct lmdb_room room = lmdb_room_look(store);
    int rc = lmdb_write_begin(store, &w, &error);
    lmdb_queue_take(&store->queue, &batch);
    enum assay_status status =
        rc == 0 ? run_batch(&w, &batch, &room, &torn, &error) : lmdb_fail(rc, NULL, &error);
    if (w.txn != NULL) {
        mdb_txn_abort(w.txn);
    }
    if (status == ASSAY_OK && torn) {
        status = run_batch_nested(store, &batch, &room, &error);
    }
    store->poisoned |= rc == MDB_PANIC;
    if (status != ASSAY_OK) {
        fail_all(&batch, status, why_not(store, &error));
    }
    lmdb_queue_answer(store, &batch);
}

static bool in_trouble(struct lmdb_store *store)
{
    struct lmdb_trouble *trouble = &store->trouble;
    return store->env == NULL || store->poisoned || atomic_load(&trouble->io) ||
           atomic_load(&trouble->full) || atomic_load(&trouble->write_blocked) ||
           atomic_load(&trouble->replaced);
}

/* Finds out by itself that a trouble is over: readiness keeps requests away while there is one, so
 * no request may be needed to end it. A failing disk is tried with a commit that changes nothing.
 */
static void look_after(struct lmdb_store *store)
{
    struct lmdb_write w;
    struct assay_error error = {0};
    lmdb_see_to_environment(store);
    (void)lmdb_room_look(store);
    bool io = atomic_load(&store->trouble.io);
    if (!io && !atomic_load(&store->trouble.write_blocked)) {
        return;
    }
    int rc = lmdb_write_begin(store, &w, &error);
    if (rc == 0 && io) {
        (void)lmdb_write_commit(&w, &error);
    }
    if (w.txn != NULL) {
        mdb_txn_abort(w.txn);
    }
    store->poisoned |= rc == MDB_PANIC;
}

/* `wait_ms` from now, on the clock of our conditions. */
static struct timespec in_ms(int64_t wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    until.tv_sec += wait_ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return until;
}

/* Waits for work, for the time to look after the store, or for the end. True: there is something to
 * commit. */
static bool wait_for_work(struct lmdb_store *store, bool *ret_stop)
{
    struct lmdb_queue *queue = &store->queue;
    struct timespec until = in_ms(store->warm         ? 0
                                  : store->sweep_more ? SWEEP_ON_MS
                                  : in_trouble(store) ? RETRY_EVERY_MS
                                                      : LMDB_LOOK_EVERY_MS);
    pthread_mutex_lock(&queue->lock);
    int rc = 0;
    while (queue->waiting == NULL && !queue->stopping && rc == 0) {
        rc = pthread_cond_timedwait(&queue->wake, &queue->lock, &until);
    }
    bool work = queue->waiting != NULL;
    *ret_stop = queue->stopping;
    pthread_mutex_unlock(&queue->lock);
    return work;
}

static bool sweep_is_due(const struct lmdb_store *store)
{
    bool due = store->sweep_more || lmdb_now_ms() - store->last_sweep_ms >= LMDB_SWEEP_EVERY_MS;
    return store->sweep && due && store->env != NULL;
}

static void *write_until_told_to_stop(void *argument)
{
    struct lmdb_store *store = argument;
    bool stop = false;
    int64_t looked_ms = lmdb_now_ms();
    while (!stop) {
        if (wait_for_work(store, &stop)) {
            write_batch(store);
            stop = false; /* what is queued is answered before the end */
        }
        int64_t every_ms = in_trouble(store) ? RETRY_EVERY_MS : LMDB_LOOK_EVERY_MS;
        if (!stop && lmdb_now_ms() - looked_ms >= every_ms) {
            look_after(store);
            looked_ms = lmdb_now_ms();
        }
        if (!stop) {
            (void)lmdb_warm_some(store);
        }
        if (!stop && sweep_is_due(store)) {
            lmdb_sweep_once(store);
        }
        lmdb_keep_witness(store, stop);
    }
    pthread_mutex_lock(&store->queue.lock);
    store->queue.ended = true;
    pthread_cond_signal(&store->queue.end);
    pthread_mutex_unlock(&store->queue.lock);
    return NULL;
}

static int start_thread(struct lmdb_store *store)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    /* The writer takes no signal: they are the host's, and its handlers are not for this thread. */
    int rc = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (rc != 0) {
        return rc;
    }
    rc = pthread_create(&store->thread, NULL, write_until_told_to_stop, store);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

enum assay_status lmdb_writer_start(struct lmdb_store *store, struct assay_error *reterr)
{
    lmdb_queue_init(&store->queue);
    store->wake_fd = lmdb_file_open(store->dir_fd, "wake", O_WRONLY | O_CREAT);
    store->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    store->watch =
        (struct assay_watch){.fd = store->event_fd, .ready = lmdb_queue_deliver, .context = store};
    store->timer = (struct assay_timer){.fired = lmdb_queue_abandon_late, .context = store};
    store->last_sweep_ms = lmdb_now_ms() - LMDB_SWEEP_EVERY_MS;
    store->witness_due = true;
    if (store->event_fd < 0) {
        return assay_fail(ASSAY_ERR_SYSTEM, "no descriptor for the store's writer", reterr);
    }
    enum assay_status status = assay_digester_open(&store->digester, reterr);
    if (status == ASSAY_OK) {
        status = store->loop->watch(store->loop, &store->watch, reterr);
    }
    if (status == ASSAY_OK && start_thread(store) != 0) {
        store->loop->unwatch(store->loop, &store->watch);
        status = assay_fail(ASSAY_ERR_SYSTEM, "the store's writer cannot be started", reterr);
    }
    store->thread_runs = status == ASSAY_OK;
    return status;
}

/* Tells the writer to end and waits for it. False: it has not, in twice the time that a change may
 * wait (or sooner, where that time has been waited for already); from then on it touches no
 * operation. */
static bool writer_ends(struct lmdb_store *store)
{
    struct lmdb_queue *queue = &store->queue;
    bool blocked = atomic_load(&store->trouble.write_blocked);
    struct timespec until = in_ms(blocked ? RETRY_EVERY_MS : 2 * ASSAY_MAX_WRITE_WAIT_MS);
    pthread_mutex_lock(&queue->lock);
    queue->stopping = true;
    pthread_cond_signal(&queue->wake);
    pthread_cond_signal(&queue->reopened);
    int rc = 0;
    while (!queue->ended && rc == 0) {
        rc = pthread_cond_timedwait(&queue->end, &queue->lock, &until);
    }
    bool ended = queue->ended;
    queue->left = !ended;
    pthread_mutex_unlock(&queue->lock);
    return ended;
}

bool lmdb_writer_stop(struct lmdb_store *store)
{
    if (store->thread_runs) {
        bool ended = writer_ends(store);
        store->thread_runs = false;
        lmdb_queue_deliver(&store->watch);
        store->loop->unwatch(store->loop, &store->watch);
        if (!ended) {
            lmdb_log(store, ASSAY_LOG_ERROR, "store_write_blocked",
                     "the store's writer is stuck and has been left behind");
            store->log = NULL; /* its owner goes */
            (void)pthread_detach(store->thread);
            lmdb_queue_refuse(&store->queue);
            lmdb_queue_clear_timer(store);
            return false;
        }
        pthread_join(store->thread, NULL);
    }
    lmdb_queue_clear_timer(store);
    if (store->event_fd >= 0) {
        close(store->event_fd);
    }
    if (store->wake_fd >= 0) {
        close(store->wake_fd);
    }
    assay_digester_close(store->digester);
    lmdb_ring_clear(&store->writer_ring);
    return true;
}
