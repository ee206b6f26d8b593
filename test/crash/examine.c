#include "crash/examine.h"

#include "base/secret.h"
#include "crash/agree.h"
#include "store/lmdb/lmdb_priv.h"
#include "support/test_loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *verdict_name(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_NONE:
        return "not looked at";
    case VERDICT_GOOD:
        return "good";
    case VERDICT_REFUSED:
        return "refused";
    case VERDICT_LOST:
        return "lost";
    case VERDICT_HALF:
        return "half";
    case VERDICT_DISAGREES:
        return "disagrees";
    case VERDICT_STUCK:
        return "stuck";
    case VERDICT_CRASH:
        return "crash";
    case VERDICT_HANG:
        return "hang";
    }
    return "?";
}

struct patient {
    struct examination *e;
    struct test_loop loop;
    struct assay_store *store;
    struct assay_digester *digester;
    struct agreement agreement;
    int64_t now_s;
    bool answered;
};

static enum verdict say(struct examination *e, enum verdict verdict, const char *what,
                        uint64_t number)
{
    snprintf(e->why, sizeof(e->why), "%s (%llu)", what, (unsigned long long)number);
    return verdict;
}

static enum verdict open_patient(struct patient *p)
{
    struct assay_error error = {0};
    struct assay_lmdb_options options = {
        .path = p->e->dir, .map_size = (uint64_t)8 << 30, .loop = &p->loop.loop};
    test_loop_init(&p->loop);
    if (assay_lmdb_open(&options, &p->store, &error) != ASSAY_OK) {
        p->store = NULL;
        return say(p->e, VERDICT_REFUSED, error.what, 0);
    }
    return VERDICT_GOOD;
}

static void close_patient(struct patient *p)
{
    if (p->store != NULL) {
        p->store->ops->close(p->store);
        p->store = NULL;
    }
}

/* --- one token --- */

struct finding {
    enum assay_liveness liveness;
    enum assay_status status;
    bool answered;
    bool found;
    bool text_matches;
    int64_t now_s;
    struct assay_digester *digester;
    const struct ledger_token *token;
};

static void looked(struct assay_store_find *find)
{
    struct finding *f = find->context;
    uint8_t hash[ASSAY_SHA256_LEN];
    struct assay_error error;
    f->answered = true;
    f->status = find->status;
    f->found = find->status == ASSAY_OK && find->lookup->token != NULL;
    if (!f->found) {
        return;
    }
    f->liveness = assay_lookup_judge(find->lookup, f->now_s);
    f->text_matches =
        assay_sha256(f->digester, assay_slice_of(f->token->text, f->token->text_len), hash,
                     &error) == ASSAY_OK &&
        assay_secret_equal(assay_slice_of(hash, sizeof(hash)),
                           assay_slice_of(find->lookup->token->text_sha256, sizeof(hash)));
}

static struct finding look_up(struct patient *p, const struct ledger_token *token)
{
    struct finding f = {.now_s = p->now_s, .digester = p->digester, .token = token};
    struct assay_lookup lookup = {.want_token = true, .address = token->address};
    struct assay_store_find find = {.lookup = &lookup, .done = looked, .context = &f};
    p->store->ops->find(p->store, &find);
    while (!f.answered) {
        test_loop_run_task(&p->loop);
    }
    return f;
}

static enum ledger_fate fate_of(const struct patient *p, const struct ledger_token *token)
{
    enum ledger_fate fate = ledger_fate_of(token, &p->agreement.header, p->now_s);
    return p->e->is_restored && fate == LEDGER_LIVES ? LEDGER_ENDED : fate;
}

static enum verdict check_token(struct patient *p, const struct ledger_token *token)
{
    struct finding f = look_up(p, token);
    if (f.status != ASSAY_OK) {
        return say(p->e, VERDICT_REFUSED, "a look-up fails", token->id.seq);
    }
    switch (fate_of(p, token)) {
    case LEDGER_UNKNOWN:
        return f.found ? say(p->e, VERDICT_HALF, "a token that was not yet made", token->id.seq)
                       : VERDICT_GOOD;
    case LEDGER_EXPIRED:
        return f.found && f.liveness == ASSAY_LIVE
                   ? say(p->e, VERDICT_LOST, "an expired token lives", token->id.seq)
                   : VERDICT_GOOD;
    case LEDGER_ENDED:
        return f.found && f.liveness == ASSAY_LIVE
                   ? say(p->e, VERDICT_LOST, "a revoked token lives", token->id.seq)
                   : VERDICT_GOOD;
    case LEDGER_LIVES:
        return f.found && f.liveness == ASSAY_LIVE && f.text_matches
                   ? VERDICT_GOOD
                   : say(p->e, VERDICT_LOST, "a token is not as it was given", token->id.seq);
    }
    return VERDICT_GOOD;
}

/* --- what was acknowledged --- */

/* Everything that was answered has a number, and numbers are taken in order: what the last of them
 * is tells whether all are there. */
static enum verdict check_acknowledged(struct patient *p)
{
    struct examination *e = p->e;
    const struct ledger *ledger = e->ledger;
    const struct assay_header_record *header = &p->agreement.header;
    uint64_t seq = ledger_seq_at(ledger, e->acked);
    if (header->seq < seq) {
        return say(e, VERDICT_LOST, "the last number is behind an answer", seq - header->seq);
    }
    for (uint32_t i = 0; i < ledger->step_count; i++) {
        const struct ledger_step *step = &ledger->steps[i];
        if (step->ack <= e->acked && (header->horizon_s < step->horizon_s ||
                                      header->newest_generation < 1 + step->seal_rotations)) {
            return say(e, VERDICT_LOST, "a sweep or a sealing key is missing", step->ack);
        }
    }
    for (unsigned i = 0; i < LEDGER_CLIENTS; i++) {
        const struct ledger_client *client = ledger_client_at(ledger, i, header->seq);
        struct assay_client_record record = {.version = 0};
        struct lmdb_store *store = (struct lmdb_store *)p->store;
        MDB_txn *txn;
        if (mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) != 0) {
            return say(e, VERDICT_REFUSED, "no transaction", 0);
        }
        enum assay_status status = lmdb_get_client(store, txn, ledger_client_id(i), &record, NULL);
        bool there = client != NULL && client->present;
        bool good = there ? status == ASSAY_OK && record.version == client->seq &&
                                record.disabled == client->disabled
                          : status == ASSAY_ERR_ABSENT;
        mdb_txn_abort(txn);
        if (!good) {
            return say(e, VERDICT_LOST, "a client is not as it was left", i);
        }
    }
    return VERDICT_GOOD;
}

static enum verdict check_onces(struct patient *p)
{
    const struct ledger *ledger = p->e->ledger;
    struct lmdb_store *store = (struct lmdb_store *)p->store;
    struct assay_slice bytes;
    MDB_txn *txn;
    if (mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) != 0) {
        return say(p->e, VERDICT_REFUSED, "no transaction", 0);
    }
    uint32_t missing = 0;
    for (uint32_t i = 0; i < ledger->once_count; i++) {
        const struct ledger_once *once = &ledger->onces[i];
        if (once->ack <= p->e->acked && once->keep_until_s > p->agreement.header.horizon_s &&
            lmdb_get(txn, store->dbis.db[LMDB_DB_ONCE],
                     assay_slice_of(once->id_sha256, ASSAY_SHA256_LEN), &bytes, NULL) != ASSAY_OK) {
            missing++;
        }
    }
    mdb_txn_abort(txn);
    return missing == 0 ? VERDICT_GOOD
                        : say(p->e, VERDICT_LOST, "one-time ids are missing", missing);
}

/* The whole content is that of one commit: not a byte more, not a byte less. */
static enum verdict check_commit(struct patient *p)
{
    const struct examination *e = p->e;
    for (uint32_t i = e->first_commit; i <= e->last_commit; i++) {
        if (e->digests[i] == p->agreement.digest) {
            return VERDICT_GOOD;
        }
    }
    return say(p->e, VERDICT_HALF, "the content of no commit", p->agreement.header.seq);
}

/* The clock at the cut: when the youngest thing in the image was made, or swept. */
static int64_t clock_of(const struct patient *p)
{
    const struct ledger *ledger = p->e->ledger;
    int64_t now_s = ledger->start_s;
    if (p->agreement.header.horizon_s > now_s) {
        now_s = p->agreement.header.horizon_s;
    }
    for (uint32_t i = 0; i < ledger->token_count; i++) {
        const struct ledger_token *t = &ledger->tokens[i];
        if (t->id.seq <= p->agreement.header.seq && t->issued_at_s > now_s) {
            now_s = t->issued_at_s;
        }
    }
    return now_s;
}

/* Forgetting is told as such before a content that belongs to no commit: it is worse. */
static enum verdict check_content(struct patient *p)
{
    struct lmdb_store *store = (struct lmdb_store *)p->store;
    const struct ledger *ledger = p->e->ledger;
    if (!agree(store, &p->agreement)) {
        return say(p->e, VERDICT_DISAGREES, p->agreement.why, 0);
    }
    p->now_s = clock_of(p);
    bool own = memcmp(p->agreement.header.log, ledger->log_id, ASSAY_LOG_ID_LEN) == 0;
    if (own == p->e->is_restored) {
        return say(p->e, VERDICT_HALF, "another store's identity", 0);
    }
    enum verdict verdict = p->e->is_restored ? VERDICT_GOOD : check_acknowledged(p);
    for (uint32_t i = 0; i < ledger->token_count && verdict == VERDICT_GOOD; i++) {
        verdict = check_token(p, &ledger->tokens[i]);
    }
    if (verdict == VERDICT_GOOD && !p->e->is_restored) {
        verdict = check_onces(p);
    }
    return verdict == VERDICT_GOOD ? check_commit(p) : verdict;
}

/* --- going on --- */

static void changed(struct assay_store_change *op)
{
    ((struct patient *)op->context)->answered = true;
}

static enum assay_status run(struct patient *p, struct assay_change *change)
{
    struct assay_store_change op = {.change = change, .done = changed, .context = p};
    change->now_s = p->now_s;
    change->prefix = ASSAY_SLICE("assay");
    change->origin = ASSAY_BY_ADMIN;
    for (int tries = 0; tries < 5; tries++) {
        p->answered = false;
        p->store->ops->change(p->store, &op);
        while (!p->answered) {
            test_loop_turn(&p->loop, 1000);
        }
        if (op.status != ASSAY_ERR_STORE || strstr(op.error.what, "in time") == NULL) {
            break; /* abandoned on a busy machine, it may be tried again */
        }
    }
    return op.status;
}

/* One more write, of the kind that touches most: an `everything` cutoff. */
static enum verdict write_more(struct patient *p)
{
    struct assay_change cut = {.verb = ASSAY_CHANGE_CUT};
    cut.u.cut.kind = ASSAY_CUTOFF_EVERYTHING;
    uint64_t before = p->agreement.header.seq;
    if (run(p, &cut) != ASSAY_OK || cut.outcome != ASSAY_DONE || cut.u.cut.seq <= before) {
        return say(p->e, VERDICT_STUCK, "one more write fails", before);
    }
    struct agreement after;
    if (!agree((struct lmdb_store *)p->store, &after)) {
        snprintf(p->e->why, sizeof(p->e->why), "after one more write: %s", after.why);
        return VERDICT_STUCK;
    }
    p->agreement = after;
    return VERDICT_GOOD;
}

/* The refresh token that was rotated last, whose window is open still: asking again gives the same
 * successor (REL-02). */
static const struct ledger_token *retriable(const struct patient *p)
{
    const struct ledger *ledger = p->e->ledger;
    const struct ledger_token *found = NULL;
    for (uint32_t i = 0; i < ledger->token_count; i++) {
        const struct ledger_token *t = &ledger->tokens[i];
        if (t->successor != 0 && t->successor <= p->agreement.header.seq &&
            t->cut_at > p->agreement.header.seq && t->rotated_at_s <= p->now_s &&
            p->now_s < t->rotated_at_s + 10 && t->expires_at_s > p->now_s &&
            t->generation + (uint64_t)ASSAY_MAX_SEAL_KEYS > p->agreement.header.newest_generation &&
            (found == NULL || t->successor > found->successor)) {
            found = t;
        }
    }
    return found;
}

static const struct ledger_token *token_numbered(const struct ledger *ledger, uint64_t seq)
{
    for (uint32_t i = 0; i < ledger->token_count; i++) {
        if (ledger->tokens[i].id.seq == seq) {
            return &ledger->tokens[i];
        }
    }
    return NULL;
}

static enum verdict retry_rotation(struct patient *p)
{
    const struct ledger_token *parent = retriable(p);
    const struct ledger_token *successor =
        parent == NULL ? NULL : token_numbered(p->e->ledger, parent->successor);
    if (successor == NULL || ledger_ended_at(successor) <= p->agreement.header.seq ||
        fate_of(p, successor) != LEDGER_LIVES) {
        return VERDICT_GOOD;
    }
    struct assay_change change = {.verb = ASSAY_CHANGE_ROTATE};
    struct assay_change_rotate *rotate = &change.u.rotate;
    rotate->client_id = ledger_client_id(parent->client);
    rotate->text = assay_slice_of(parent->text, parent->text_len);
    rotate->address = parent->address;
    rotate->window_s = 10;
    rotate->access.record = (struct assay_token_record){.kind = ASSAY_TOKEN_ACCESS,
                                                        .client_id = rotate->client_id,
                                                        .issued_at_s = p->now_s,
                                                        .expires_at_s = p->now_s + 60};
    rotate->access.record.subject = ledger_subject_id(parent->subject);
    rotate->refresh = rotate->access;
    rotate->refresh.record.kind = ASSAY_TOKEN_REFRESH;
    enum assay_status status = run(p, &change);
    if (status != ASSAY_OK || change.outcome != ASSAY_DONE || !rotate->retried ||
        !assay_slice_equal(assay_slice_of(rotate->refresh.text, rotate->refresh.text_len),
                           assay_slice_of(successor->text, successor->text_len))) {
        return say(p->e, VERDICT_LOST, "a retry gives another successor", parent->id.seq);
    }
    return VERDICT_GOOD;
}

/* --- the whole --- */

static enum verdict create_again(struct examination *e)
{
    struct assay_error error = {0};
    struct agreement agreement;
    if (assay_lmdb_create(e->dir, &error) != ASSAY_OK) {
        return say(e, VERDICT_STUCK, error.what, 0);
    }
    return agree_at(e->dir, &agreement) ? VERDICT_GOOD : say(e, VERDICT_STUCK, agreement.why, 0);
}

static enum verdict first_start(struct patient *p)
{
    enum verdict verdict = open_patient(p);
    if (verdict == VERDICT_GOOD) {
        verdict = check_content(p);
    }
    if (verdict == VERDICT_GOOD && !p->e->is_restored && !p->e->is_copy) {
        verdict = retry_rotation(p);
    }
    return verdict == VERDICT_GOOD ? write_more(p) : verdict;
}

static enum verdict second_start(struct patient *p)
{
    struct agreement again;
    enum verdict verdict = open_patient(p);
    if (verdict != VERDICT_GOOD) {
        return VERDICT_STUCK;
    }
    if (!agree((struct lmdb_store *)p->store, &again) || again.digest != p->agreement.digest) {
        return say(p->e, VERDICT_STUCK, "a second start finds something else", 0);
    }
    const struct ledger *ledger = p->e->ledger;
    for (uint32_t i = 0; i < ledger->token_count; i += 1 + ledger->token_count / 16) {
        struct finding f = look_up(p, &ledger->tokens[i]);
        if (f.status != ASSAY_OK || (f.found && f.liveness == ASSAY_LIVE)) {
            return say(p->e, VERDICT_STUCK, "a token outlives the end of everything", i);
        }
    }
    return VERDICT_GOOD;
}

enum verdict examine(struct examination *e)
{
    static struct patient p;
    struct assay_error error = {0};
    p = (struct patient){.e = e};
    e->why[0] = 0;
    enum assay_status status = assay_lmdb_check(e->dir, &error);
    if (status == ASSAY_ERR_ABSENT) {
        return e->absent_is_allowed ? create_again(e)
                                    : say(e, VERDICT_LOST, "there is no store", 0);
    }
    if (status != ASSAY_OK) {
        return say(e, VERDICT_REFUSED, error.what, 0);
    }
    if (assay_digester_open(&p.digester, &error) != ASSAY_OK) {
        return say(e, VERDICT_STUCK, "no digester", 0);
    }
    enum verdict verdict = first_start(&p);
    close_patient(&p);
    if (verdict == VERDICT_GOOD) {
        verdict = second_start(&p);
        close_patient(&p);
    }
    assay_digester_close(p.digester);
    return verdict;
}
