#include "host/nginx/ngx_assay_exchange.h"

#include "admin/admin.h"
#include "base/secret.h"
#include "host/nginx/ngx_assay_clock.h"
#include "host/nginx/ngx_assay_request.h"

#include <ngx_thread_pool.h>

#include <sys/mman.h>

#define ARENA_SIZE ASSAY_ADMIN_ARENA /* the other endpoints need less */
#define MAX_FREE_BLOCKS 64
#define MAX_SCRYPTS 4 /* under way in a worker: each takes a core and 32 MiB */

/* All that an exchange needs, in one allocation of the worker's: a change may outlive its request.
 */
struct block {
    struct block *next_free;
    struct assay_store *store; /* the location's */
    struct assay_arena arena;
    ngx_http_request_t *request; /* NULL: the client has left */
    ngx_pool_cleanup_t *cleanup;
    struct assay_store_find find;
    enum assay_step step;     /* what the exchange is owed next */
    enum assay_status status; /* of its last run */
    struct assay_error error;
    bool calling;  /* the store has been called and has not returned: it may answer meanwhile */
    bool answered; /* it has */
    bool find_pending;
    bool change_pending;
    bool scrypt_pending;
    int64_t now_s; /* wall clock, when the exchange began or was last waited for */
    int64_t start_us;
    struct assay_exchange exchange;
    /* What follows, like the exchange's query before it, is set whole by who uses it. */
    struct assay_store_change change;
    struct assay_store_list list;
    ngx_thread_task_t task;
    uint8_t memory[ARENA_SIZE];
};

#define ZEROED (offsetof(struct block, exchange) + offsetof(struct assay_exchange, query))

static void drive(struct block *block);

/* --- blocks --- */

/* Whole pages, which no dump of the process takes along: tokens and secrets pass through them. */
static struct block *new_block(void)
{
    size_t size = ngx_align(sizeof(struct block), ngx_pagesize);
    void *block = ngx_memalign(ngx_pagesize, size, ngx_cycle->log);
    if (block != NULL && madvise(block, size, MADV_DONTDUMP) != 0) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, ngx_errno,
                      "assay: memory could not be kept out of dumps");
    }
    return block;
}

static struct block *take_block(void)
{
    struct ngx_assay_worker *worker = ngx_assay_worker();
    struct block *block = worker->free_blocks;
    if (block != NULL) {
        worker->free_blocks = block->next_free;
        __builtin_prefetch(worker->free_blocks); /* the next request's, cold by now */
        worker->free_count--;
    } else {
        block = new_block();
        if (block == NULL) {
            return NULL;
        }
    }
    ngx_memzero(block, ZEROED);
    assay_arena_init(&block->arena, block->memory, sizeof(block->memory));
    return block;
}

static void release(struct block *block)
{
    struct ngx_assay_worker *worker = ngx_assay_worker();
    assay_arena_clear(&block->arena);
    assay_secret_wipe(block->exchange.kdf_out, sizeof(block->exchange.kdf_out));
    if (worker == NULL || worker->free_count >= MAX_FREE_BLOCKS) {
        ngx_free(block);
        return;
    }
    block->next_free = worker->free_blocks;
    worker->free_blocks = block;
    worker->free_count++;
}

void ngx_assay_blocks_free(struct ngx_assay_worker *worker)
{
    struct block *block = worker->free_blocks;
    worker->free_blocks = NULL;
    worker->free_count = 0;
    while (block != NULL) {
        struct block *next = block->next_free;
        ngx_free(block);
        block = next;
    }
}

/* --- the end of a request --- */

/* The client has left, or the request is over. A change that is still queued is abandoned; one that
 * the writer has taken is answered to nobody. */
static void on_request_end(void *data)
{
    struct block *block = data;
    block->request = NULL;
    if (block->scrypt_pending) {
        return;
    }
    if (block->find_pending) {
        block->store->ops->find_cancel(block->store, &block->find);
    }
    if (block->change_pending && !block->store->ops->change_cancel(block->store, &block->change)) {
        return;
    }
    release(block);
}

#define LOGGED_ID 64 /* bytes of a client id in a log line, escaped */

/* Failed authentications are for the operator to see; who guesses is told nothing (A-SIDE-06). */
static void log_refused(const struct assay_exchange *ex, ngx_log_t *log)
{
    u_char id[LOGGED_ID];
    u_char other[LOGGED_ID];
    size_t id_len = ngx_assay_log_escape(ex->refused_id, id, sizeof(id));
    size_t other_len = ngx_assay_log_escape(ex->refused_body_id, other, sizeof(other));
    if (other_len != 0) {
        ngx_log_error(NGX_LOG_WARN, log, 0, "assay: %s: client \"%*s\", in the body \"%*s\"",
                      ex->refused, id_len, id, other_len, other);
    } else if (id_len != 0) {
        ngx_log_error(NGX_LOG_WARN, log, 0, "assay: %s: client \"%*s\"", ex->refused, id_len, id);
    } else {
        ngx_log_error(NGX_LOG_WARN, log, 0, "assay: %s", ex->refused);
    }
}

static void reply(struct block *block)
{
    ngx_http_request_t *r = block->request;
    uint64_t took_us = (uint64_t)(ngx_assay_now_us() - block->start_us);
    assay_exchange_count(&block->exchange, took_us);
    if (block->exchange.refused != NULL) {
        log_refused(&block->exchange, r->connection->log);
    }
    ngx_int_t rc = ngx_assay_reply_send(r, &block->exchange.reply);
    block->cleanup->handler = NULL;
    release(block);
    ngx_http_finalize_request(r, rc);
}

static void fail(struct block *block, enum assay_status status, const struct assay_error *error)
{
    ngx_log_error(NGX_LOG_ERR, block->request->connection->log, 0, "assay: %s: %s",
                  assay_status_name(status), error->what == NULL ? "failed" : error->what);
    assay_exchange_fail(&block->exchange, status == ASSAY_ERR_CRYPTO ? 503 : 500);
    reply(block);
}

/* --- steps --- */

static void note_trouble(struct block *block, enum assay_status status,
                         const struct assay_error *error)
{
    block->exchange.store_status = status;
    if (status != ASSAY_OK && block->request != NULL) {
        ngx_log_error(NGX_LOG_ERR, block->request->connection->log, 0, "assay: store: %s: %s",
                      assay_status_name(status), error->what == NULL ? "failed" : error->what);
    }
}

static void run(struct block *block)
{
    struct assay_exchange *ex = &block->exchange;
    block->status = ex->endpoint == ASSAY_ENDPOINT_ADMIN
                        ? assay_admin_run(ex, block->now_s, &block->step, &block->error)
                        : assay_exchange_run(ex, block->now_s, &block->step, &block->error);
}

/* The store has answered: the exchange runs now, inside done(), since the records are gone
 * afterwards; but what it is owed next is begun only once the store's call has returned, since a
 * call inside another would want the same snapshot. */
static void take_answer(struct block *block, enum assay_status status,
                        const struct assay_error *error)
{
    note_trouble(block, status, error);
    run(block);
    block->answered = true;
    if (!block->calling) {
        ngx_connection_t *c = block->request->connection;
        drive(block);
        ngx_http_run_posted_requests(c);
    }
}

static void found(struct assay_store_find *find)
{
    struct block *block = find->context;
    block->find_pending = false;
    block->now_s = ngx_assay_clock_judge_s();
    take_answer(block, find->status, &find->error);
}

static void listed(struct assay_store_list *list)
{
    take_answer(list->context, list->status, &list->error);
}

/* Goes on from the loop, where nginx runs no posted requests for us. */
static void go_on(struct block *block)
{
    if (block->request == NULL) {
        if (block->exchange.change != NULL) {
            assay_change_wipe(block->exchange.change);
        }
        release(block);
        return;
    }
    ngx_connection_t *c = block->request->connection;
    block->now_s = ngx_assay_now_s();
    run(block);
    drive(block);
    ngx_http_run_posted_requests(c);
}

static void changed(struct assay_store_change *op)
{
    struct block *block = op->context;
    block->change_pending = false;
    note_trouble(block, op->status, &op->error);
    go_on(block);
}

static void compute_scrypt(void *data, ngx_log_t *log)
{
    struct assay_exchange *ex = &(*(struct block **)data)->exchange;
    (void)log;
    ex->kdf_failed = assay_scrypt(ex->kdf_secret, ex->kdf_salt, ex->kdf_out, NULL) != ASSAY_OK;
}

static void scrypt_done(ngx_event_t *event)
{
    struct block *block = event->data;
    block->scrypt_pending = false;
    ngx_assay_worker_scrypt_ended();
    go_on(block);
}

static bool start_scrypt(struct block *block)
{
    struct ngx_assay_worker *worker = ngx_assay_worker();
    ngx_str_t name = ngx_string("default");
    ngx_thread_pool_t *pool = ngx_thread_pool_get((ngx_cycle_t *)(uintptr_t)ngx_cycle, &name);
    if (pool == NULL || worker->scrypts >= MAX_SCRYPTS) {
        return false;
    }
    ngx_memzero(&block->task, sizeof(block->task));
    /* The task's context: nginx keeps what it points to; it holds the block's own address. */
    struct block **context = /* NOLINTNEXTLINE(bugprone-sizeof-expression): a pointer is meant */
        assay_arena_take(&block->arena, sizeof(*context), _Alignof(struct block *));
    if (context == NULL) {
        return false;
    }
    *context = block;
    block->task.ctx = context;
    block->task.handler = compute_scrypt;
    block->task.event.handler = scrypt_done;
    block->task.event.data = block;
    if (ngx_thread_task_post(pool, &block->task) != NGX_OK) {
        return false;
    }
    ngx_assay_worker_scrypt_begun();
    block->scrypt_pending = true;
    return true;
}

static void call_find(struct block *block)
{
    block->find = (struct assay_store_find){
        .lookup = &block->exchange.lookup, .done = found, .context = block};
    block->calling = true;
    block->answered = false;
    block->find_pending = true;
    block->store->ops->find(block->store, &block->find);
    block->calling = false;
}

static void call_list(struct block *block)
{
    block->list = (struct assay_store_list){
        .query = &block->exchange.query, .done = listed, .context = block};
    block->calling = true;
    block->answered = false;
    block->store->ops->list(block->store, &block->list);
    block->calling = false;
}

static void call_change(struct block *block)
{
    block->change = (struct assay_store_change){
        .change = block->exchange.change, .done = changed, .context = block};
    block->change_pending = true;
    block->store->ops->change(block->store, &block->change);
}

/* The store could not be opened yet: the exchange goes on with that for an answer. */
static bool go_without_store(struct block *block)
{
    block->exchange.store_status = ASSAY_ERR_STORE;
    run(block);
    return true;
}

/* Carries one step out. True: it has been answered, and the exchange has run again. False: the
 * exchange waits, or is over and `block` gone. */
static bool carry_out(struct block *block)
{
    switch (block->step) {
    case ASSAY_STEP_LOOKUP:
        if (block->store == NULL) {
            return go_without_store(block);
        }
        call_find(block);
        return block->answered;
    case ASSAY_STEP_QUERY:
        if (block->store == NULL) {
            return go_without_store(block);
        }
        call_list(block);
        return block->answered;
    case ASSAY_STEP_CHANGE:
        if (block->store == NULL) {
            return go_without_store(block);
        }
        call_change(block);
        return false;
    case ASSAY_STEP_SCRYPT:
        if (!start_scrypt(block)) {
            assay_exchange_fail(&block->exchange, 503);
            reply(block);
        }
        return false;
    case ASSAY_STEP_REPLY:
        reply(block);
        return false;
    }
    return false;
}

/* Carries out what the exchange is owed, as far as that goes without waiting. */
static void drive(struct block *block)
{
    do {
        if (block->status != ASSAY_OK) {
            struct assay_error error = block->error;
            fail(block, block->status, &error);
            return;
        }
    } while (carry_out(block));
}

void ngx_assay_exchange_start(ngx_http_request_t *r, struct assay_server *server,
                              struct assay_store *store, bool body_too_large)
{
    struct block *block = ngx_assay_worker() == NULL ? NULL : take_block();
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, 0);
    if (block == NULL || cleanup == NULL) {
        if (block != NULL) {
            release(block);
        }
        ngx_http_finalize_request(r, NGX_HTTP_SERVICE_UNAVAILABLE);
        return;
    }
    ngx_assay_clock_begin(&block->start_us, &block->now_s);
    block->store = store;
    block->request = r;
    block->cleanup = cleanup;
    cleanup->handler = on_request_end;
    cleanup->data = block;
    struct assay_exchange *ex = &block->exchange;
    ex->server = server;
    ex->arena = &block->arena;
    if (!ngx_assay_request_read(r, body_too_large, &block->arena, &ex->request)) {
        struct assay_error error = {.what = "no room for a request's body"};
        fail(block, ASSAY_ERR_LIMIT, &error);
        return;
    }
    ex->endpoint = assay_endpoint_of(server, ex->request.path);
    r->read_event_handler = ngx_http_test_reading; /* notices a client that leaves */
    run(block);
    /* The credentials have been read. What nginx read them into outlives the request. */
    assay_secret_wipe((void *)(uintptr_t)ex->request.authorization.data,
                      ex->request.authorization.len);
    ex->request.authorization = (struct assay_slice){0};
    drive(block);
}
