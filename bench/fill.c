#include "fill.h"

#include "crypto/digest.h"
#include "crypto/random.h"
#include "tool/loop_poll.h"
#include "store/lmdb/lmdb_store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char audience[] = "https://api.example.com";

struct slot {
    struct assay_store_change op;
    struct assay_change change;
    char subject[32];
    char username[40];
    bool busy;
    bool wanted; /* its text is written */
};

struct fill {
    struct assay_store *store;
    struct assay_poll loop;
    struct assay_log log;
    int64_t now_s;
    struct slot slots[FILL_BATCH];
    size_t busy;
    FILE *texts;
};

static void die(const char *what, const struct assay_error *error)
{
    fprintf(stderr, "bench: %s: %s\n", what, error->what == NULL ? "failed" : error->what);
    exit(1);
}

static void log_line(struct assay_log *log, enum assay_log_level level, const char *event,
                     struct assay_slice detail)
{
    (void)log;
    (void)level;
    fprintf(stderr, "bench: %s %.*s\n", event, (int)detail.len, (const char *)detail.data);
}

static void turn(struct fill *fill)
{
    struct assay_error error = {0};
    if (assay_poll_once(&fill->loop, 10000, &error) != ASSAY_OK) {
        die("poll", &error);
    }
}

static int64_t clock_of(void *context)
{
    return ((struct fill *)context)->now_s;
}

struct fill *fill_open(const char *path, bool create, int64_t now_s)
{
    struct assay_error error = {0};
    if (create && assay_lmdb_create(path, &error) != ASSAY_OK) {
        die(path, &error);
    }
    struct fill *fill = calloc(1, sizeof(*fill));
    if (fill == NULL) {
        exit(1);
    }
    fill->now_s = now_s;
    fill->log.write = log_line;
    assay_poll_init(&fill->loop);
    struct assay_lmdb_options options = {
        .path = path,
        .loop = &fill->loop.loop,
        .log = &fill->log,
        .clock = clock_of,
        .clock_context = fill,
    };
    if (assay_lmdb_open(&options, &fill->store, &error) != ASSAY_OK) {
        die(path, &error);
    }
    return fill;
}

void fill_close(struct fill *fill)
{
    fill->store->ops->close(fill->store);
    free(fill);
}

void fill_clock(struct fill *fill, int64_t now_s)
{
    fill->now_s = now_s;
}

struct assay_store *fill_store(struct fill *fill)
{
    return fill->store;
}

static void change_done(struct assay_store_change *op)
{
    struct fill *fill = op->context;
    bool swept = op->change->verb == ASSAY_CHANGE_SWEEP &&
                 op->change->outcome == ASSAY_DONE_NOTHING; /* there was nothing to sweep */
    if (op->status != ASSAY_OK || (op->change->outcome != ASSAY_DONE && !swept)) {
        fprintf(stderr, "bench: outcome %d\n", (int)op->change->outcome);
        die("a change failed", &op->error);
    }
    fill->busy--;
}

static void run_change(struct fill *fill, struct assay_change *change)
{
    struct assay_store_change op = {.change = change, .done = change_done, .context = fill};
    change->now_s = fill->now_s;
    change->origin = ASSAY_BY_ADMIN;
    change->prefix = ASSAY_SLICE("assay");
    fill->busy++;
    fill->store->ops->change(fill->store, &op);
    while (fill->busy > 0) {
        turn(fill);
    }
}

void fill_add_client(struct fill *fill, const char *client_id, const char *secret,
                     bool resource_server)
{
    static struct assay_change change;
    struct assay_error error = {0};
    struct assay_digester *digester;
    memset(&change, 0, sizeof(change));
    change.verb = ASSAY_CHANGE_CLIENT_ADD;
    struct assay_client_record *record = &change.u.client.record;
    record->client_id = assay_slice_of_text(client_id);
    record->created_at_s = fill->now_s;
    record->resource_server = resource_server;
    record->auth_method = ASSAY_AUTH_SECRET_BASIC;
    record->grants = resource_server ? 0 : ASSAY_GRANT_CLIENT_CREDENTIALS;
    record->members = resource_server ? ASSAY_MEMBERS_ALL : 0;
    record->scope = resource_server ? (struct assay_slice){0} : ASSAY_SLICE("read write");
    record->audience = assay_slice_of_text(audience);
    record->secret_count = 1;
    record->secrets[0].form = ASSAY_SECRET_SHA256;
    record->secrets[0].created_at_s = fill->now_s;
    if (assay_digester_open(&digester, &error) != ASSAY_OK ||
        assay_sha256(digester, assay_slice_of_text(secret), record->secrets[0].hash, &error) !=
            ASSAY_OK) {
        die("digest", &error);
    }
    assay_digester_close(digester);
    run_change(fill, &change);
}

static void issue_done(struct assay_store_change *op)
{
    struct slot *slot = (struct slot *)op;
    struct fill *fill = op->context;
    if (op->status != ASSAY_OK || op->change->outcome != ASSAY_DONE) {
        die("an issue failed", &op->error);
    }
    struct assay_token_draft *access = &op->change->u.issue.access;
    if (slot->wanted && fill->texts != NULL) {
        fprintf(fill->texts, "%.*s\n", (int)access->text_len, (const char *)access->text);
    }
    slot->busy = false;
    fill->busy--;
}

static struct slot *free_slot(struct fill *fill)
{
    while (fill->busy == FILL_BATCH) {
        turn(fill);
    }
    for (size_t i = 0; i < FILL_BATCH; i++) {
        if (!fill->slots[i].busy) {
            return &fill->slots[i];
        }
    }
    abort();
}

static void issue_one(struct fill *fill, struct slot *slot, const char *client_id, uint64_t number,
                      int64_t lifetime_s)
{
    struct assay_error error = {0};
    struct assay_change *change = &slot->change;
    memset(change, 0, sizeof(*change));
    change->verb = ASSAY_CHANGE_ISSUE;
    change->now_s = fill->now_s;
    change->origin = ASSAY_BY_ADMIN;
    change->prefix = ASSAY_SLICE("assay");
    change->u.issue.client_id = assay_slice_of_text(client_id);
    struct assay_token_draft *access = &change->u.issue.access;
    int len = snprintf(slot->subject, sizeof(slot->subject), "user-%015" PRIu64,
                       number * UINT64_C(2654435761) % UINT64_C(1000000000));
    access->record.subject = assay_slice_of(slot->subject, (size_t)len);
    len = snprintf(slot->username, sizeof(slot->username), "alice%09" PRIu64 "@example.com",
                   number % UINT64_C(1000000000));
    access->record.username = assay_slice_of(slot->username, (size_t)len);
    access->record.kind = ASSAY_TOKEN_ACCESS;
    access->record.client_id = change->u.issue.client_id;
    access->record.scope = ASSAY_SLICE("read write");
    access->record.audience = assay_slice_of_text(audience);
    access->record.issued_at_s = fill->now_s;
    access->record.expires_at_s = fill->now_s + lifetime_s;
    if (assay_random(access->secret, sizeof(access->secret), &error) != ASSAY_OK) {
        die("random", &error);
    }
    slot->op = (struct assay_store_change){.change = change, .done = issue_done, .context = fill};
    slot->busy = true;
    fill->busy++;
    fill->store->ops->change(fill->store, &slot->op);
}

void fill_issue(struct fill *fill, const char *client_id, uint64_t count, const int64_t *lifetime_s,
                size_t lifetimes, uint64_t every, FILE *texts)
{
    fill->texts = texts;
    for (uint64_t i = 0; i < count; i++) {
        struct slot *slot = free_slot(fill);
        slot->wanted = every != 0 && i % every == 0;
        issue_one(fill, slot, client_id, i, lifetime_s[i % lifetimes]);
    }
    while (fill->busy > 0) {
        turn(fill);
    }
}

void fill_sweep(struct fill *fill)
{
    static struct assay_change change;
    do {
        memset(&change, 0, sizeof(change));
        change.verb = ASSAY_CHANGE_SWEEP;
        struct assay_store_change op = {.change = &change, .done = change_done, .context = fill};
        change.now_s = fill->now_s;
        change.u.sweep.steady_s = fill->now_s; /* the clock runs as it should */
        fill->busy++;
        fill->store->ops->change(fill->store, &op);
        while (fill->busy > 0) {
            turn(fill);
        }
    } while (change.u.sweep.more);
}

static void stat_done(struct assay_store_list *list)
{
    if (list->status != ASSAY_OK) {
        die("stat", &list->error);
    }
}

void fill_stat(struct fill *fill, struct assay_store_stat *ret)
{
    static struct assay_query query;
    memset(&query, 0, sizeof(query));
    query.verb = ASSAY_QUERY_STAT;
    struct assay_store_list list = {.query = &query, .done = stat_done, .context = fill};
    fill->store->ops->list(fill->store, &list);
    *ret = query.stat;
}
