#include "store/lmdb/lmdb_priv.h"

#include <string.h>

#define SWEEP_BATCH                                                                                \
    512 /* entries of one transaction: well below ten milliseconds of the write lock */
#define SKIP_AT_MOST                                                                               \
    16 /* unreadable records at the left edge of a tree that a sweep steps over                    \
        */

static uint64_t number_of(const uint8_t *bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < 8; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

/* The horizon follows the clock and never goes back; after a step of the clock it stands still for
 * an hour, since a clock that jumped ahead by mistake would otherwise end living tokens for good.
 */
static void move_horizon(struct lmdb_write *w, int64_t now_s)
{
    struct assay_header_record *header = &w->header;
    if (header->clock_s != 0 && now_s < header->clock_s - ASSAY_CLOCK_STEP_S) {
        atomic_store(&w->store->trouble.clock_stepped, true);
        header->hold_until_s = now_s + ASSAY_CLOCK_HOLD_S;
    }
    if (atomic_load(&w->store->trouble.clock_stepped) && header->hold_until_s == 0) {
        header->hold_until_s = now_s + ASSAY_CLOCK_HOLD_S;
    }
    header->clock_s = now_s;
    if (header->hold_until_s != 0) {
        if (now_s < header->hold_until_s && header->hold_until_s - now_s <= ASSAY_CLOCK_HOLD_S) {
            return;
        }
        header->hold_until_s = 0;
        atomic_store(&w->store->trouble.clock_stepped, false);
    }
    if (now_s > header->horizon_s) {
        header->horizon_s = now_s;
    }
}

/* What a cursor stands on is to go. */
enum verdict { KEEP_ALL, SKIP, REMOVE };

static enum verdict judge_token(struct lmdb_write *w, uint8_t lifetime_class, const MDB_val *key,
                                const MDB_val *value)
{
    struct assay_token_record record;
    struct assay_token_id id = {.lifetime_class = lifetime_class};
    memcpy(&id.seq, key->mv_data, sizeof(id.seq));
    struct assay_slice bytes = assay_slice_of(value->mv_data, value->mv_size);
    if (assay_token_record_parse(id, bytes, &record, NULL) != ASSAY_OK) {
        if (!atomic_exchange(&w->store->trouble.corrupt, true)) {
            lmdb_log(w->store, ASSAY_LOG_ERROR, "store_corrupt",
                     "the sweep met a token record that fails its check");
        }
        return SKIP;
    }
    return record.expires_at_s <= w->header.horizon_s ? REMOVE : KEEP_ALL;
}

static enum verdict judge_event(const struct lmdb_write *w, const MDB_val *key,
                                const MDB_val *value)
{
    struct assay_event event;
    uint64_t seq;
    memcpy(&seq, key->mv_data, sizeof(seq));
    struct assay_slice bytes = assay_slice_of(value->mv_data, value->mv_size);
    if (assay_event_parse(seq, bytes, &event, NULL) != ASSAY_OK) {
        return SKIP;
    }
    return event.made_at_s + ASSAY_EVENT_KEEP_S <= w->header.horizon_s ? REMOVE : KEEP_ALL;
}

/* Removes from the left edge of a tree in order of number; a class below LIFETIME_CLASSES is a
 * token tree, any other the event log. */
static enum assay_status sweep_tree(struct lmdb_write *w, MDB_dbi db, unsigned lifetime_class,
                                    struct assay_change_sweep *sweep, struct assay_error *reterr)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    size_t skipped = 0;
    int rc = mdb_cursor_open(w->txn, db, &cursor);
    if (rc != 0) {
        return lmdb_fail(rc, "the store cannot be swept", reterr);
    }
    rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (rc == 0 && skipped < SKIP_AT_MOST) {
        enum verdict verdict = lifetime_class < ASSAY_LIFETIME_CLASSES
                                   ? judge_token(w, (uint8_t)lifetime_class, &key, &value)
                                   : judge_event(w, &key, &value);
        if (verdict == KEEP_ALL) {
            break;
        }
        if (sweep->removed >= SWEEP_BATCH) {
            sweep->more = true;
            break;
        }
        if (verdict == REMOVE) {
            rc = mdb_cursor_del(cursor, 0);
            w->dirty = true;
            sweep->removed++;
        } else {
            skipped++;
        }
        if (rc == 0) {
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        }
    }
    mdb_cursor_close(cursor);
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
    if (assay_cutoff_parse(key, bytes, &cutoff, reterr) != ASSAY_OK ||
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
    if (assay_grant_record_parse(number, bytes, &grant, reterr) != ASSAY_OK) {
        return ASSAY_OK;
    }
    int64_t until_s = grant.expires_at_s + ASSAY_CUTOFF_SLACK_S;
    return until_s > w->header.horizon_s ? lmdb_put_end(w, until_s, LMDB_END_GRANT, detail, reterr)
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
    if (assay_token_record_parse(id, assay_slice_of(room, bytes.len), &record, reterr) !=
            ASSAY_OK ||
        !record.rotation.salted) {
        return ASSAY_OK;
    }
    record.rotation.salted = false;
    return lmdb_put_token(w, &record, 0, reterr);
}

static enum assay_status end_one(struct lmdb_write *w, struct assay_slice value,
                                 struct assay_error *reterr)
{
    struct assay_slice detail = assay_slice_from(value, 1);
    switch (value.data[0]) {
    case LMDB_END_CUTOFF:
        return end_cutoff(w, detail, reterr);
    case LMDB_END_GRANT:
        return detail.len == 8 ? end_grant(w, detail, reterr) : ASSAY_OK;
    case LMDB_END_SALT:
        return detail.len == 9 ? end_salt(w, detail, reterr) : ASSAY_OK;
    case LMDB_END_ONCE: {
        enum assay_status status = lmdb_delete(w, LMDB_DB_ONCE, detail, reterr);
        return status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
    }
    default: /* bytes of the disk, not an enum of ours */
        return ASSAY_OK;
    }
}

/* The first entry of `ends`, copied, when it is due. */
static enum assay_status first_end(struct lmdb_write *w, uint8_t key_room[LMDB_END_KEY_LEN],
                                   uint8_t *room, size_t *ret_len, struct assay_error *reterr)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    *ret_len = 0;
    int rc = mdb_cursor_open(w->txn, w->store->dbis.db[LMDB_DB_ENDS], &cursor);
    if (rc == 0) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
        mdb_cursor_close(cursor);
    }
    if (rc == MDB_NOTFOUND) {
        return ASSAY_OK;
    }
    if (rc != 0) {
        return lmdb_fail(rc, "the store cannot be swept", reterr);
    }
    if (key.mv_size != LMDB_END_KEY_LEN || value.mv_size == 0 ||
        value.mv_size > LMDB_END_VALUE_SIZE) {
        return assay_fail(ASSAY_ERR_CORRUPT, "an entry of ends breaks its format", reterr);
    }
    if ((int64_t)number_of(key.mv_data) > w->header.horizon_s) {
        return ASSAY_OK;
    }
    memcpy(key_room, key.mv_data, key.mv_size);
    memcpy(room, value.mv_data, value.mv_size);
    *ret_len = value.mv_size;
    return ASSAY_OK;
}

static enum assay_status sweep_ends(struct lmdb_write *w, struct assay_change_sweep *sweep,
                                    struct assay_error *reterr)
{
    uint8_t key[LMDB_END_KEY_LEN];
    uint8_t value[LMDB_END_VALUE_SIZE];
    size_t len = 0;
    enum assay_status status = first_end(w, key, value, &len, reterr);
    while (status == ASSAY_OK && len != 0) {
        if (sweep->removed >= SWEEP_BATCH) {
            sweep->more = true;
            return ASSAY_OK;
        }
        status = lmdb_delete(w, LMDB_DB_ENDS, assay_slice_of(key, sizeof(key)), reterr);
        if (status == ASSAY_OK) {
            status = end_one(w, assay_slice_of(value, len), reterr);
        }
        if (status == ASSAY_OK) {
            sweep->removed++;
            status = first_end(w, key, value, &len, reterr);
        }
    }
    return status;
}

enum assay_status lmdb_sweep_run(struct lmdb_write *w, struct assay_change *change,
                                 struct assay_error *reterr)
{
    struct assay_change_sweep *sweep = &change->u.sweep;
    *sweep = (struct assay_change_sweep){0};
    move_horizon(w, change->now_s);
    enum assay_status status = ASSAY_OK;
    for (unsigned i = 0; i < ASSAY_LIFETIME_CLASSES && status == ASSAY_OK; i++) {
        status = sweep_tree(w, w->store->dbis.tokens[i], i, sweep, reterr);
    }
    if (status == ASSAY_OK) {
        status =
            sweep_tree(w, w->store->dbis.db[LMDB_DB_EVENT], ASSAY_LIFETIME_CLASSES, sweep, reterr);
    }
    if (status == ASSAY_OK) {
        status = sweep_ends(w, sweep, reterr);
    }
    if (status == ASSAY_OK && !w->dirty) {
        change->outcome = ASSAY_DONE_NOTHING;
    }
    return status;
}
