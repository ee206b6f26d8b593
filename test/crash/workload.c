/* Works on a store through its contract, as the server does, and writes down what it was told
 * (ledger.h). Run under the recorder:  crash_workload NAME SEED ROUNDS DIR ACKS LEDGER
 *
 * Each round hands the writer several changes at once, so that one commit holds several of them,
 * and waits for all answers; the mark of an answer is made in its done(). */
#include "crash/ledger.h"
#include "store/lmdb/lmdb_store.h"
#include "support/test_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_AT_ONCE 12
#define WINDOW_S 10

extern char **environ;

/* How often each thing is done, in parts of their sum. */
struct mix {
    const char *name;
    unsigned issue, issue_refresh, rotate, retry, reuse;
    unsigned cut_token, cut_grant, cut_subject, cut_client, cut_everything, cut_session, cut_key;
    unsigned sweep, once, seal, disable, remove, copy, passing;
    unsigned prefill; /* tokens made before the first round */
    unsigned step_s;  /* the clock moves by up to so much a round */
    int64_t access_s; /* lifetimes */
    int64_t refresh_s;
    bool restore;  /* at the end, backup-1 is put in place */
    bool sessions; /* tokens have one */
    bool older;    /* half way, the data file is copied as it is, to `older` */
};

static const struct mix mixes[] = {
    {.name = "create", .issue = 1, .access_s = 3600, .refresh_s = 86400},
    {.name = "issue", .issue = 3, .issue_refresh = 2, .access_s = 3600, .refresh_s = 86400},
    {.name = "revoke",
     .cut_token = 12,
     .cut_grant = 6,
     .cut_subject = 2,
     .cut_client = 1,
     .cut_everything = 1,
     .issue = 4,
     .issue_refresh = 3,
     .prefill = 120,
     .access_s = 3600,
     .refresh_s = 86400},
    {.name = "refresh",
     .rotate = 12,
     .retry = 5,
     .reuse = 1,
     .issue_refresh = 1,
     .prefill = 24,
     .step_s = 3,
     .access_s = 600,
     .refresh_s = 86400},
    {.name = "sweep",
     .issue = 8,
     .issue_refresh = 4,
     .rotate = 6,
     .retry = 2,
     .reuse = 1,
     .cut_token = 3,
     .cut_grant = 2,
     .cut_subject = 1,
     .sweep = 6,
     .once = 4,
     .disable = 1,
     .remove = 1,
     .prefill = 20,
     .step_s = 40,
     .access_s = 90,
     .refresh_s = 400},
    {.name = "drain",
     .issue = 40,
     .issue_refresh = 10,
     .cut_token = 4,
     .sweep = 2,
     .passing = 30,
     .prefill = 60,
     .step_s = 50,
     .access_s = 40,
     .refresh_s = 130},
    {.name = "keys",
     .issue = 4,
     .issue_refresh = 2,
     .rotate = 4,
     .retry = 2,
     .seal = 2,
     .cut_token = 2,
     .access_s = 3600,
     .refresh_s = 86400},
    {.name = "copy",
     .issue = 6,
     .issue_refresh = 3,
     .cut_token = 4,
     .copy = 2,
     .prefill = 20,
     .access_s = 3600,
     .refresh_s = 86400},
    {.name = "restore",
     .issue = 6,
     .issue_refresh = 3,
     .cut_token = 4,
     .copy = 1,
     .prefill = 20,
     .access_s = 3600,
     .refresh_s = 86400,
     .restore = true},
    {.name = "damage",
     .issue = 12,
     .issue_refresh = 8,
     .rotate = 4,
     .retry = 1,
     .reuse = 1,
     .cut_token = 8,
     .cut_grant = 3,
     .once = 1,
     .step_s = 6,
     .prefill = 20,
     .access_s = 200,
     .refresh_s = 86400,
     .sessions = true,
     .older = true},
};

enum act {
    ACT_ISSUE,
    ACT_ISSUE_REFRESH,
    ACT_ROTATE,
    ACT_RETRY,
    ACT_REUSE,
    ACT_CUT_TOKEN,
    ACT_CUT_GRANT,
    ACT_CUT_SUBJECT,
    ACT_CUT_CLIENT,
    ACT_CUT_EVERYTHING,
    ACT_CUT_SESSION,
    ACT_CUT_KEY,
    ACT_SWEEP,
    ACT_ONCE,
    ACT_SEAL,
    ACT_DISABLE,
    ACT_REMOVE,
    ACT_COPY,
    ACT_PASSING, /* a client with a long record comes, and goes at once */
    ACT_ADD,     /* never rolled: a client comes back in the round after it went */
};
#define ACTS ACT_ADD

struct worker;

/* One change on its way. */
struct errand {
    struct worker *worker;
    enum act act;
    unsigned client;
    unsigned subject;
    unsigned session;
    uint32_t parent; /* a token of the ledger */
    uint32_t ack;    /* once answered */
    uint8_t id[8];
    struct assay_change change;
    struct assay_store_change op;
};

struct worker {
    const struct mix *mix;
    struct dice dice;
    char dir[256];
    char store_path[300];
    int ack_fd;
    int64_t now_s;
    struct test_loop loop;
    struct assay_store *store;
    struct ledger *ledger;
    size_t under_way;
    bool client_away[LEDGER_CLIENTS];
    bool ends_youngest; /* what is cut next is the token made last */
    uint32_t seal_rotations;
    uint64_t last_event;
    struct errand errands[MAX_AT_ONCE + 2];
    size_t errand_count;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "workload: %s: %s\n", what, why == NULL ? strerror(errno) : why);
    exit(95);
}

static void require(bool good, const char *what)
{
    if (!good) {
        die(what, "not as it must be");
    }
}

/* The client has its answer. Written directly, since buffered output would pass the recorder by. */
static uint32_t acknowledge(struct worker *w)
{
    uint32_t number = ++w->ledger->acks;
    if (write(w->ack_fd, &number, sizeof(number)) != (ssize_t)sizeof(number)) {
        die("acks", NULL);
    }
    return number;
}

/* --- what is written down --- */

static struct ledger_token *add_token(struct worker *w, const struct errand *errand,
                                      const struct assay_token_draft *draft)
{
    struct ledger *ledger = w->ledger;
    require(ledger->token_count < LEDGER_MAX_TOKENS, "room for tokens");
    struct ledger_token *token = &ledger->tokens[ledger->token_count++];
    *token = (struct ledger_token){
        .ack = errand->ack,
        .kind = (uint8_t)draft->record.kind,
        .generation = draft->record.generation,
        .client = (uint8_t)errand->client,
        .subject = (uint8_t)errand->subject,
        .session = (uint8_t)errand->session,
        .id = draft->record.id,
        .grant = draft->record.grant,
        .issued_at_s = draft->record.issued_at_s,
        .expires_at_s = draft->record.expires_at_s,
        .address = draft->address,
        .text_len = (uint8_t)draft->text_len,
    };
    memcpy(token->text, draft->text, draft->text_len);
    return token;
}

static struct ledger_cutoff *add_cutoff(struct worker *w, uint32_t ack, enum assay_cutoff_kind kind,
                                        struct assay_slice id, uint64_t seq, int64_t made_at_s)
{
    struct ledger *ledger = w->ledger;
    require(ledger->cutoff_count < LEDGER_MAX_CUTOFFS && id.len <= LEDGER_MAX_ID,
            "room for cutoffs");
    struct ledger_cutoff *cutoff = &ledger->cutoffs[ledger->cutoff_count++];
    *cutoff = (struct ledger_cutoff){.ack = ack,
                                     .kind = (uint8_t)kind,
                                     .id_len = (uint8_t)id.len,
                                     .seq = seq,
                                     .made_at_s = made_at_s};
    if (id.len != 0) {
        memcpy(cutoff->id, id.data, id.len);
    }
    return cutoff;
}

static void add_step(struct worker *w, uint32_t ack, int64_t horizon_s)
{
    struct ledger *ledger = w->ledger;
    require(ledger->step_count < LEDGER_MAX_CHANGES, "room for steps");
    ledger->steps[ledger->step_count++] = (struct ledger_step){
        .ack = ack, .horizon_s = horizon_s, .seal_rotations = w->seal_rotations};
}

static void add_client(struct worker *w, const struct errand *errand, bool present, bool disabled,
                       uint64_t seq)
{
    struct ledger *ledger = w->ledger;
    require(ledger->client_count < LEDGER_MAX_CHANGES, "room for clients");
    ledger->clients[ledger->client_count++] =
        (struct ledger_client){.ack = errand->ack,
                               .client = (uint8_t)errand->client,
                               .present = present,
                               .disabled = disabled,
                               .seq = seq};
}

static void note_rotation(struct worker *w, const struct errand *errand)
{
    const struct assay_change_rotate *rotate = &errand->change.u.rotate;
    struct ledger_token *parent = &w->ledger->tokens[errand->parent];
    if (errand->change.outcome != ASSAY_DONE) {
        return;
    }
    if (rotate->retried) {
        require(parent->successor == rotate->refresh.record.id.seq,
                "a retry gives the successor it gave before");
    } else {
        parent->successor = rotate->refresh.record.id.seq;
        parent->rotated_at_s = errand->change.now_s;
        (void)add_token(w, errand, &rotate->refresh);
    }
    (void)add_token(w, errand, &rotate->access);
}

static void note_answer(struct worker *w, const struct errand *errand)
{
    const struct assay_change *change = &errand->change;
    bool done = change->outcome == ASSAY_DONE;
    switch (change->verb) {
    case ASSAY_CHANGE_ISSUE:
        if (done && change->u.issue.with_refresh) {
            (void)add_token(w, errand, &change->u.issue.refresh);
        }
        if (done) {
            (void)add_token(w, errand, &change->u.issue.access);
        }
        return;
    case ASSAY_CHANGE_ROTATE:
        note_rotation(w, errand);
        return;
    case ASSAY_CHANGE_CUT:
        if (done) {
            (void)add_cutoff(w, errand->ack, change->u.cut.kind, change->u.cut.id,
                             change->u.cut.seq, change->now_s);
        }
        return;
    case ASSAY_CHANGE_CLIENT_ADD:
    case ASSAY_CHANGE_CLIENT_UPDATE:
        if (done) {
            add_client(w, errand, true, change->u.client.record.disabled, change->u.client.version);
        }
        return;
    case ASSAY_CHANGE_CONSUME_ONCE:
        if (done) {
            struct ledger *ledger = w->ledger;
            require(ledger->once_count < LEDGER_MAX_CHANGES, "room for one-time ids");
            struct ledger_once *once = &ledger->onces[ledger->once_count++];
            once->ack = errand->ack;
            once->keep_until_s = change->u.once.keep_until_s;
            memcpy(once->id_sha256, change->u.once.id_sha256, ASSAY_SHA256_LEN);
        }
        return;
    case ASSAY_CHANGE_SEAL_ROTATE:
        if (done) {
            w->seal_rotations++;
            add_step(w, errand->ack, 0);
        }
        return;
    case ASSAY_CHANGE_SWEEP:
        if (done) {
            add_step(w, errand->ack, change->now_s);
        }
        return;
    case ASSAY_CHANGE_CLIENT_REMOVE: /* by its event */
        return;
    }
}

static void answered(struct assay_store_change *op)
{
    struct errand *errand = op->context;
    struct worker *w = errand->worker;
    if (op->status == ASSAY_ERR_STORE && strstr(op->error.what, "in time") != NULL) {
        errand->change.outcome = ASSAY_REFUSED_STALE; /* a busy machine: abandoned, never done */
    } else if (op->status != ASSAY_OK) {
        die("a change", op->error.what);
    }
    errand->ack = acknowledge(w);
    note_answer(w, errand);
    w->under_way--;
}

/* --- the event log: the numbers of cutoffs that no answer carries (reuse, a removed client) --- */

static const struct errand *errand_behind(const struct worker *w, const struct assay_event *event)
{
    uint8_t number[8];
    for (size_t i = 0; i < w->errand_count; i++) {
        const struct errand *errand = &w->errands[i];
        bool removed = (errand->act == ACT_REMOVE || errand->act == ACT_DISABLE) &&
                       event->kind == ASSAY_CUTOFF_CLIENT &&
                       assay_slice_equal(event->id, ledger_client_id(errand->client));
        bool reused =
            errand->change.verb == ASSAY_CHANGE_ROTATE &&
            errand->change.outcome == ASSAY_REFUSED_REUSE && event->kind == ASSAY_CUTOFF_GRANT &&
            assay_slice_equal(
                event->id, assay_cutoff_number_id(w->ledger->tokens[errand->parent].grant, number));
        if (removed || reused) {
            return errand;
        }
    }
    return NULL;
}

static bool see_event(struct assay_query *query)
{
    struct worker *w = query->context;
    const struct assay_event *event = &query->event;
    require(event->seq > w->last_event, "events in order");
    w->last_event = event->seq;
    for (uint32_t i = 0; i < w->ledger->cutoff_count; i++) {
        if (w->ledger->cutoffs[i].seq == event->seq) {
            return true;
        }
    }
    const struct errand *errand = errand_behind(w, event);
    require(errand != NULL, "an event has a cause");
    (void)add_cutoff(w, errand->ack, event->kind, event->id, event->seq, event->made_at_s);
    if (errand->act == ACT_REMOVE) {
        add_client(w, errand, false, false, event->seq);
    }
    return true;
}

static void listed(struct assay_store_list *list)
{
    if (list->status != ASSAY_OK) {
        die("events", list->error.what);
    }
}

static void read_events(struct worker *w)
{
    struct assay_query query = {.verb = ASSAY_QUERY_EVENTS, .row = see_event, .context = w};
    struct assay_store_list list = {.query = &query, .done = listed};
    do {
        query.after = w->last_event;
        w->store->ops->list(w->store, &list);
    } while (query.more);
    uint64_t newest = 0;
    for (uint32_t i = 0; i < w->ledger->cutoff_count; i++) {
        newest = w->ledger->cutoffs[i].seq > newest ? w->ledger->cutoffs[i].seq : newest;
    }
    require(newest == w->last_event, "a cutoff has its event");
}

/* --- the changes --- */

static struct assay_change *begin(struct errand *errand, enum assay_change_verb verb)
{
    errand->change = (struct assay_change){.verb = verb,
                                           .now_s = errand->worker->now_s,
                                           .origin = ASSAY_BY_CLIENT,
                                           .prefix = ASSAY_SLICE("assay")};
    return &errand->change;
}

static void draft(struct errand *errand, struct assay_token_draft *draft,
                  enum assay_token_kind kind, int64_t lifetime_s)
{
    struct worker *w = errand->worker;
    uint64_t random[3] = {dice_next(&w->dice), dice_next(&w->dice), dice_next(&w->dice)};
    memcpy(draft->secret, random, sizeof(draft->secret));
    draft->record.kind = kind;
    draft->record.client_id = ledger_client_id(errand->client);
    draft->record.subject = ledger_subject_id(errand->subject);
    draft->record.session = ledger_session_id(errand->session);
    draft->record.scope = ASSAY_SLICE("read write");
    draft->record.audience = ASSAY_SLICE("https://api.example.com/");
    draft->record.issued_at_s = w->now_s;
    draft->record.expires_at_s = w->now_s + lifetime_s;
}

static void make_issue(struct errand *errand, bool refresh)
{
    struct worker *w = errand->worker;
    struct assay_change *change = begin(errand, ASSAY_CHANGE_ISSUE);
    errand->client = (unsigned)dice_below(&w->dice, LEDGER_CLIENTS);
    errand->subject = refresh || dice_below(&w->dice, 3) != 0
                          ? (unsigned)dice_below(&w->dice, LEDGER_SUBJECTS)
                          : LEDGER_SUBJECTS;
    errand->session =
        w->mix->sessions ? (unsigned)dice_below(&w->dice, LEDGER_SESSIONS + 1) : LEDGER_SESSIONS;
    change->u.issue.client_id = ledger_client_id(errand->client);
    change->u.issue.with_refresh = refresh;
    int64_t spread = (int64_t)dice_below(&w->dice, 4) * w->mix->access_s / 2;
    draft(errand, &change->u.issue.access, ASSAY_TOKEN_ACCESS, w->mix->access_s + spread);
    draft(errand, &change->u.issue.refresh, ASSAY_TOKEN_REFRESH, w->mix->refresh_s);
}

/* A token of the ledger that `fits`, the younger the likelier; false when a few tries find none. */
static bool pick(struct worker *w, bool (*fits)(const struct worker *, const struct ledger_token *),
                 uint32_t *ret)
{
    const struct ledger *ledger = w->ledger;
    for (int i = 0; i < 40 && ledger->token_count > 0; i++) {
        uint32_t span =
            dice_below(&w->dice, 2) == 0 && ledger->token_count > 50 ? 50 : ledger->token_count;
        uint32_t at = ledger->token_count - 1 - (uint32_t)dice_below(&w->dice, span);
        if (fits(w, &ledger->tokens[at])) {
            *ret = at;
            return true;
        }
    }
    return false;
}

static bool is_refresh(const struct worker *w, const struct ledger_token *t)
{
    return t->kind == ASSAY_TOKEN_REFRESH && t->expires_at_s > w->now_s && t->successor == 0;
}

static bool is_fresh_rotated(const struct worker *w, const struct ledger_token *t)
{
    return t->kind == ASSAY_TOKEN_REFRESH && t->successor != 0 &&
           w->now_s < t->rotated_at_s + WINDOW_S;
}

static bool is_old_rotated(const struct worker *w, const struct ledger_token *t)
{
    return t->kind == ASSAY_TOKEN_REFRESH && t->successor != 0 && t->expires_at_s > w->now_s &&
           w->now_s >= t->rotated_at_s + WINDOW_S;
}

static bool is_any(const struct worker *w, const struct ledger_token *t)
{
    return t->expires_at_s > w->now_s;
}

static bool has_grant(const struct worker *w, const struct ledger_token *t)
{
    return is_any(w, t) && t->grant != 0;
}

static bool make_rotate(struct errand *errand,
                        bool (*fits)(const struct worker *, const struct ledger_token *))
{
    struct worker *w = errand->worker;
    if (!pick(w, fits, &errand->parent)) {
        return false;
    }
    const struct ledger_token *parent = &w->ledger->tokens[errand->parent];
    struct assay_change *change = begin(errand, ASSAY_CHANGE_ROTATE);
    struct assay_change_rotate *rotate = &change->u.rotate;
    uint64_t salt[2] = {dice_next(&w->dice), dice_next(&w->dice)};
    errand->client = parent->client;
    errand->subject = parent->subject;
    errand->session = parent->session;
    rotate->client_id = ledger_client_id(parent->client);
    rotate->text = assay_slice_of(parent->text, parent->text_len);
    rotate->address = parent->address;
    rotate->window_s = WINDOW_S;
    memcpy(rotate->salt, salt, sizeof(rotate->salt));
    draft(errand, &rotate->access, ASSAY_TOKEN_ACCESS, w->mix->access_s);
    draft(errand, &rotate->refresh, ASSAY_TOKEN_REFRESH, w->mix->refresh_s);
    return true;
}

static void make_cut(struct errand *errand, enum assay_cutoff_kind kind, struct assay_slice id)
{
    struct assay_change *change = begin(errand, ASSAY_CHANGE_CUT);
    change->u.cut.kind = kind;
    change->u.cut.id = id;
}

static bool make_cut_of_token(struct errand *errand)
{
    struct worker *w = errand->worker;
    if (w->ends_youngest) {
        errand->parent = w->ledger->token_count - 1;
    } else if (!pick(w, is_any, &errand->parent)) {
        return false;
    }
    const struct ledger_token *token = &w->ledger->tokens[errand->parent];
    make_cut(errand, ASSAY_CUTOFF_TOKEN, assay_cutoff_number_id(token->id.seq, errand->id));
    errand->change.u.cut.token_expires_at_s = token->expires_at_s;
    return true;
}

static bool make_cut_of_grant(struct errand *errand)
{
    struct worker *w = errand->worker;
    if (!pick(w, has_grant, &errand->parent)) {
        return false;
    }
    make_cut(errand, ASSAY_CUTOFF_GRANT,
             assay_cutoff_number_id(w->ledger->tokens[errand->parent].grant, errand->id));
    return true;
}

static void make_client(struct errand *errand, enum assay_change_verb verb, bool disabled)
{
    struct worker *w = errand->worker;
    struct assay_change *change = begin(errand, verb);
    struct assay_client_record *record = &change->u.client.record;
    const struct ledger_client *now = ledger_client_at(w->ledger, errand->client, UINT64_MAX);
    change->origin = ASSAY_BY_ADMIN;
    record->client_id = ledger_client_id(errand->client);
    record->created_at_s = w->now_s;
    record->grants = ASSAY_GRANT_CLIENT_CREDENTIALS | ASSAY_GRANT_REFRESH_TOKEN;
    record->resource_server = true; /* of an audience that comes and goes with each change */
    record->audience = errand->client % 2 == 0 ? ASSAY_SLICE("https://a.example https://b.example")
                                               : ASSAY_SLICE("https://b.example");
    record->disabled = disabled;
    record->version = now == NULL ? 0 : now->seq;
    change->u.client.cut = disabled;
}

/* Only one change of a client a round, and the next round brings it back. */
static bool make_client_go(struct errand *errand, enum act act)
{
    struct worker *w = errand->worker;
    for (unsigned i = 0; i < LEDGER_CLIENTS; i++) {
        if (w->client_away[i]) {
            return false;
        }
    }
    errand->client = (unsigned)dice_below(&w->dice, LEDGER_CLIENTS);
    w->client_away[errand->client] = true;
    make_client(errand, act == ACT_REMOVE ? ASSAY_CHANGE_CLIENT_REMOVE : ASSAY_CHANGE_CLIENT_UPDATE,
                act == ACT_DISABLE);
    return true;
}

/* Its record is too long for a page that it shares: it gets pages of its own. */
static void make_passing(struct errand *errand)
{
    static char audience[5000];
    if (audience[0] == 0) {
        memset(audience, 'a', sizeof(audience));
        for (size_t i = 400; i < sizeof(audience); i += 400) {
            audience[i] = ' ';
        }
    }
    errand->client = LEDGER_CLIENTS;
    make_client(errand, ASSAY_CHANGE_CLIENT_ADD, false);
    errand->change.u.client.record.audience = assay_slice_of(audience, sizeof(audience));
}

static void make_gone(struct errand *errand)
{
    errand->act = ACT_REMOVE;
    errand->client = LEDGER_CLIENTS;
    make_client(errand, ASSAY_CHANGE_CLIENT_REMOVE, false);
    errand->change.u.client.record.version = 0; /* whichever it is */
}

static void make_once(struct errand *errand)
{
    struct worker *w = errand->worker;
    struct assay_change *change = begin(errand, ASSAY_CHANGE_CONSUME_ONCE);
    uint64_t random[4] = {dice_next(&w->dice), dice_next(&w->dice), dice_next(&w->dice),
                          dice_next(&w->dice)};
    memcpy(change->u.once.id_sha256, random, ASSAY_SHA256_LEN);
    change->u.once.keep_until_s = w->now_s + 60;
}

static void make_seal(struct errand *errand)
{
    struct worker *w = errand->worker;
    struct assay_change *change = begin(errand, ASSAY_CHANGE_SEAL_ROTATE);
    uint64_t random[4] = {dice_next(&w->dice), dice_next(&w->dice), dice_next(&w->dice),
                          dice_next(&w->dice)};
    memcpy(change->u.seal.key, random, ASSAY_SEAL_KEY_LEN);
}

static bool make(struct errand *errand, enum act act)
{
    struct worker *w = errand->worker;
    errand->act = act;
    switch (act) {
    case ACT_ISSUE:
    case ACT_ISSUE_REFRESH:
        make_issue(errand, act == ACT_ISSUE_REFRESH);
        return true;
    case ACT_ROTATE:
        return make_rotate(errand, is_refresh);
    case ACT_RETRY:
        return make_rotate(errand, is_fresh_rotated);
    case ACT_REUSE:
        return make_rotate(errand, is_old_rotated);
    case ACT_CUT_TOKEN:
        return make_cut_of_token(errand);
    case ACT_CUT_GRANT:
        return make_cut_of_grant(errand);
    case ACT_CUT_SUBJECT:
        make_cut(errand, ASSAY_CUTOFF_SUBJECT,
                 ledger_subject_id((unsigned)dice_below(&w->dice, LEDGER_SUBJECTS)));
        return true;
    case ACT_CUT_CLIENT:
        make_cut(errand, ASSAY_CUTOFF_CLIENT,
                 ledger_client_id((unsigned)dice_below(&w->dice, LEDGER_CLIENTS)));
        return true;
    case ACT_CUT_EVERYTHING:
        make_cut(errand, ASSAY_CUTOFF_EVERYTHING, (struct assay_slice){0});
        return true;
    case ACT_CUT_SESSION:
        make_cut(errand, ASSAY_CUTOFF_SESSION,
                 ledger_session_id((unsigned)dice_below(&w->dice, LEDGER_SESSIONS)));
        return true;
    case ACT_CUT_KEY:
        make_cut(errand, ASSAY_CUTOFF_KEY, ASSAY_SLICE("kid-1"));
        return true;
    case ACT_SWEEP:
        begin(errand, ASSAY_CHANGE_SWEEP)->u.sweep.steady_s = w->now_s;
        return true;
    case ACT_ONCE:
        make_once(errand);
        return true;
    case ACT_SEAL:
        make_seal(errand);
        return true;
    case ACT_DISABLE:
    case ACT_REMOVE:
        return make_client_go(errand, act);
    case ACT_ADD: {
        const struct ledger_client *now = ledger_client_at(w->ledger, errand->client, UINT64_MAX);
        bool there = now != NULL && now->present;
        make_client(errand, there ? ASSAY_CHANGE_CLIENT_UPDATE : ASSAY_CHANGE_CLIENT_ADD, false);
        return true;
    }
    case ACT_PASSING:
        make_passing(errand);
        return true;
    case ACT_COPY: /* not a change of the store */
        return false;
    }
    return false;
}

static void submit(struct worker *w, struct errand *errand)
{
    errand->op =
        (struct assay_store_change){.change = &errand->change, .done = answered, .context = errand};
    w->under_way++;
    w->store->ops->change(w->store, &errand->op);
}

static void wait_for_all(struct worker *w)
{
    while (w->under_way > 0) {
        test_loop_turn(&w->loop, 1000);
    }
    read_events(w);
}

/* One change that goes alone. */
static void run_one(struct worker *w, enum act act, unsigned client)
{
    w->errands[0] = (struct errand){.worker = w, .client = client};
    w->errand_count = 1;
    if (make(&w->errands[0], act)) {
        submit(w, &w->errands[0]);
        wait_for_all(w);
    }
}

/* --- copies, made by a process of their own, as by `assay store backup` --- */

static void run_self(const char *verb, const char *a, const char *b)
{
    char self[] = "/proc/self/exe";
    char verb_room[16];
    char rooms[2][400];
    char *arguments[] = {self, verb_room, rooms[0], rooms[1], NULL};
    int status = 0;
    pid_t pid;
    snprintf(verb_room, sizeof(verb_room), "%s", verb);
    snprintf(rooms[0], sizeof(rooms[0]), "%s", a);
    snprintf(rooms[1], sizeof(rooms[1]), "%s", b);
    if (posix_spawn(&pid, self, NULL, NULL, arguments, environ) != 0 ||
        waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        die(verb, "did not work");
    }
}

static void copy_store(struct worker *w)
{
    char to[300];
    struct ledger *ledger = w->ledger;
    require(ledger->copy_count < LEDGER_MAX_CHANGES, "room for copies");
    struct ledger_copy *copy = &ledger->copies[ledger->copy_count];
    snprintf(to, sizeof(to), "%s/backup-%u", w->dir, ledger->copy_count + 1);
    copy->holds = ledger->acks;
    run_self(dice_below(&w->dice, 2) == 0 ? "backup" : "compact", w->store_path, to);
    copy->ack = acknowledge(w);
    ledger->copy_count++;
}

/* --- the whole --- */

static enum act roll(struct worker *w)
{
    const struct mix *m = w->mix;
    const unsigned parts[ACTS] = {m->issue,      m->issue_refresh,  m->rotate,      m->retry,
                                  m->reuse,      m->cut_token,      m->cut_grant,   m->cut_subject,
                                  m->cut_client, m->cut_everything, m->cut_session, m->cut_key,
                                  m->sweep,      m->once,           m->seal,        m->disable,
                                  m->remove,     m->copy,           m->passing};
    unsigned sum = 0;
    for (size_t i = 0; i < ACTS; i++) {
        sum += parts[i];
    }
    unsigned at = (unsigned)dice_below(&w->dice, sum);
    size_t i = 0;
    while (at >= parts[i]) {
        at -= parts[i++];
    }
    return (enum act)i;
}

static void run_round(struct worker *w)
{
    size_t count = 1 + dice_below(&w->dice, MAX_AT_ONCE);
    if (dice_below(&w->dice, 2) == 0) {
        count = 1; /* half of the commits hold one change */
    }
    bool copies = false;
    bool passing = false;
    w->now_s += w->mix->step_s == 0 ? 0 : (int64_t)dice_below(&w->dice, w->mix->step_s + 1);
    w->errand_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct errand *errand = &w->errands[w->errand_count];
        *errand = (struct errand){.worker = w};
        enum act act = roll(w);
        copies |= act == ACT_COPY;
        passing |= act == ACT_PASSING;
        w->errand_count += act != ACT_PASSING && make(errand, act) ? 1 : 0;
    }
    if (passing) {
        for (size_t i = 0; i < 2; i++) {
            struct errand *errand = &w->errands[w->errand_count++];
            *errand = (struct errand){.worker = w};
            if (i == 0) {
                (void)make(errand, ACT_PASSING);
            } else {
                make_gone(errand);
            }
        }
    }
    for (size_t i = 0; i < w->errand_count; i++) {
        submit(w, &w->errands[i]);
    }
    if (copies) {
        copy_store(w); /* while the writer is at work */
    }
    wait_for_all(w);
    for (unsigned i = 0; i < LEDGER_CLIENTS; i++) {
        if (w->client_away[i]) {
            run_one(w, ACT_ADD, i);
            w->client_away[i] = false;
        }
    }
}

static void open_store(struct worker *w)
{
    struct assay_error error = {0};
    struct assay_lmdb_options options = {
        .path = w->store_path, .map_size = (uint64_t)8 << 30, .loop = &w->loop.loop};
    test_loop_init(&w->loop);
    if (assay_lmdb_open(&options, &w->store, &error) != ASSAY_OK) {
        die("open", error.what);
    }
}

static void keep_identity(struct assay_store_list *list)
{
    struct worker *w = list->context;
    if (list->status != ASSAY_OK) {
        die("stat", list->error.what);
    }
    memcpy(w->ledger->log_id, list->query->stat.log, sizeof(w->ledger->log_id));
}

static void make_store(struct worker *w)
{
    struct assay_error error = {0};
    struct assay_query query = {.verb = ASSAY_QUERY_STAT};
    struct assay_store_list list = {.query = &query, .done = keep_identity, .context = w};
    if (assay_lmdb_create(w->store_path, &error) != ASSAY_OK) {
        die("create", error.what);
    }
    w->ledger->created = acknowledge(w);
    open_store(w);
    w->store->ops->list(w->store, &list);
    for (unsigned i = 0; i < LEDGER_CLIENTS; i++) {
        run_one(w, ACT_ADD, i);
    }
    for (unsigned i = 0; i < w->mix->prefill; i++) {
        run_one(w, i % 2 == 0 || w->mix->rotate != 0 ? ACT_ISSUE_REFRESH : ACT_ISSUE, 0);
    }
}

/* The writer is idle: the file is whole. */
static void keep_older(struct worker *w)
{
    char command[700];
    snprintf(command, sizeof(command), "cp %s/data %s/older", w->store_path, w->dir);
    require(system(command) == 0, "a copy of the data file");
}

/* One cutoff of each kind that ends many. */
static void cut_all_kinds(struct worker *w)
{
    static const enum act acts[] = {ACT_CUT_EVERYTHING, ACT_CUT_CLIENT, ACT_CUT_SUBJECT,
                                    ACT_CUT_SESSION, ACT_CUT_KEY};
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        run_one(w, acts[i], 0);
    }
}

static void run(struct worker *w, unsigned rounds)
{
    make_store(w);
    for (unsigned i = 0; i < rounds; i++) {
        run_round(w);
        if (w->mix->older && i == rounds / 4) {
            cut_all_kinds(w);
        }
        if (w->mix->older && i == rounds / 2) {
            keep_older(w);
        }
    }
    if (w->mix->older) { /* the last commit is a revocation: an older state shows a living token */
        run_one(w, ACT_ISSUE, 0);
        w->ends_youngest = true;
        run_one(w, ACT_CUT_TOKEN, 0);
    }
    if (w->mix->restore && w->ledger->copy_count == 0) {
        copy_store(w);
    }
    w->store->ops->close(w->store);
    if (w->mix->restore) {
        char from[300];
        snprintf(from, sizeof(from), "%s/backup-1", w->dir);
        run_self("restore", w->store_path, from);
        w->ledger->restored = acknowledge(w);
    }
    w->ledger->now_s = w->now_s;
    ledger_settle(w->ledger);
}

static const struct mix *mix_named(const char *name)
{
    for (size_t i = 0; i < sizeof(mixes) / sizeof(mixes[0]); i++) {
        if (strcmp(mixes[i].name, name) == 0) {
            return &mixes[i];
        }
    }
    return NULL;
}

static int work(char **argv)
{
    static struct worker w;
    w.mix = mix_named(argv[1]);
    require(w.mix != NULL, "name");
    w.dice = dice_of(strtoull(argv[2], NULL, 10), (uint64_t)(w.mix - mixes));
    snprintf(w.dir, sizeof(w.dir), "%s", argv[4]);
    snprintf(w.store_path, sizeof(w.store_path), "%s/store", argv[4]);
    w.ack_fd = open(argv[5], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    w.ledger = calloc(1, sizeof(*w.ledger));
    if (w.ack_fd < 0 || w.ledger == NULL) {
        die("start", NULL);
    }
    w.now_s = w.ledger->start_s = 1800000000;
    run(&w, (unsigned)strtoul(argv[3], NULL, 10));
    ledger_save(w.ledger, argv[6]);
    free(w.ledger);
    close(w.ack_fd);
    return 0;
}

int main(int argc, char **argv)
{
    struct assay_error error = {0};
    enum assay_status status;
    if (argc == 7) {
        return work(argv);
    }
    require(argc == 4, "arguments");
    if (strcmp(argv[1], "restore") == 0) {
        status = assay_lmdb_restore(argv[2], argv[3], false, 1800000000, &error);
    } else {
        status = assay_lmdb_copy(argv[2], argv[3], strcmp(argv[1], "compact") == 0, &error);
    }
    if (status != ASSAY_OK) {
        die(argv[1], error.what);
    }
    return 0;
}
