/* Between the loop's thread and the writer's: changes that wait, are taken, are answered. */
#include "store/lmdb/lmdb_priv.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

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

void lmdb_queue_init(struct lmdb_queue *queue)
{
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

void lmdb_queue_clear_timer(struct lmdb_store *store)
{
    if (store->timer_set) {
        store->loop->timer_clear(store->loop, &store->timer);
        store->timer_set = false;
    }
}

void lmdb_queue_submit(struct assay_store *base, struct assay_store_change *op)
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

bool lmdb_queue_cancel(struct assay_store *base, struct assay_store_change *op)
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

void lmdb_queue_abandon_late(struct assay_timer *timer)
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

void lmdb_queue_deliver(struct assay_watch *watch)
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

void lmdb_queue_take(struct lmdb_queue *queue, struct lmdb_batch *batch)
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

void lmdb_queue_answer(struct lmdb_store *store, struct lmdb_batch *batch)
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

void lmdb_ask_to_reopen(struct lmdb_store *store)
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

void lmdb_queue_refuse(struct lmdb_queue *queue)
{
    struct assay_store_change *op;
    while ((op = queue->waiting) != NULL) {
        unlink_waiting(queue, op);
        refuse_now(op, ASSAY_ERR_STORE, "the store's write lock was not free in time");
    }
}
