#include "store/lmdb/lmdb_priv.h"

#include <string.h>

#define SWEEP_BATCH 2048 /* entries of one transaction: a few milliseconds of the write lock */
#define FORGET_STEPS_MS 3600000
#define NOTE_CLOCK_S 600 /* a store in which nothing expires notes the clock this often */

static uint64_t number_of(const uint8_t *bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < 8; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

enum clock_verdict { CLOCK_RAN, CLOCK_STEPPED, CLOCK_UNPROVEN };

static bool is_same_run(const struct assay_header_record *header, const struct assay_change *change)
{
    return memcmp(header->steady_id, change->u.sweep.steady_id, ASSAY_STEADY_ID_LEN) == 0;
}

/* How the wall clock went since the last sweep that was noted, whichever process made it. Within
 * one run of the steady clock the two must have gone the same way. Across a restart of the machine
 * nothing tells how long it was down: a clock that stands far ahead may be right or wrong, and is
 * given the hour to prove itself. */
static enum clock_verdict judge_clock(const struct assay_header_record *header,
                                      const struct assay_change *change)
{
    const struct assay_change_sweep *sweep = &change->u.sweep;
    int64_t went_s = change->now_s - header->clock_s;
    if (header->clock_s == 0) {
        return CLOCK_RAN; /* the first sweep of a store */
    }
    if (is_same_run(header, change)) {
        int64_t drift_s = went_s - (sweep->steady_s - header->steady_s);
        bool stepped = drift_s > ASSAY_CLOCK_STEP_S || drift_s < -ASSAY_CLOCK_STEP_S;
        return stepped ? CLOCK_STEPPED : CLOCK_RAN;
    }
    if (went_s < -ASSAY_CLOCK_STEP_S) {
        return CLOCK_STEPPED;
    }
    return went_s > ASSAY_CLOCK_STEP_S ? CLOCK_UNPROVEN : CLOCK_RAN;
}

static void hold(struct lmdb_write *w, enum clock_verdict verdict, int64_t now_s)
{
    struct assay_header_record *header = &w->header;
    header->hold_until_s = now_s + ASSAY_CLOCK_HOLD_S;
    if (verdict == CLOCK_STEPPED) {
        header->stepped_until_s = header->hold_until_s;
        lmdb_log(w->store, ASSAY_LOG_WARN, "clock_stepped",
                 "the wall clock was set; what has expired is kept for an hour");
    } else {
        lmdb_log(w->store, ASSAY_LOG_NOTICE, "clock_unproven",
                 "the machine was started anew; what has expired is kept for an hour");
    }
    w->dirty = true;
}

/* The horizon follows the clock and never goes back; after a step of the clock it stands still for
 * an hour, since a clock that jumped ahead by mistake would otherwise end living tokens for good.
 * That it stands still is stored, so that it does in every process, and after a restart. */
static void move_horizon(struct lmdb_write *w, const struct assay_change *change)
{
    struct assay_header_record *header = &w->header;
    int64_t now_s = change->now_s;
    enum clock_verdict verdict = judge_clock(header, change);
    bool noted = header->clock_s != 0 && now_s >= header->clock_s &&
                 now_s - header->clock_s < NOTE_CLOCK_S && is_same_run(header, change);
    if (verdict != CLOCK_RAN) {
        hold(w, verdict, now_s);
    } else if (header->hold_until_s != 0 && now_s >= header->hold_until_s) {
        header->hold_until_s = 0;
        header->stepped_until_s = 0;
        w->dirty = true;
    }
    if (header->hold_until_s == 0 && now_s > header->horizon_s) {
        header->horizon_s = now_s;
    }
    header->clock_s = now_s;
    header->steady_s = change->u.sweep.steady_s;
    memcpy(header->steady_id, change->u.sweep.steady_id, ASSAY_STEADY_ID_LEN);
    w->dirty = w->dirty || !noted;
}

/* What becomes of the entry that a cursor stands on. */
enum verdict {
    KEEP_ALL,  /* it is alive, and so is what lies behind it */
    STEP_OVER, /* it says nothing of what lies behind it */
    REMOVE,
};

static enum verdict judge_token(struct lmdb_write *w, uint8_t lifetime_class, uint64_t seq,
                                struct assay_slice bytes)
{
    struct assay_token_record record;
    struct assay_token_id id = {.lifetime_class = lifetime_class, .seq = seq};
    if (assay_token_record_parse(id, bytes, &record, NULL) != ASSAY_OK) {
        lmdb_note_corrupt(w->store, "the sweep met a token record that fails its check");
        return STEP_OVER;
    }
    if (record.expires_at_s <= w->header.horizon_s) {
        return REMOVE;
    }
    /* Issued by a clock that was ahead: it expires long after what came behind it. */
    return record.issued_at_s > w->header.clock_s + ASSAY_CLOCK_STEP_S ? STEP_OVER : KEEP_ALL;
}

static enum verdict judge_event(struct lmdb_write *w, uint64_t seq, struct assay_slice bytes)
{
    struct assay_event event;
    if (assay_event_parse(seq, bytes, &event, NULL) != ASSAY_OK) {
        lmdb_note_corrupt(w->store, "the sweep met an event that fails its check");
        return STEP_OVER;
    }
    if (event.made_at_s + ASSAY_EVENT_KEEP_S <= w->header.horizon_s) {
        return REMOVE;
    }
    return event.made_at_s > w->header.clock_s + ASSAY_CLOCK_STEP_S ? STEP_OVER : KEEP_ALL;
}

/* A tree in order of number on its way to be swept: a token tree, or the event log, which stands
 * behind the last class. */
struct swept_tree {
    struct lmdb_write *w;
    struct assay_change_sweep *sweep;
    unsigned which;
    MDB_cursor *cursor;
    size_t steps;
};

static int remove_here(struct swept_tree *tree, uint64_t seq)
{
    struct lmdb_write *w = tree->w;
    w->dirty = true;
    tree->sweep->removed++;
    if (tree->which == ASSAY_LIFETIME_CLASSES && seq > w->header.events_from) {
        w->header.events_from = seq;
    }
    return mdb_cursor_del(tree->cursor, 0);
}

/* Goes on behind `seq`, and behind all that earlier sweeps stepped over from there: otherwise what
 * they met would be met again each time, and enough of it would stop the sweep. */
static int step_over(struct swept_tree *tree, uint64_t seq, MDB_val *key, MDB_val *value)
{
    uint64_t *behind = &tree->w->store->step_over[tree->which];
    if (*behind <= seq) {
        *behind = seq + 1;
    }
    *key = lmdb_val(assay_slice_of(behind, sizeof(*behind)));
    return mdb_cursor_get(tree->cursor, key, value, MDB_SET_RANGE);
}

/* What stands at the cursor, and where to go from there; *ret_end: no further. */
static int sweep_here(struct swept_tree *tree, MDB_val *key, MDB_val *value, bool *ret_end)
{
    uint64_t seq = 0;
    memcpy(&seq, key->mv_data, sizeof(seq));
    struct assay_slice bytes = assay_slice_of(value->mv_data, value->mv_size);
    enum verdict verdict = tree->which < ASSAY_LIFETIME_CLASSES
                               ? judge_token(tree->w, (uint8_t)tree->which, seq, bytes)
                               : judge_event(tree->w, seq, bytes);
    int rc = 0;
    switch (verdict) {
    case KEEP_ALL:
        *ret_end = true;
        return 0;
    case STEP_OVER:
        return step_over(tree, seq, key, value);
    case REMOVE:
        rc = remove_here(tree, seq);
        return rc == 0 ? mdb_cursor_get(tree->cursor, key, value, MDB_NEXT) : rc;
    }
    return rc;
}

/* Removes from the left edge of a tree. */
static enum assay_status sweep_tree(struct lmdb_write *w, MDB_dbi db, unsigned which,
                                    struct assay_change_sweep *sweep, struct assay_error *reterr)
{
    struct swept_tree tree = {.w = w, .sweep = sweep, .which = which};
    MDB_val key;
    MDB_val value;
    bool end = false;
    int rc = mdb_cursor_open(w->txn, db, &tree.cursor);
    if (rc != 0) {
        return lmdb_fail(rc, "the store cannot be swept", reterr);
    }
    rc = mdb_cursor_get(tree.cursor, &key, &value, MDB_FIRST);
    while (rc == 0 && !end) {
        if (sweep->removed >= SWEEP_BATCH || tree.steps >= SWEEP_BATCH) {
            sweep->more = true;
            break;
        }
        tree.steps++;
        rc = sweep_here(&tree, &key, &value, &end);
    }
    mdb_cursor_close(tree.cursor);
    return rc == 0 || rc == MDB_NOTFOUND ? ASSAY_OK
                                         : lmdb_fail(rc, "the store cannot be swept", reterr);
}

static enum assay_status end_cutoff(struct lmdb_write *w, struct assay_slice key,
                                    struct assay_error *reterr)
{
    struct assay_slice bytes;
    struct assay_cutoff cutoff;
    enum assay_status status =
        lmdb_get(w->txn, w->store->dbis.db[LMDB_DB_CUTOFF], key, &bytes, reterr);
    if (status != ASSAY_OK) {
        return status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
    }
    if (assay_cutoff_parse(key, bytes, &cutoff, NULL) != ASSAY_OK ||
        cutoff.keep_until_s > w->header.horizon_s) {
        return ASSAY_OK; /* kept: unreadable, or renewed since, with an entry of its own */
    }
    status = lmdb_delete(w, LMDB_DB_CUTOFF, key, reterr);
    return status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
}

static enum assay_status remove_grant(struct lmdb_write *w, const struct assay_grant_record *grant,
                                      struct assay_error *reterr)
{
    uint8_t key[1 + ASSAY_MAX_SUBJECT + 8];
    uint64_t number = grant->grant;
    key[0] = (uint8_t)grant->subject.len;
    memcpy(key + 1, grant->subject.data, grant->subject.len);
    assay_cutoff_number_id(number, key + 1 + grant->subject.len);
    enum assay_status status =
        lmdb_delete(w, LMDB_DB_GRANT_SUBJECT, assay_slice_of(key, 9 + grant->subject.len), reterr);
    if (status != ASSAY_OK && status != ASSAY_ERR_ABSENT) {
        return status;
    }
    status = lmdb_delete(w, LMDB_DB_GRANT, assay_slice_of(&number, sizeof(number)), reterr);
    return status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
}

static enum assay_status end_grant(struct lmdb_write *w, struct assay_slice detail,
                                   struct assay_error *reterr)
{
    struct assay_slice bytes;
    struct assay_grant_record grant;
    uint64_t number = number_of(detail.data);
    enum assay_status status =
        lmdb_get_number(w->txn, w->store->dbis.db[LMDB_DB_GRANT], number, &bytes, reterr);
    if (status != ASSAY_OK) {
        return status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
    }
    if (assay_grant_record_parse(number, bytes, &grant, NULL) != ASSAY_OK) {
        return ASSAY_OK;
    }
    int64_t until_s = grant.expires_at_s + ASSAY_CUTOFF_SLACK_S;
    return until_s > w->header.horizon_s ? lmdb_put_end(w, until_s, ASSAY_END_GRANT, detail, reterr)
                                         : remove_grant(w, &grant, reterr);
}

static enum assay_status end_salt(struct lmdb_write *w, struct assay_slice detail,
                                  struct assay_error *reterr)
{
    struct assay_token_record record;
    struct assay_slice bytes;
    uint8_t room[ASSAY_MAX_TOKEN_RECORD];
    struct assay_token_id id = {.lifetime_class = detail.data[0],
                                .seq = number_of(detail.data + 1)};
    if (id.lifetime_class >= ASSAY_LIFETIME_CLASSES) {
        return ASSAY_OK;
    }
    enum assay_status status =
        lmdb_get_number(w->txn, w->store->dbis.tokens[id.lifetime_class], id.seq, &bytes, reterr);
    if (status != ASSAY_OK || bytes.len > sizeof(room)) {
        return status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
    }
    memcpy(room, bytes.data, bytes.len);
    if (assay_token_record_parse(id, assay_slice_of(room, bytes.len), &record, NULL) != ASSAY_OK ||
        !record.rotation.salted) {
        return ASSAY_OK;
    }
    record.rotation.salted = false;
    return lmdb_put_token(w, &record, 0, reterr);
}

static enum assay_status end_once(struct lmdb_write *w, struct assay_slice id,
                                  struct assay_error *reterr)
{
    struct assay_slice bytes;
    struct assay_once_record record;
    enum assay_status status =
        lmdb_get(w->txn, w->store->dbis.db[LMDB_DB_ONCE], id, &bytes, reterr);
    if (status != ASSAY_OK) {
        return status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
    }
    if (assay_once_record_parse(id, bytes, &record, NULL) != ASSAY_OK ||
        record.keep_until_s > w->header.horizon_s) {
        return ASSAY_OK; /* kept: what cannot be read may be needed */
    }
    status = lmdb_delete(w, LMDB_DB_ONCE, id, reterr);
    return status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
}

static enum assay_status end_one(struct lmdb_write *w, const struct assay_end_record *end,
                                 struct assay_error *reterr)
{
    struct assay_slice detail = end->detail;
    switch (end->kind) {
    case ASSAY_END_CUTOFF:
        return end_cutoff(w, detail, reterr);
    case ASSAY_END_GRANT:
        return detail.len == 8 ? end_grant(w, detail, reterr) : ASSAY_OK;
    case ASSAY_END_ONCE:
        return end_once(w, detail, reterr);
    case ASSAY_END_SALT:
        return detail.len == 9 ? end_salt(w, detail, reterr) : ASSAY_OK;
    }
    return ASSAY_OK;
}

/* The first entry of `ends` of a kind that is due, copied, since what it asks for is written over
 * the pages it lies on. An entry that fails its check is taken for due: what it spoke of stays. */
struct due {
    uint8_t key[LMDB_MAX_KEY];
    size_t key_len;
    uint8_t value[ASSAY_END_VALUE_SIZE];
    struct assay_end_record record;
    bool found;
    bool readable;
};

static enum assay_status first_due(struct lmdb_write *w, enum assay_end_kind kind, int64_t until_s,
                                   struct due *ret, struct assay_error *reterr)
{
    MDB_cursor *cursor;
    uint8_t start = (uint8_t)kind;
    MDB_val key = lmdb_val(assay_slice_of(&start, 1));
    MDB_val value;
    ret->found = false;
    int rc = mdb_cursor_open(w->txn, w->store->dbis.db[LMDB_DB_ENDS], &cursor);
    if (rc == 0) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
        mdb_cursor_close(cursor);
    }
    if (rc != 0) {
        return rc == MDB_NOTFOUND ? ASSAY_OK : lmdb_fail(rc, "the store cannot be swept", reterr);
    }
    const uint8_t *name = key.mv_data;
    bool damaged = key.mv_size != ASSAY_END_KEY_LEN;
    if (name[0] != kind || (!damaged && number_of(name + 1) > (uint64_t)until_s)) {
        return ASSAY_OK;
    }
    ret->found = true;
    ret->key_len = key.mv_size < sizeof(ret->key) ? key.mv_size : sizeof(ret->key);
    memcpy(ret->key, key.mv_data, ret->key_len);
    size_t len = value.mv_size < sizeof(ret->value) ? value.mv_size : sizeof(ret->value);
    memcpy(ret->value, value.mv_data, len);
    ret->readable =
        assay_end_record_parse(assay_slice_of(ret->key, ret->key_len),
                               assay_slice_of(ret->value, len), &ret->record, NULL) == ASSAY_OK;
    return ASSAY_OK;
}

static enum assay_status sweep_ends(struct lmdb_write *w, enum assay_end_kind kind, int64_t until_s,
                                    struct assay_change_sweep *sweep, struct assay_error *reterr)
{
    struct due due;
    enum assay_status status = first_due(w, kind, until_s, &due, reterr);
    while (status == ASSAY_OK && due.found) {
        if (sweep->removed >= SWEEP_BATCH) {
            sweep->more = true;
            return ASSAY_OK;
        }
        status = lmdb_delete(w, LMDB_DB_ENDS, assay_slice_of(due.key, due.key_len), reterr);
        if (status == ASSAY_OK && due.readable) {
            status = end_one(w, &due.record, reterr);
        } else if (status == ASSAY_OK) {
            lmdb_note_corrupt(w->store, "the sweep met an entry of ends that fails its check");
        }
        if (status == ASSAY_OK) {
            sweep->removed++;
            status = first_due(w, kind, until_s, &due, reterr);
        }
    }
    return status;
}

/* Cutoffs and grants go by the horizon, as the tokens do that they are kept for. A salt goes by the
 * clock, as its window does. What was used once is compared with the clock and must outlast both.
 */
static enum assay_status sweep_all_ends(struct lmdb_write *w, const struct assay_change *change,
                                        struct assay_change_sweep *sweep,
                                        struct assay_error *reterr)
{
    int64_t horizon_s = w->header.horizon_s;
    int64_t now_s = change->now_s < 0 ? 0 : change->now_s;
    const struct {
        enum assay_end_kind kind;
        int64_t until_s;
    } order[] = {
        {ASSAY_END_SALT, now_s},
        {ASSAY_END_CUTOFF, horizon_s},
        {ASSAY_END_GRANT, horizon_s},
        {ASSAY_END_ONCE, horizon_s < now_s ? horizon_s : now_s},
    };
    enum assay_status status = ASSAY_OK;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && status == ASSAY_OK; i++) {
        status = sweep_ends(w, order[i].kind, order[i].until_s, sweep, reterr);
    }
    return status;
}

/* What was stepped over is looked at again now and then: some of it has expired meanwhile. */
static void forget_steps(struct lmdb_store *store)
{
    int64_t now_ms = lmdb_now_ms();
    if (now_ms - store->stepped_ms >= FORGET_STEPS_MS) {
        memset(store->step_over, 0, sizeof(store->step_over));
        store->stepped_ms = now_ms;
    }
}

enum assay_status lmdb_sweep_run(struct lmdb_write *w, struct assay_change *change,
                                 struct assay_error *reterr)
{
    struct assay_change_sweep *sweep = &change->u.sweep;
    sweep->removed = 0;
    sweep->more = false;
    move_horizon(w, change);
    forget_steps(w->store);
    /* Salts come first: a backlog of tokens must not keep them. */
    enum assay_status status = sweep_all_ends(w, change, sweep, reterr);
    for (unsigned i = 0; i < ASSAY_LIFETIME_CLASSES && status == ASSAY_OK; i++) {
        status = sweep_tree(w, w->store->dbis.tokens[i], i, sweep, reterr);
    }
    if (status == ASSAY_OK) {
        status =
            sweep_tree(w, w->store->dbis.db[LMDB_DB_EVENT], ASSAY_LIFETIME_CLASSES, sweep, reterr);
    }
    if (status == ASSAY_OK && !w->dirty) {
        change->outcome = ASSAY_DONE_NOTHING;
    }
    return status;
}
