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

/* What of a record is in the index. */
struct audiences {
    uint8_t prefix[ASSAY_MAX_CLIENT_AUDIENCES][LMDB_AUDIENCE_PREFIX];
    size_t count;
};

static enum assay_status audiences_of(struct lmdb_write *w,
                                      const struct assay_client_record *record,
                                      struct audiences *ret, struct assay_error *reterr)
{
    ret->count = 0;
    if (record == NULL || !record->resource_server) {
        return ASSAY_OK;
    }
    struct assay_slice rest = record->audience;
    enum assay_status status = ASSAY_OK;
    while (rest.len > 0 && status == ASSAY_OK) {
        struct assay_slice audience = assay_slice_cut(&rest, ' ');
        if (ret->count == ASSAY_MAX_CLIENT_AUDIENCES) {
            return assay_fail(ASSAY_ERR_LIMIT, "a resource server has too many audiences", reterr);
        }
        status = prefix_of(w, audience, ret->prefix[ret->count++], reterr);
    }
    return status;
}

static bool same(const struct audiences *a, const struct audiences *b)
{
    return a->count == b->count &&
           memcmp(a->prefix, b->prefix, a->count * sizeof(a->prefix[0])) == 0;
}

static struct assay_slice key_of(const uint8_t prefix[LMDB_AUDIENCE_PREFIX],
                                 struct assay_slice client_id, uint8_t room[KEY_SIZE])
{
    memcpy(room, prefix, LMDB_AUDIENCE_PREFIX);
    memcpy(room + LMDB_AUDIENCE_PREFIX, client_id.data, client_id.len);
    return assay_slice_of(room, LMDB_AUDIENCE_PREFIX + client_id.len);
}

static enum assay_status leave(struct lmdb_write *w, struct assay_slice client_id,
                               const struct audiences *audiences, struct assay_error *reterr)
{
    uint8_t room[KEY_SIZE];
    enum assay_status status = ASSAY_OK;
    for (size_t i = 0; i < audiences->count && status == ASSAY_OK; i++) {
        struct assay_slice key = key_of(audiences->prefix[i], client_id, room);
        status = lmdb_delete(w, LMDB_DB_AUDIENCE, key, reterr);
        status = status == ASSAY_ERR_ABSENT ? ASSAY_OK : status; /* named twice */
    }
    return status;
}

static enum assay_status enter(struct lmdb_write *w, struct assay_slice client_id,
                               const struct audiences *audiences, struct assay_error *reterr)
{
    uint8_t room[KEY_SIZE];
    enum assay_status status = ASSAY_OK;
    for (size_t i = 0; i < audiences->count && status == ASSAY_OK; i++) {
        struct assay_slice key = key_of(audiences->prefix[i], client_id, room);
        status = lmdb_put(w, LMDB_DB_AUDIENCE, key, (struct assay_slice){0}, reterr);
    }
    return status;
}

enum assay_status lmdb_index_audiences(struct lmdb_write *w, struct assay_slice client_id,
                                       const struct assay_client_record *before,
                                       const struct assay_client_record *after,
                                       struct assay_error *reterr)
{
    struct audiences old;
    struct audiences new;
    if (client_id.len > ASSAY_MAX_CLIENT_ID) {
        return assay_fail(ASSAY_ERR_LIMIT, "a client id is too long", reterr);
    }
    enum assay_status status = audiences_of(w, before, &old, reterr);
    if (status == ASSAY_OK) {
        status = audiences_of(w, after, &new, reterr);
    }
    if (status != ASSAY_OK || same(&old, &new)) {
        return status;
    }
    status = leave(w, client_id, &old, reterr);
    return status == ASSAY_OK ? enter(w, client_id, &new, reterr) : status;
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

enum assay_status lmdb_narrow_scope(struct lmdb_write *w, struct assay_change *change,
                                    struct assay_token_record *record, bool *ret_any,
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
    struct assay_slice remains = assay_narrowing_end(&narrowing, change->scope_room);
    if (remains.len == 0) { /* `record` stays as it was: a batch may run twice (lmdb_writer.c) */
        *ret_any = false;
        change->outcome = ASSAY_REFUSED_SCOPE;
        return ASSAY_OK;
    }
    record->scope = remains;
    return ASSAY_OK;
}
