#include "two.h"

#include "fault/fault.h"
#include "support/check.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 20000

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void note(struct assay_log *log, enum assay_log_level level, const char *event,
                 struct assay_slice detail)
{
    struct two *fx = (struct two *)(void *)((char *)log - offsetof(struct two, log_sink));
    size_t at = strlen(fx->log);
    (void)level;
    (void)detail;
    snprintf(fx->log + at, sizeof(fx->log) - at, "%s\n", event);
}

static int64_t fixed_clock(void *context)
{
    (void)context;
    return TWO_NOW;
}

/* --- changes and looks --- */

static void changed(struct assay_store_change *op)
{
    struct two *fx = op->context;
    fx->status = op->status;
    fx->what = op->error.what;
    fx->waiting = false;
}

enum assay_status two_change(struct two *fx, struct assay_change *change)
{
    struct assay_store_change op = {.change = change, .done = changed, .context = fx};
    int64_t until = now_ms() + PATIENCE_MS;
    change->prefix = ASSAY_SLICE("assay");
    change->origin = ASSAY_BY_CLIENT;
    change->now_s = TWO_NOW;
    fx->waiting = true;
    fx->store->ops->change(fx->store, &op);
    while (fx->waiting) {
        if (now_ms() >= until) {
            fail_msg("a change has not been answered");
        }
        test_loop_turn(&fx->loop, 100);
    }
    return fx->status;
}

enum assay_status two_issue(struct two *fx, struct handle *ret)
{
    return two_issue_large(fx, 0, ret);
}

enum assay_status two_issue_large(struct two *fx, size_t bytes, struct handle *ret)
{
    static uint8_t claims[ASSAY_MAX_CLAIMS];
    static uint8_t counter;
    struct assay_change change = {.verb = ASSAY_CHANGE_ISSUE};
    struct assay_token_draft *draft = &change.u.issue.access;
    change.u.issue.client_id = ASSAY_SLICE("robot");
    draft->record.kind = ASSAY_TOKEN_ACCESS;
    draft->record.client_id = ASSAY_SLICE("robot");
    draft->record.subject = ASSAY_SLICE("alice");
    draft->record.scope = ASSAY_SLICE("read write");
    draft->record.issued_at_s = TWO_NOW;
    draft->record.expires_at_s = TWO_NOW + 3600;
    draft->secret[0] = counter++;
    if (bytes > 8) {
        memset(claims, 'a', sizeof(claims));
        memcpy(claims, "\"x\":\"", 5);
        claims[bytes - 1] = '"';
        draft->record.extra = assay_slice_of(claims, bytes);
    }
    enum assay_status status = two_change(fx, &change);
    assert_true(status != ASSAY_OK || change.outcome == ASSAY_DONE);
    *ret = (struct handle){.address = draft->address, .id = draft->record.id};
    return status;
}

static struct assay_change cut_of(struct assay_token_id id, uint8_t room[8])
{
    struct assay_change change = {.verb = ASSAY_CHANGE_CUT};
    change.u.cut.kind = ASSAY_CUTOFF_TOKEN;
    change.u.cut.id = assay_cutoff_number_id(id.seq, room);
    change.u.cut.token_expires_at_s = TWO_NOW + 3600;
    return change;
}

enum assay_status two_revoke(struct two *fx, const struct handle *token)
{
    uint8_t room[8];
    struct assay_change change = cut_of(token->id, room);
    return two_change(fx, &change);
}

static void looked(struct assay_store_find *find)
{
    enum sight *sight = find->context;
    if (find->status != ASSAY_OK) {
        *sight = SEEN_TROUBLE;
    } else if (find->lookup->token == NULL) {
        *sight = SEEN_NOTHING;
    } else {
        *sight = assay_lookup_judge(find->lookup, TWO_NOW) == ASSAY_LIVE ? SEEN_LIVE : SEEN_DEAD;
    }
}

/* An answer comes with the end of the turn. */
enum sight two_look(struct two *fx, const struct handle *token)
{
    enum sight sight = SEEN_TROUBLE;
    struct assay_lookup lookup = {.want_token = true, .address = token->address};
    struct assay_store_find find = {.lookup = &lookup, .done = looked, .context = &sight};
    lookup.caller_id = ASSAY_SLICE("robot");
    fx->store->ops->find(fx->store, &find);
    test_loop_run_task(&fx->loop);
    return sight;
}

/* --- the other process --- */

struct order {
    char verb; /* 'o'pen, 'l'ook, 'r'evoke, 'f'ault, die in a 'd'one() */
    struct handle token;
    char spec[64];
};

/* Dies with a snapshot open. */
static void die(struct assay_store_find *find)
{
    (void)find;
    kill(getpid(), SIGKILL);
}

static void look_and_die(struct two *fx, const struct handle *token)
{
    struct assay_lookup lookup = {.want_token = true, .address = token->address};
    struct assay_store_find find = {.lookup = &lookup, .done = die};
    lookup.caller_id = ASSAY_SLICE("robot");
    fx->store->ops->find(fx->store, &find);
    test_loop_run_task(&fx->loop);
}

static char obey(struct two *fx, const struct order *order)
{
    struct assay_error error = {0};
    switch (order->verb) {
    case 'o':
        return (char)two_start(fx, &error);
    case 'l':
        return (char)two_look(fx, &order->token);
    case 'r':
        return (char)two_revoke(fx, &order->token);
    case 'f':
        fault_arm(order->spec, fx->path);
        return 0;
    case 'd':
        look_and_die(fx, &order->token);
        return 0;
    default:
        return -1;
    }
}

/* Without cmocka's output and end: this process is a servant. */
static void serve(struct two *fx, int line)
{
    struct order order;
    while (recv(line, &order, sizeof(order), MSG_WAITALL) == (ssize_t)sizeof(order)) {
        char answer = obey(fx, &order);
        if (send(line, &answer, 1, MSG_NOSIGNAL) != 1) {
            break;
        }
    }
    _exit(0);
}

static void send_order(struct two *fx, char verb, const struct handle *token, const char *spec)
{
    struct order order = {.verb = verb};
    if (token != NULL) {
        order.token = *token;
    }
    snprintf(order.spec, sizeof(order.spec), "%s", spec == NULL ? "" : spec);
    /* It may have died meanwhile: then its answer tells. */
    (void)!send(fx->line, &order, sizeof(order), MSG_NOSIGNAL);
}

/* Its answer; TWO_DIED when it has died over it. */
static char wait_answer(struct two *fx)
{
    char answer = -1;
    ssize_t got = recv(fx->line, &answer, 1, 0);
    if (got == 1) {
        return answer;
    }
    close(fx->line);
    assert_int_equal(waitpid(fx->other, NULL, 0), fx->other);
    fx->other = 0;
    return TWO_DIED;
}

static char command(struct two *fx, char verb, const struct handle *token, const char *spec)
{
    send_order(fx, verb, token, spec);
    return wait_answer(fx);
}

/* What it does on its own account (the witness, say) may have been struck by the fault before. */
void two_other_arm(struct two *fx, const char *spec)
{
    if (command(fx, 'f', NULL, spec) == TWO_DIED) {
        two_other_start(fx);
        assert_int_equal(command(fx, 'f', NULL, spec), 0);
    }
}

void two_other_die_reading(struct two *fx, const struct handle *token)
{
    assert_int_equal(command(fx, 'd', token, NULL), TWO_DIED);
}

void two_other_begin_revoke(struct two *fx, const struct handle *token)
{
    send_order(fx, 'r', token, NULL);
}

enum assay_status two_other_end_revoke(struct two *fx)
{
    return (enum assay_status)wait_answer(fx);
}

enum sight two_other_look(struct two *fx, const struct handle *token)
{
    return (enum sight)command(fx, 'l', token, NULL);
}

enum assay_status two_other_revoke(struct two *fx, const struct handle *token)
{
    return (enum assay_status)command(fx, 'r', token, NULL);
}

void two_other_start(struct two *fx)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        /* What the parent has open is the parent's; its store is not touched here. */
        close(pair[0]);
        fault_disarm();
        fx->store = NULL;
        serve(fx, pair[1]);
    }
    close(pair[1]);
    fx->other = pid;
    fx->line = pair[0];
    assert_int_equal(command(fx, 'o', NULL, NULL), ASSAY_OK);
}

/* --- its life --- */

enum assay_status two_start(struct two *fx, struct assay_error *reterr)
{
    test_loop_init(&fx->loop);
    fx->log_sink.write = note;
    return assay_lmdb_open(&fx->options, &fx->store, reterr);
}

void two_shut(struct two *fx)
{
    if (fx->store != NULL) {
        fx->store->ops->close(fx->store);
        fx->store = NULL;
    }
}

void two_reopen(struct two *fx)
{
    struct assay_error error = {0};
    two_shut(fx);
    assert_ok(two_start(fx, &error), &error);
}

struct two *two_open(bool other, void (*adjust)(struct two *fx))
{
    struct assay_error error = {0};
    struct two *fx = calloc(1, sizeof(*fx));
    assert_non_null(fx);
    /* Where flushing costs nothing, if there is such a place: every failure here is played. */
    strcpy(fx->path, "/dev/shm/assay-fault-XXXXXX");
    if (mkdtemp(fx->path) == NULL) {
        strcpy(fx->path, "/tmp/assay-fault-XXXXXX");
        assert_non_null(mkdtemp(fx->path));
    }
    assert_ok(assay_lmdb_create(fx->path, &error), &error);
    fx->options = (struct assay_lmdb_options){
        .path = fx->path,
        .map_size = (uint64_t)8 << 30,
        .loop = &fx->loop.loop,
        .log = &fx->log_sink,
        .clock = fixed_clock,
    };
    if (adjust != NULL) {
        adjust(fx);
    }
    if (other) {
        two_other_start(fx);
    }
    assert_ok(two_start(fx, &error), &error);
    struct assay_change add = {.verb = ASSAY_CHANGE_CLIENT_ADD};
    add.u.client.record.client_id = ASSAY_SLICE("robot");
    add.u.client.record.grants = ASSAY_GRANT_CLIENT_CREDENTIALS;
    add.u.client.record.created_at_s = TWO_NOW;
    assert_int_equal(two_change(fx, &add), ASSAY_OK);
    return fx;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void two_close(struct two *fx)
{
    two_shut(fx);
    if (fx->other > 0) {
        close(fx->line);
        kill(fx->other, SIGKILL);
        waitpid(fx->other, NULL, 0);
    }
    assert_int_equal(nftw(fx->path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(fx);
}

/* --- what it says of itself --- */

static bool no_row(struct assay_query *query)
{
    (void)query;
    return true;
}

static void listed(struct assay_store_list *list)
{
    (void)list;
}

struct assay_store_stat two_stat(struct two *fx)
{
    struct assay_query query = {.verb = ASSAY_QUERY_STAT, .row = no_row};
    struct assay_store_list list = {.query = &query, .done = listed};
    fx->store->ops->list(fx->store, &list);
    assert_ok(list.status, &list.error);
    return query.stat;
}

bool two_has_reason(struct two *fx, const char *word)
{
    struct assay_store_stat stat = two_stat(fx);
    for (size_t i = 0; i < stat.reason_count; i++) {
        if (strcmp(stat.reasons[i], word) == 0) {
            return true;
        }
    }
    return false;
}

void two_wait(struct two *fx, bool (*condition)(struct two *fx))
{
    int64_t until = now_ms() + PATIENCE_MS;
    while (!condition(fx)) {
        if (now_ms() >= until) {
            fail_msg("what was waited for has not come");
        }
        test_loop_turn(&fx->loop, 20);
    }
}

void two_file_path(const struct two *fx, const char *name, char room[128])
{
    snprintf(room, 128, "%s/%s", fx->path, name);
}

long two_file_size(const struct two *fx, const char *name)
{
    char path[128];
    struct stat st;
    two_file_path(fx, name, path);
    return stat(path, &st) == 0 ? (long)st.st_size : -1;
}
