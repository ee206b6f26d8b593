/* Two processes at one store, each with its loop and its writer: changes by the dozen, cancelled,
 * answered, cut short by a close; look-ups all the while. What was answered holds from that moment
 * in both. Run under the thread sanitizer, too. */
#include "engine.h"
#include "record/change.h"
#include "record/lookup.h"
#include "support/check.h"
#include "support/test_loop.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOW 1000000
#define PROCESSES 2
#define TOKENS 65536 /* at most, of both */
#define OPS 48       /* under way at once, of each */

enum token_state {
    EMPTY = 0,
    ISSUING,
    LIVE,    /* acknowledged, and nobody has begun to end it */
    ENDING,  /* either way */
    DEAD,    /* its end was acknowledged */
    UNKNOWN, /* trouble: either way */
};

/* What both processes know of a token. Its owner alone changes it. */
struct shared_token {
    _Atomic int state;
    struct assay_address address;
    uint64_t seq;
};

struct shared {
    struct shared_token tokens[TOKENS];
    _Atomic unsigned looks;
    _Atomic unsigned acknowledged;
    _Atomic unsigned abandoned;
    _Atomic int failed;
};

struct worker {
    struct shared *shared;
    struct engine_place *place;
    struct test_loop loop;
    struct assay_store *store;
    unsigned number;
    unsigned tokens; /* in use, of both */
    uint64_t random;
    struct operation {
        struct assay_store_change op;
        struct assay_change change;
        struct shared_token *token;
        uint8_t id[8];
        bool busy;
        struct worker *worker;
    } ops[OPS];
    unsigned busy;
};

static unsigned draw(struct worker *w, unsigned below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (unsigned)(w->random % below);
}

static void complain(struct worker *w, const char *what)
{
    if (atomic_exchange(&w->shared->failed, 1) == 0) {
        fprintf(stderr, "process %u: %s\n", w->number, what);
    }
}

static void done(struct assay_store_change *op)
{
    struct operation *operation = op->context;
    struct worker *w = operation->worker;
    struct shared_token *token = operation->token;
    bool good = op->status == ASSAY_OK && operation->change.outcome == ASSAY_DONE;
    operation->busy = false;
    w->busy--;
    if (good) {
        atomic_fetch_add(&w->shared->acknowledged, 1);
    } else if (op->status == ASSAY_OK) {
        complain(w, "a change was refused that must be carried out");
    }
    if (operation->change.verb == ASSAY_CHANGE_ISSUE) {
        token->address = operation->change.u.issue.access.address;
        token->seq = operation->change.u.issue.access.record.id.seq;
        atomic_store(&token->state, good ? LIVE : EMPTY);
    } else {
        atomic_store(&token->state, good ? DEAD : UNKNOWN);
    }
}

static struct operation *free_operation(struct worker *w)
{
    for (size_t i = 0; i < OPS; i++) {
        if (!w->ops[i].busy) {
            return &w->ops[i];
        }
    }
    return NULL;
}

static void begin_issue(struct worker *w, struct operation *operation)
{
    struct assay_token_draft *draft = &operation->change.u.issue.access;
    operation->change.verb = ASSAY_CHANGE_ISSUE;
    operation->change.u.issue.client_id = ASSAY_SLICE("robot");
    draft->record.kind = ASSAY_TOKEN_ACCESS;
    draft->record.client_id = ASSAY_SLICE("robot");
    draft->record.issued_at_s = NOW;
    draft->record.expires_at_s = NOW + 60 + draw(w, 5000);
    draft->secret[0] = (uint8_t)draw(w, 256);
    atomic_store(&operation->token->state, ISSUING);
}

static void begin_cut(struct operation *operation)
{
    operation->change.verb = ASSAY_CHANGE_CUT;
    operation->change.u.cut.kind = ASSAY_CUTOFF_TOKEN;
    operation->change.u.cut.id = assay_cutoff_number_id(operation->token->seq, operation->id);
    operation->change.u.cut.token_expires_at_s = NOW + 6000;
    atomic_store(&operation->token->state, ENDING);
}

/* A token of this process, drawn: issued when there is none, ended when it lives. */
static void begin_one(struct worker *w)
{
    struct operation *operation = free_operation(w);
    struct shared_token *token =
        &w->shared->tokens[draw(w, w->tokens / PROCESSES) * PROCESSES + w->number];
    int state = atomic_load(&token->state);
    if (operation == NULL || (state != EMPTY && state != LIVE)) {
        return;
    }
    memset(&operation->change, 0, sizeof(operation->change));
    operation->token = token;
    operation->worker = w;
    operation->change.now_s = NOW;
    operation->change.origin = ASSAY_BY_CLIENT;
    operation->change.prefix = ASSAY_SLICE("assay");
    if (state == EMPTY) {
        begin_issue(w, operation);
    } else {
        begin_cut(operation);
    }
    operation->op = (struct assay_store_change){
        .change = &operation->change, .done = done, .context = operation};
    operation->busy = true;
    w->busy++;
    w->store->ops->change(w->store, &operation->op);
}

/* What was abandoned never happens: the token is as it was before. */
static void cancel_one(struct worker *w)
{
    struct operation *operation = &w->ops[draw(w, OPS)];
    if (!operation->busy || !w->store->ops->change_cancel(w->store, &operation->op)) {
        return;
    }
    operation->busy = false;
    w->busy--;
    atomic_fetch_add(&w->shared->abandoned, 1);
    atomic_store(&operation->token->state,
                 operation->change.verb == ASSAY_CHANGE_ISSUE ? EMPTY : LIVE);
}

struct looking {
    enum assay_liveness liveness;
    enum assay_status status;
};

static void looked(struct assay_store_find *find)
{
    struct looking *looking = find->context;
    looking->status = find->status;
    looking->liveness = assay_lookup_judge(find->lookup, NOW);
}

static void look_at_one(struct worker *w)
{
    struct shared_token *token = &w->shared->tokens[draw(w, w->tokens)];
    int before = atomic_load(&token->state);
    if (before != LIVE && before != ENDING && before != DEAD) {
        return;
    }
    struct looking looking = {.liveness = ASSAY_DEAD_UNKNOWN};
    struct assay_lookup lookup = {.want_token = true, .address = token->address};
    struct assay_store_find find = {.lookup = &lookup, .done = looked, .context = &looking};
    lookup.caller_id = ASSAY_SLICE("robot");
    w->store->ops->find(w->store, &find);
    test_loop_run_task(&w->loop);
    int after = atomic_load(&token->state);
    atomic_fetch_add(&w->shared->looks, 1);
    if (looking.status != ASSAY_OK) {
        complain(w, "a look-up failed");
    } else if (before == DEAD && looking.liveness == ASSAY_LIVE) {
        complain(w, "a token is alive whose end was acknowledged");
    } else if (before == LIVE && after == LIVE && looking.liveness != ASSAY_LIVE) {
        complain(w, "a token is dead that was acknowledged and not ended");
    }
}

static bool no_row(struct assay_query *query)
{
    (void)query;
    return true;
}

static void listed(struct assay_store_list *list)
{
    (void)list;
}

static void list_something(struct worker *w)
{
    struct assay_query query = {.verb = draw(w, 2) == 0 ? ASSAY_QUERY_EVENTS : ASSAY_QUERY_STAT};
    struct assay_store_list list = {.query = &query, .done = listed};
    query.row = no_row;
    w->store->ops->list(w->store, &list);
    if (list.status != ASSAY_OK) {
        complain(w, "a listing failed");
    }
}

static void reopen(struct worker *w)
{
    w->store->ops->close(w->store); /* answers or refuses what is under way */
    if (w->busy != 0) {
        complain(w, "a close left changes unanswered");
    }
    w->store = engine_open(w->place, &w->loop.loop);
}

static void work(struct worker *w, unsigned rounds)
{
    test_loop_init(&w->loop);
    w->store = engine_open(w->place, &w->loop.loop);
    for (unsigned i = 0; i < rounds && atomic_load(&w->shared->failed) == 0; i++) {
        unsigned what = draw(w, 1000);
        if (what < 400) {
            begin_one(w);
        } else if (what < 480) {
            cancel_one(w);
        } else if (what < 900) {
            look_at_one(w);
        } else if (what < 990) {
            test_loop_turn(&w->loop, (int)draw(w, 2));
        } else if (what < 998) {
            list_something(w);
        } else {
            reopen(w);
        }
    }
    while (w->busy > 0) {
        test_loop_turn(&w->loop, 1000);
    }
    for (unsigned i = 0; i < w->tokens; i++) {
        look_at_one(w);
    }
    w->store->ops->close(w->store);
}

static void add_robot(struct engine_place *place)
{
    struct test_loop loop;
    static struct worker w = {.busy = 1};
    struct operation *operation = &w.ops[0];
    static struct shared shared;
    struct shared_token token = {.state = EMPTY};
    w.shared = &shared;
    test_loop_init(&loop);
    w.store = engine_open(place, &loop.loop);
    operation->change = (struct assay_change){
        .verb = ASSAY_CHANGE_CLIENT_ADD, .now_s = NOW, .origin = ASSAY_BY_ADMIN};
    operation->change.u.client.record.client_id = ASSAY_SLICE("robot");
    operation->worker = &w;
    operation->token = &token;
    operation->op = (struct assay_store_change){
        .change = &operation->change, .done = done, .context = operation};
    w.store->ops->change(w.store, &operation->op);
    while (w.busy > 0) {
        test_loop_turn(&loop, 1000);
    }
    w.store->ops->close(w.store);
}

/* REL-01, A-TOK-15: over thousands of changes of two processes, cancelled, refused and answered, no
 * look-up of either contradicts an answer of either. */
static void no_look_contradicts_an_answer(void **state)
{
    static struct worker worker;
    struct engine_place *place = *state;
    bool deep = getenv("ASSAY_DEEP") != NULL;
    unsigned rounds = deep ? 400000 : 8000;
    struct shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t children[PROCESSES];
    assert_true(shared != MAP_FAILED);
    pid_t first = fork(); /* so that this process never has a thread */
    if (first == 0) {
        add_robot(place);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(first, &status, 0), first);
    for (unsigned i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            worker.shared = shared;
            worker.place = place;
            worker.number = i;
            worker.tokens = deep ? TOKENS : 2048;
            worker.random = 88172645463325252u + 977 * i + (unsigned)time(NULL);
            work(&worker, rounds);
            exit(atomic_load(&shared->failed));
        }
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(atomic_load(&shared->failed), 0);
    print_message("%u acknowledged, %u abandoned, %u looks\n", atomic_load(&shared->acknowledged),
                  atomic_load(&shared->abandoned), atomic_load(&shared->looks));
    assert_true(atomic_load(&shared->acknowledged) > 100);
    assert_true(atomic_load(&shared->looks) > 1000);
    munmap(shared, sizeof(*shared));
}

static int setup(void **state)
{
    static struct engine_place place;
    engine_create(&place);
    *state = &place;
    return 0;
}

static int teardown(void **state)
{
    engine_remove(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_look_contradicts_an_answer, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
