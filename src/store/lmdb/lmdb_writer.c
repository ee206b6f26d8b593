#include "store/lmdb/lmdb_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define SWEEP_ON_MS 10     /* between batches of a sweep that has more to do: others write */
#define RETRY_EVERY_MS 250 /* while there is trouble */

/* The engine's part of an operation. */
struct queued {
    struct assay_store_change *next;
    struct assay_store_change **at; /* what points here, in whichever list */
    uintptr_t state;
    int64_t since_ms;
};

enum queued_state {
    QUEUED = 1,
    TAKEN,
    ANSWERED,
};

static struct queued *part_of(struct assay_store_change *op)
{
    static_assert(sizeof(struct queued) <= sizeof(op->engine), "the engine's part fits");
    return (struct queued *)(void *)op->engine;
}

int64_t lmdb_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void lmdb_log(struct lmdb_store *store, enum assay_log_level level, const char *event,
              const char *detail)
{
    if (store->log != NULL) {
        store->log->write(store->log, level, event, assay_slice_of_text(detail));
    }
}

/* --- the loop's side --- */

static void append(struct assay_store_change ***tail, struct assay_store_change *op)
{
    part_of(op)->next = NULL;
    part_of(op)->at = *tail;
    **tail = op;
    *tail = &part_of(op)->next;
}

/* Takes `op` out of the waiting list; the lock is held. */
static void unlink_waiting(struct lmdb_queue *queue, struct assay_store_change *op)
{
    struct queued *part = part_of(op);
    assert(*part->at == op);
    *part->at = part->next;
    if (part->next != NULL) {
        part_of(part->next)->at = part->at;
    }
    if (queue->waiting_tail == &part->next) {
        queue->waiting_tail = part->at;
    }
    queue->waiting_count--;
}

static void refuse_now(struct assay_store_change *op, enum assay_status status, const char *what)
{
    op->status = assay_fail(status, what, &op->error);
    op->done(op);
}

/* While a change is under way a timer runs, also when the writer has taken it: a host that is to
 * end takes a timer for a sign that there is something to wait for. */
static void set_timer(struct lmdb_store *store)
{
    if (!store->timer_set) {
        store->timer_set =
            store->loop->timer_set(store->loop, &store->timer, ASSAY_MAX_WRITE_WAIT_MS / 8);
    }
}

static void clear_timer(struct lmdb_store *store)
{
    if (store->timer_set) {
        store->loop->timer_clear(store->loop, &store->timer);
        store->timer_set = false;
    }
}

void lmdb_writer_submit(struct assay_store *base, struct assay_store_change *op)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    struct lmdb_queue *queue = &store->queue;
    op->error = (struct assay_error){0};
    if (!store->thread_runs) {
        refuse_now(op, ASSAY_ERR_STORE, "the store was opened for reading only");
        return;
    }
    pthread_mutex_lock(&queue->lock);
    if (queue->waiting_count >= LMDB_MAX_QUEUE) {
        pthread_mutex_unlock(&queue->lock);
        refuse_now(op, ASSAY_ERR_STORE, "too many changes are waiting");
        return;
    }
    *part_of(op) = (struct queued){.state = QUEUED, .since_ms = lmdb_now_ms()};
    append(&queue->waiting_tail, op);
    queue->waiting_count++;
    pthread_cond_signal(&queue->wake);
    pthread_mutex_unlock(&queue->lock);
    store->under_way++;
    set_timer(store);
}

bool lmdb_writer_cancel(struct assay_store *base, struct assay_store_change *op)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    struct lmdb_queue *queue = &store->queue;
    pthread_mutex_lock(&queue->lock);
    bool abandoned = part_of(op)->state == QUEUED;
    if (abandoned) {
        unlink_waiting(queue, op);
        store->under_way--;
    }
    pthread_mutex_unlock(&queue->lock);
    return abandoned;
}

/* Abandons what has waited for longer than the limit. */
static void abandon_late(struct assay_timer *timer)
{
    struct lmdb_store *store = timer->context;
    struct lmdb_queue *queue = &store->queue;
    int64_t late_ms = lmdb_now_ms() - ASSAY_MAX_WRITE_WAIT_MS;
    store->timer_set = false;
    for (;;) {
        pthread_mutex_lock(&queue->lock);
        struct assay_store_change *op = queue->waiting;
        bool late = op != NULL && part_of(op)->since_ms <= late_ms;
        if (late) {
            unlink_waiting(queue, op);
            store->under_way--;
        }
        pthread_mutex_unlock(&queue->lock);
        if (!late) {
            if (store->under_way > 0) {
                set_timer(store);
            }
            return;
        }
        atomic_store(&store->trouble.write_blocked, true);
        refuse_now(op, ASSAY_ERR_STORE, "the store's write lock was not free in time");
    }
}

static void reopen(struct lmdb_store *store)
{
    struct assay_error error = {0};
    lmdb_env_close(store);
    lmdb_ring_clear(&store->reader_ring);
    lmdb_clients_forget(store);
    lmdb_presence_look(store);
    if (atomic_load(&store->trouble.replaced)) {
        return; /* not what lies there now */
    }
    lmdb_spare_standard_descriptors();
    if (lmdb_env_open(store, 0, &error) != ASSAY_OK) {
        lmdb_log(store, ASSAY_LOG_ERROR, "store_io", error.what);
    }
}

/* Calls done() for what the writer has answered. */
static void deliver(struct assay_watch *watch)
{
    struct lmdb_store *store = watch->context;
    struct lmdb_queue *queue = &store->queue;
    uint64_t count;
    if (read(store->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN) {
        lmdb_log(store, ASSAY_LOG_ERROR, "store_io", "the writer's event cannot be read");
    }
    pthread_mutex_lock(&queue->lock);
    struct assay_store_change *op = queue->answered;
    queue->answered = NULL;
    queue->answered_tail = &queue->answered;
    if (queue->reopen) {
        reopen(store);
        queue->reopen = false;
        pthread_cond_signal(&queue->reopened);
    }
    pthread_mutex_unlock(&queue->lock);
    while (op != NULL) {
        struct assay_store_change *next = part_of(op)->next;
        store->under_way--;
        op->done(op);
        op = next;
    }
}

/* --- the writer's side --- */

static void notify(struct lmdb_store *store)
{
    static const uint64_t one = 1;
    /* Fails only when the counter is full, and then the loop is awake already. */
    (void)!write(store->event_fd, &one, sizeof(one));
}

struct batch {
    struct assay_store_change *ops[LMDB_MAX_BATCH];
    size_t count;
};

/* Takes what is queued. Called with the write transaction open, so that whatever waits for the
 * write lock can still be abandoned. */
static void take(struct lmdb_queue *queue, struct batch *batch)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->waiting != NULL && batch->count < LMDB_MAX_BATCH && !queue->left) {
        struct assay_store_change *op = queue->waiting;
        unlink_waiting(queue, op);
        part_of(op)->state = TAKEN;
        op->status = ASSAY_OK;
        batch->ops[batch->count++] = op;
    }
    pthread_mutex_unlock(&queue->lock);
}

static void answer(struct lmdb_store *store, struct batch *batch)
{
    struct lmdb_queue *queue = &store->queue;
    pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; i < batch->count && !queue->left; i++) {
        part_of(batch->ops[i])->state = ANSWERED;
        append(&queue->answered_tail, batch->ops[i]);
    }
    pthread_mutex_unlock(&queue->lock);
    notify(store);
}

static void fail_all(struct batch *batch, enum assay_status status, const char *what)
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

int lmdb_write_begin(struct lmdb_store *store, struct lmdb_write *w, struct assay_error *error)
{
    *w = (struct lmdb_write){.store = store};
    if (store->env == NULL || atomic_load(&store->trouble.replaced)) {
        return MDB_PANIC;
    }
    int rc = mdb_txn_begin(store->env, NULL, 0, &w->txn);
    if (rc != 0) {
        w->txn = NULL;
        return rc;
    }
    atomic_store(&store->trouble.write_blocked, false);
    enum assay_status status = lmdb_read_header_to_write(store, w->txn, &w->header, error);
    if (status == ASSAY_OK) {
        status = lmdb_ring_refresh(store, w->txn, w->header.keys_seq, &store->writer_ring, error);
    }
    if (status != ASSAY_OK) {
        mdb_txn_abort(w->txn);
        w->txn = NULL;
        return MDB_CORRUPTED;
    }
    return 0;
}

static enum assay_status put_header(struct lmdb_write *w, struct assay_error *reterr)
{
    uint8_t bytes[ASSAY_HEADER_LEN];
    w->header.snapshot = mdb_txn_id(w->txn);
    assay_header_write(&w->header, bytes);
    MDB_val key = lmdb_val(ASSAY_SLICE("header"));
    MDB_val value = lmdb_val(assay_slice_of(bytes, sizeof(bytes)));
    int rc = mdb_put(w->txn, w->store->dbis.header, &key, &value, 0);
    return rc == 0 ? ASSAY_OK : lmdb_fail(rc, "the store cannot be written", reterr);
}

static void wake_others(struct lmdb_store *store)
{
    static const uint8_t mark = 1;
    if (store->wake_fd < 0) {
        store->wake_fd = lmdb_file_open(store->dir_fd, "wake", O_WRONLY | O_CREAT);
    }
    if (store->wake_fd >= 0) {
        (void)!pwrite(store->wake_fd, &mark, 1, 0); /* news is a hint; who misses it asks anyway */
    }
}

/* Asks the loop to close and open the environment, and waits until it has: after a failed write of
 * the meta page, LMDB lets nothing through until that is done. It may fail; then it is asked again
 * later. */
static void ask_to_reopen(struct lmdb_store *store)
{
    struct lmdb_queue *queue = &store->queue;
    lmdb_ring_clear(&store->writer_ring);
    pthread_mutex_lock(&queue->lock);
    queue->reopen = true;
    notify(store);
    while (queue->reopen && !queue->stopping) {
        pthread_cond_wait(&queue->reopened, &queue->lock);
    }
    queue->reopen = false;
    pthread_mutex_unlock(&queue->lock);
    store->poisoned = false;
}

/* Before anything is written: the files are still those that were opened, and there is an
 * environment that works. */
static void see_to_environment(struct lmdb_store *store)
{
    lmdb_presence_look(store);
    if ((store->env == NULL || store->poisoned) && !atomic_load(&store->trouble.replaced)) {
        ask_to_reopen(store);
    }
}

static void note_io(struct lmdb_store *store, bool trouble)
{
    if (atomic_exchange(&store->trouble.io, trouble) != trouble) {
        lmdb_log(store, trouble ? ASSAY_LOG_ERROR : ASSAY_LOG_NOTICE, "store_io",
                 trouble ? "a commit failed" : "commits reach the disk again");
    }
}

/* Nothing of a failed commit is tried again: what the system was told to flush and could not, it
 * may have forgotten since. The change is refused, and the environment opened anew before the next.
 */
static enum assay_status commit_failed(struct lmdb_store *store, int rc, struct assay_error *error)
{
    note_io(store, true);
    /* LMDB reports a short write as EIO: whether the disk was full shows in what is left of it. */
    bool full = rc == ENOSPC || lmdb_disk_is_full(store);
    if (full) {
        lmdb_ballast_release(store->dir_fd);
    }
    ask_to_reopen(store);
    return full ? assay_fail(ASSAY_ERR_FULL, "the disk is full", error)
                : assay_fail(ASSAY_ERR_STORE, "the store could not be written to the disk", error);
}

static void keep_whole(struct lmdb_store *store)
{
    MDB_envinfo info;
    MDB_stat stat;
    int fd;
    if (mdb_env_get_fd(store->env, &fd) == 0 && mdb_env_info(store->env, &info) == 0 &&
        mdb_env_stat(store->env, &stat) == 0) {
        lmdb_data_keep_whole(fd, (info.me_last_pgno + 1) * stat.ms_psize, stat.ms_psize);
    }
}

enum assay_status lmdb_write_commit(struct lmdb_write *w, struct assay_error *error)
{
    struct lmdb_store *store = w->store;
    int64_t start_us = now_us();
    enum assay_status status = put_header(w, error);
    if (status != ASSAY_OK) {
        mdb_txn_abort(w->txn);
        w->txn = NULL;
        return status;
    }
    int rc = mdb_txn_commit(w->txn);
    w->txn = NULL;
    if (rc != 0) {
        return commit_failed(store, rc, error);
    }
    note_io(store, false);
    keep_whole(store);
    if (store->meter != NULL) {
        store->meter->committed(store->meter, w->changes, (uint64_t)(now_us() - start_us));
    }
    wake_others(store);
    store->witness_due = true;
    return ASSAY_OK;
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
static enum assay_status run_batch(struct lmdb_write *w, struct batch *batch,
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

static enum assay_status run_batch_nested(struct lmdb_store *store, struct batch *batch,
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
    struct batch batch = {.count = 0};
    struct lmdb_write w;
    struct assay_error error = {0};
    bool torn = false;
    see_to_environment(store);
    struct lmdb_room room = lmdb_room_look(store);
    int rc = lmdb_write_begin(store, &w, &error);
    take(&store->queue, &batch);
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
    answer(store, &batch);
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
    see_to_environment(store);
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
    struct lmdb_queue *queue = &store->queue;
    pthread_condattr_t attr;
    queue->waiting_tail = &queue->waiting;
    queue->answered_tail = &queue->answered;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->wake, &attr);
    pthread_cond_init(&queue->reopened, &attr);
    pthread_cond_init(&queue->end, &attr);
    pthread_condattr_destroy(&attr);

    store->wake_fd = lmdb_file_open(store->dir_fd, "wake", O_WRONLY | O_CREAT);
    store->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    store->watch = (struct assay_watch){.fd = store->event_fd, .ready = deliver, .context = store};
    store->timer = (struct assay_timer){.fired = abandon_late, .context = store};
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

static void refuse_waiting(struct lmdb_queue *queue)
{
    struct assay_store_change *op;
    while ((op = queue->waiting) != NULL) {
        unlink_waiting(queue, op);
        refuse_now(op, ASSAY_ERR_STORE, "the store's write lock was not free in time");
    }
}

bool lmdb_writer_stop(struct lmdb_store *store)
{
    if (store->thread_runs) {
        bool ended = writer_ends(store);
        store->thread_runs = false;
        deliver(&store->watch);
        store->loop->unwatch(store->loop, &store->watch);
        if (!ended) {
            lmdb_log(store, ASSAY_LOG_ERROR, "store_write_blocked",
                     "the store's writer is stuck and has been left behind");
            store->log = NULL; /* its owner goes */
            (void)pthread_detach(store->thread);
            refuse_waiting(&store->queue);
            clear_timer(store);
            return false;
        }
        pthread_join(store->thread, NULL);
    }
    clear_timer(store);
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
