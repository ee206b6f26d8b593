#include "tool/local.h"

#include "admin/admin.h"
#include "base/arena.h"
#include "base/limits.h"
#include "base/secret.h"
#include "crypto/kdf.h"
#include "server/exchange.h"
#include "store/lmdb/lmdb_store.h"
#include "store/store.h"
#include "tool/loop_poll.h"
#include "tool/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct assay_local {
    struct assay_poll poll;
    struct assay_log log;
    struct assay_store *store;
    struct assay_digester *digester;
    struct assay_server server;
    struct assay_arena arena;

    /* the request in hand */
    struct assay_exchange ex;
    struct assay_store_find find;
    struct assay_store_change change;
    struct assay_store_list list;
    enum assay_step step;
    enum assay_status status; /* of the last run */
    struct assay_error error;
    bool waiting; /* for the store */
};

/* What the store has to say beyond its answers goes to stderr, one line each. */
static void log_line(struct assay_log *log, enum assay_log_level level, const char *event,
                     struct assay_slice detail)
{
    (void)log;
    if (level == ASSAY_LOG_NOTICE) {
        return;
    }
    fprintf(stderr, "assay: %s: ", event);
    assay_text_print(stderr, detail);
    fputc('\n', stderr);
}

static void set_server(struct assay_local *local, const char *token_prefix)
{
    local->server = (struct assay_server){
        .token_prefix = assay_slice_of_text(token_prefix),
        .access_lifetime_s = ASSAY_DEFAULT_ACCESS_LIFETIME_S,
        .refresh_lifetime_s = ASSAY_DEFAULT_REFRESH_LIFETIME_S,
        .refresh_window_s = ASSAY_DEFAULT_REFRESH_WINDOW_S,
        .digester = local->digester,
        .log = &local->log,
    };
}

static enum assay_status open_parts(struct assay_local *local, const char *path, bool read_only,
                                    struct assay_error *reterr)
{
    void *block = malloc(ASSAY_ADMIN_ARENA);
    if (block == NULL) {
        return assay_fail(ASSAY_ERR_SYSTEM, "out of memory", reterr);
    }
    assay_arena_init(&local->arena, block, ASSAY_ADMIN_ARENA);

    enum assay_status status = assay_digester_open(&local->digester, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    struct assay_lmdb_options options = {
        .path = path,
        .read_only = read_only,
        .loop = &local->poll.loop,
        .log = &local->log,
    };
    return assay_lmdb_open(&options, &local->store, reterr);
}

enum assay_status assay_local_open(const char *path, const char *token_prefix, bool read_only,
                                   struct assay_local **ret, struct assay_error *reterr)
{
    struct assay_local *local = calloc(1, sizeof *local);
    if (local == NULL) {
        return assay_fail(ASSAY_ERR_SYSTEM, "out of memory", reterr);
    }
    assay_poll_init(&local->poll);
    local->log.write = log_line;
    enum assay_status status = open_parts(local, path, read_only, reterr);
    if (status != ASSAY_OK) {
        assay_local_close(local);
        return status;
    }
    set_server(local, token_prefix);
    *ret = local;
    return ASSAY_OK;
}

void assay_local_close(struct assay_local *local)
{
    if (local == NULL) {
        return;
    }
    if (local->store != NULL) {
        local->store->ops->close(local->store);
    }
    if (local->digester != NULL) {
        assay_digester_close(local->digester);
    }
    if (local->arena.base != NULL) {
        void *block = local->arena.base;
        assay_arena_release(&local->arena);
        free(block);
    }
    free(local);
}

static void run(struct assay_local *local)
{
    local->status = assay_admin_run(&local->ex, (int64_t)time(NULL), &local->step, &local->error);
}

/* The records of a look-up end with this call: so the exchange is run inside it. */
static void found(struct assay_store_find *find)
{
    struct assay_local *local = find->context;
    local->ex.store_status = find->status;
    local->waiting = false;
    run(local);
}

static void changed(struct assay_store_change *op)
{
    struct assay_local *local = op->context;
    local->ex.store_status = op->status;
    local->waiting = false;
    run(local);
}

static void listed(struct assay_store_list *list)
{
    struct assay_local *local = list->context;
    local->ex.store_status = list->status;
    local->waiting = false;
    run(local);
}

static void run_scrypt(struct assay_local *local)
{
    struct assay_exchange *ex = &local->ex;
    enum assay_status status =
        assay_scrypt(ex->kdf_secret, ex->kdf_salt, ex->kdf_out, &local->error);
    ex->kdf_failed = status != ASSAY_OK;
    run(local);
}

static void begin_step(struct assay_local *local)
{
    const struct assay_store_ops *ops = local->store->ops;
    switch (local->step) {
    case ASSAY_STEP_LOOKUP:
        local->waiting = true;
        local->find =
            (struct assay_store_find){.lookup = &local->ex.lookup, .done = found, .context = local};
        ops->find(local->store, &local->find);
        return;
    case ASSAY_STEP_CHANGE:
        local->waiting = true;
        local->change = (struct assay_store_change){
            .change = local->ex.change, .done = changed, .context = local};
        ops->change(local->store, &local->change);
        return;
    case ASSAY_STEP_QUERY:
        local->waiting = true;
        local->list =
            (struct assay_store_list){.query = &local->ex.query, .done = listed, .context = local};
        ops->list(local->store, &local->list);
        return;
    case ASSAY_STEP_SCRYPT:
        run_scrypt(local);
        return;
    case ASSAY_STEP_REPLY:
        return;
    }
}

enum assay_status assay_local_send(struct assay_local *local, const char *path,
                                   struct assay_slice body, unsigned *ret_http_status,
                                   struct assay_slice *ret_body, struct assay_error *reterr)
{
    assay_arena_clear(&local->arena);
    local->ex = (struct assay_exchange){
        .server = &local->server,
        .arena = &local->arena,
        .request = {.method = ASSAY_SLICE("POST"),
                    .path = assay_slice_of_text(path),
                    .content_type = ASSAY_SLICE("application/json"),
                    .content_type_count = 1,
                    .body = body,
                    .secure = true,
                    .loopback = true},
        .trusted = true,
    };
    run(local);
    while (local->status == ASSAY_OK && local->step != ASSAY_STEP_REPLY) {
        begin_step(local);
        while (local->waiting) {
            enum assay_status status = assay_poll_once(&local->poll, 1000, reterr);
            if (status != ASSAY_OK) {
                return status;
            }
        }
    }
    if (local->status != ASSAY_OK) {
        *reterr = local->error;
        return local->status;
    }
    *ret_http_status = local->ex.reply.http_status;
    *ret_body = local->ex.reply.body;
    return ASSAY_OK;
}
