/* Which resource servers are registered for an audience: an index, kept with their records, and
 * what is asked of it when an access token is made. */
#include "store/lmdb/lmdb_priv.h"

#include "record/narrowing.h"

#include <string.h>

#define KEY_SIZE (LMDB_AUDIENCE_PREFIX + ASSAY_MAX_CLIENT_ID)
_Static_assert(KEY_SIZE <= LMDB_MAX_KEY, "a key of the index fits");

static enum assay_status prefix_of(struct lmdb_write *w, struct assay_slice audience,
                                   uint8_t ret[LMDB_AUDIENCE_PREFIX], struct assay_error *reterr)
{
    uint8_t digest[ASSAY_SHA256_LEN];
    enum assay_status status = assay_sha256(w->store->digester, audience, digest, reterr);
    if (status == ASSAY_OK) {
        memcpy(ret, digest, LMDB_AUDIENCE_PREFIX);
    }
    return status;
}

enum assay_status lmdb_audiences_of(struct lmdb_write *w, const struct assay_client_record *record,
                                    struct lmdb_audiences *ret, struct assay_error *reterr)
{
    struct assay_slice rest = record->audience;
    enum assay_status status = ASSAY_OK;
    ret->count = 0;
    while (record->resource_server && rest.len > 0 && status == ASSAY_OK) {
        struct assay_slice audience = assay_slice_cut(&rest, ' ');
        if (ret->count == ASSAY_MAX_CLIENT_AUDIENCES) {
            return assay_fail(ASSAY_ERR_LIMIT, "a resource server has too many audiences", reterr);
        }
        status = prefix_of(w, audience, ret->prefix[ret->count++], reterr);
    }
    return status;
}

static struct assay_slice key_of(const uint8_t prefix[LMDB_AUDIENCE_PREFIX],
                                 struct assay_slice client_id, uint8_t room[KEY_SIZE])
{
    memcpy(room, prefix, LMDB_AUDIENCE_PREFIX);
    memcpy(room + LMDB_AUDIENCE_PREFIX, client_id.data, client_id.len);
    return assay_slice_of(room, LMDB_AUDIENCE_PREFIX + client_id.len);
}

enum assay_status lmdb_audiences_move(struct lmdb_write *w, struct assay_slice client_id,
                                      const struct lmdb_audiences *before,
                                      const struct lmdb_audiences *after,
                                      struct assay_error *reterr)
{
    uint8_t room[KEY_SIZE];
    enum assay_status status = ASSAY_OK;
    if (client_id.len > ASSAY_MAX_CLIENT_ID) {
        return assay_fail(ASSAY_ERR_LIMIT, "a client id is too long", reterr);
    }
    for (size_t i = 0; i < before->count && status == ASSAY_OK; i++) {
        status =
            lmdb_delete(w, LMDB_DB_AUDIENCE, key_of(before->prefix[i], client_id, room), reterr);
        status = status == ASSAY_ERR_ABSENT ? ASSAY_OK : status; /* named twice */
    }
    for (size_t i = 0; i < after->count && status == ASSAY_OK; i++) {
        status = lmdb_put(w, LMDB_DB_AUDIENCE, key_of(after->prefix[i], client_id, room),
                          (struct assay_slice){0}, reterr);
    }
    return status;
}

/* The client that a key of the index names; false when it is another audience's. */
static bool names_client(const MDB_val *key, const uint8_t prefix[LMDB_AUDIENCE_PREFIX],
                         struct assay_slice *ret)
{
    struct assay_slice bytes = assay_slice_of(key->mv_data, key->mv_size);
    *ret = assay_slice_from(bytes, LMDB_AUDIENCE_PREFIX);
    return bytes.len > LMDB_AUDIENCE_PREFIX &&
           memcmp(bytes.data, prefix, LMDB_AUDIENCE_PREFIX) == 0;
}

static enum assay_status show_servers(struct lmdb_write *w, MDB_cursor *cursor,
                                      const uint8_t prefix[LMDB_AUDIENCE_PREFIX],
                                      struct assay_narrowing *narrowing, struct assay_error *reterr)
{
    struct assay_slice client_id;
    struct assay_client_record client;
    MDB_val value;
    MDB_val key = lmdb_val(assay_slice_of(prefix, LMDB_AUDIENCE_PREFIX));
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && names_client(&key, prefix, &client_id)) {
        enum assay_status status = lmdb_get_client(w->store, w->txn, client_id, &client, reterr);
        if (status != ASSAY_OK && status != ASSAY_ERR_ABSENT) {
            return status;
        }
        if (status == ASSAY_OK && !assay_narrowing_show(narrowing, &client)) {
            return ASSAY_OK;
        }
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    return rc == 0 || rc == MDB_NOTFOUND ? ASSAY_OK
                                         : lmdb_fail(rc, "the store cannot be read", reterr);
}

static enum assay_status show_audience(struct lmdb_write *w, struct assay_slice audience,
                                       struct assay_narrowing *narrowing,
                                       struct assay_error *reterr)
{
    uint8_t prefix[LMDB_AUDIENCE_PREFIX];
    MDB_cursor *cursor;
    enum assay_status status = prefix_of(w, audience, prefix, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    int rc = mdb_cursor_open(w->txn, w->store->dbis.db[LMDB_DB_AUDIENCE], &cursor);
    if (rc != 0) {
        return lmdb_fail(rc, "the store cannot be read", reterr);
    }
    status = show_servers(w, cursor, prefix, narrowing, reterr);
    mdb_cursor_close(cursor);
    assay_narrowing_next(narrowing);
    return status;
}

enum assay_status lmdb_narrow_scope(struct lmdb_write *w, struct assay_token_record *record,
                                    uint8_t room[ASSAY_MAX_SCOPE], bool *ret_any,
                                    struct assay_error *reterr)
{
    struct assay_narrowing narrowing;
    struct assay_slice rest = record->audience;
    enum assay_status status = ASSAY_OK;
    *ret_any = true;
    if (record->scope.len == 0 || record->audience.len == 0) {
        return ASSAY_OK; /* nothing to narrow, or nobody to narrow it for */
    }
    assay_narrowing_start(&narrowing, record->scope);
    while (rest.len > 0 && !narrowing.whole && status == ASSAY_OK) {
        status = show_audience(w, assay_slice_cut(&rest, ' '), &narrowing, reterr);
    }
    if (status != ASSAY_OK) {
        return status;
    }
    struct assay_slice remains = assay_narrowing_end(&narrowing, room);
    *ret_any = remains.len != 0;
    if (*ret_any) { /* what is refused stays as it was: a batch may run twice (lmdb_writer.c) */
        record->scope = remains;
    }
    return ASSAY_OK;
}
