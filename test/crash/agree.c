#include "crash/agree.h"

#include "record/event.h"
#include "record/grant_record.h"

#include <openssl/evp.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENDS 131072

struct end {
    uint64_t hash; /* 0: free */
    int64_t until_s;
};

struct walk {
    struct lmdb_store *store;
    MDB_txn *txn;
    struct agreement *out;
    uint64_t newest_cutoff[ASSAY_CUTOFF_KINDS];
    uint8_t newest_generation;
    uint64_t keys;
    struct end *ends;
};

static bool wrong(struct walk *w, const char *what, uint64_t number)
{
    snprintf(w->out->why, sizeof(w->out->why), "%s (%llu)", what, (unsigned long long)number);
    return false;
}

static void digest(struct walk *w, const MDB_val *bytes)
{
    const uint8_t *at = bytes->mv_data;
    uint64_t hash = w->out->digest;
    for (size_t i = 0; i < bytes->mv_size; i++) {
        hash = (hash ^ at[i]) * UINT64_C(0x100000001B3);
    }
    w->out->digest = (hash ^ bytes->mv_size) * UINT64_C(0x100000001B3);
}

static uint64_t big_endian(const uint8_t *bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < 8; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

static bool get(struct walk *w, enum lmdb_db db, struct assay_slice key, struct assay_slice *ret)
{
    return lmdb_get(w->txn, w->store->dbis.db[db], key, ret, NULL) == ASSAY_OK;
}

/* What `ends` asks to look at, by a hash of it: until when, the latest if there are several. */
static struct end *end_slot(struct walk *w, uint8_t what, struct assay_slice detail)
{
    uint64_t hash = (UINT64_C(0xCBF29CE484222325) ^ what) * UINT64_C(0x100000001B3);
    for (size_t i = 0; i < detail.len; i++) {
        hash = (hash ^ detail.data[i]) * UINT64_C(0x100000001B3);
    }
    struct end *slot = &w->ends[hash % ENDS];
    while (slot->hash != 0 && slot->hash != hash) {
        slot = slot == &w->ends[ENDS - 1] ? w->ends : slot + 1;
    }
    slot->hash = hash;
    return slot;
}

static bool has_end(struct walk *w, enum assay_end_kind what, struct assay_slice detail,
                    int64_t *ret_until_s)
{
    const struct end *slot = end_slot(w, (uint8_t)what, detail);
    *ret_until_s = slot->until_s;
    return slot->until_s != 0;
}

static bool check_client_of(struct walk *w, struct assay_slice client_id, uint64_t seq)
{
    struct assay_slice bytes;
    struct assay_cutoff cutoff;
    if (get(w, LMDB_DB_CLIENT, client_id, &bytes)) {
        return true;
    }
    if (lmdb_get_cutoff(w->store, w->txn, ASSAY_CUTOFF_CLIENT, client_id, &cutoff, NULL) !=
            ASSAY_OK ||
        cutoff.seq < seq) {
        return wrong(w, "a token's client is gone and not cut off", seq);
    }
    return true;
}

static bool check_rotation(struct walk *w, const struct assay_token_record *token)
{
    struct assay_token_record successor;
    uint8_t place[9] = {token->id.lifetime_class};
    int64_t until_s;
    const struct assay_rotation *rotation = &token->rotation;
    if (rotation->rotated_at_s == 0) {
        return true;
    }
    assay_cutoff_number_id(token->id.seq, place + 1);
    if (rotation->salted && !has_end(w, ASSAY_END_SALT, assay_slice_of(place, 9), &until_s)) {
        return wrong(w, "a salt that nothing will wipe", token->id.seq);
    }
    enum assay_status status =
        lmdb_get_token(w->store, w->txn, rotation->successor, &successor, NULL);
    if (status == ASSAY_ERR_ABSENT) {
        return true; /* expired before its parent, whose lifetime may have been longer */
    }
    return (status == ASSAY_OK && successor.grant == token->grant &&
            successor.kind == ASSAY_TOKEN_REFRESH) ||
           wrong(w, "a rotated token's successor is not its own", token->id.seq);
}

static bool check_token(struct walk *w, uint8_t class, const MDB_val *key, const MDB_val *value,
                        bool first)
{
    struct assay_token_record token;
    struct assay_token_id id = {.lifetime_class = class};
    struct assay_slice bytes;
    const struct assay_header_record *header = &w->out->header;
    memcpy(&id.seq, key->mv_data, sizeof(id.seq));
    if (assay_token_record_parse(id, assay_slice_of(value->mv_data, value->mv_size), &token,
                                 NULL) != ASSAY_OK) {
        return wrong(w, "a token fails its check", id.seq);
    }
    int64_t lifetime_s = token.expires_at_s - token.issued_at_s;
    if (id.seq > header->seq) {
        return wrong(w, "a token's number is beyond the last", id.seq);
    }
    if (assay_lifetime_class(lifetime_s) != class || lifetime_s > header->longest_lifetime_s ||
        token.expires_at_s > header->latest_expiry_s) {
        return wrong(w, "a token lies in the wrong tree, or beyond what the header says", id.seq);
    }
    if (first && token.expires_at_s <= header->horizon_s) {
        return wrong(w, "the edge of a tree is behind the horizon", id.seq);
    }
    if (token.grant != 0 && token.expires_at_s > header->horizon_s &&
        !get(w, LMDB_DB_GRANT, assay_slice_of(&token.grant, 8), &bytes)) {
        return wrong(w, "a token's grant is missing", id.seq);
    }
    w->out->tokens++;
    return check_rotation(w, &token) && check_client_of(w, token.client_id, id.seq);
}

static bool check_cutoff(struct walk *w, const MDB_val *key, const MDB_val *value)
{
    struct assay_cutoff cutoff;
    struct assay_slice name = assay_slice_of(key->mv_data, key->mv_size);
    struct assay_slice bytes;
    int64_t until_s;
    const struct assay_header_record *header = &w->out->header;
    if (assay_cutoff_parse(name, assay_slice_of(value->mv_data, value->mv_size), &cutoff, NULL) !=
        ASSAY_OK) {
        return wrong(w, "a cutoff fails its check", w->out->cutoffs);
    }
    if (cutoff.seq > header->seq || cutoff.seq > header->newest_cutoff[cutoff.kind]) {
        return wrong(w, "a cutoff's number is beyond what the header says", cutoff.seq);
    }
    if (cutoff.seq > header->events_from &&
        !get(w, LMDB_DB_EVENT, assay_slice_of(&cutoff.seq, 8), &bytes)) {
        return wrong(w, "a cutoff has no event", cutoff.seq);
    }
    if (!has_end(w, ASSAY_END_CUTOFF, name, &until_s) || until_s != cutoff.keep_until_s) {
        return wrong(w, "a cutoff that nothing will end", cutoff.seq);
    }
    if (cutoff.seq > w->newest_cutoff[cutoff.kind]) {
        w->newest_cutoff[cutoff.kind] = cutoff.seq;
    }
    w->out->cutoffs++;
    return true;
}

static bool check_event(struct walk *w, const MDB_val *key, const MDB_val *value)
{
    struct assay_event event;
    struct assay_cutoff cutoff;
    uint64_t seq;
    memcpy(&seq, key->mv_data, sizeof(seq));
    if (seq > w->out->header.seq ||
        assay_event_parse(seq, assay_slice_of(value->mv_data, value->mv_size), &event, NULL) !=
            ASSAY_OK) {
        return wrong(w, "an event fails its check", seq);
    }
    w->out->events++;
    enum assay_status status =
        lmdb_get_cutoff(w->store, w->txn, event.kind, event.id, &cutoff, NULL);
    if (status == ASSAY_ERR_ABSENT && event.made_at_s < w->out->header.horizon_s) {
        return true; /* swept, since all it concerned has expired */
    }
    return (status == ASSAY_OK && cutoff.seq >= seq) || wrong(w, "an event has no cutoff", seq);
}

static bool check_grant(struct walk *w, const MDB_val *key, const MDB_val *value)
{
    struct assay_grant_record grant;
    struct assay_token_record token;
    struct assay_slice bytes;
    uint8_t index[1 + ASSAY_MAX_SUBJECT + 8];
    uint8_t detail[8];
    uint64_t number;
    int64_t until_s;
    memcpy(&number, key->mv_data, sizeof(number));
    if (number > w->out->header.seq ||
        assay_grant_record_parse(number, assay_slice_of(value->mv_data, value->mv_size), &grant,
                                 NULL) != ASSAY_OK) {
        return wrong(w, "a grant fails its check", number);
    }
    index[0] = (uint8_t)grant.subject.len;
    memcpy(index + 1, grant.subject.data, grant.subject.len);
    assay_cutoff_number_id(number, index + 1 + grant.subject.len);
    if (!get(w, LMDB_DB_GRANT_SUBJECT, assay_slice_of(index, 9 + grant.subject.len), &bytes)) {
        return wrong(w, "a grant is missing in the index", number);
    }
    if (!has_end(w, ASSAY_END_GRANT, assay_cutoff_number_id(number, detail), &until_s) ||
        until_s > grant.expires_at_s + ASSAY_CUTOFF_SLACK_S) {
        return wrong(w, "a grant that nothing will end", number);
    }
    w->out->grants++;
    enum assay_status status = lmdb_get_token(w->store, w->txn, grant.current, &token, NULL);
    if (status == ASSAY_ERR_ABSENT && grant.expires_at_s <= w->out->header.horizon_s) {
        return true;
    }
    return (status == ASSAY_OK && token.grant == number && token.rotation.rotated_at_s == 0) ||
           wrong(w, "a grant's current token is not", number);
}

static bool check_index(struct walk *w, const MDB_val *key)
{
    struct assay_slice bytes;
    if (key->mv_size < 9) {
        return wrong(w, "an index entry is cut short", key->mv_size);
    }
    uint64_t number = big_endian((const uint8_t *)key->mv_data + key->mv_size - 8);
    return get(w, LMDB_DB_GRANT, assay_slice_of(&number, 8), &bytes) ||
           wrong(w, "the index names a grant that is not there", number);
}

static bool check_end(struct walk *w, const MDB_val *key, const MDB_val *value)
{
    struct assay_end_record end;
    struct assay_slice bytes;
    if (assay_end_record_parse(assay_slice_of(key->mv_data, key->mv_size),
                               assay_slice_of(value->mv_data, value->mv_size), &end,
                               NULL) != ASSAY_OK ||
        end.seq > w->out->header.seq) {
        return wrong(w, "an entry of ends fails its check", key->mv_size);
    }
    bool there = true;
    uint64_t number = 0;
    switch (end.kind) {
    case ASSAY_END_CUTOFF:
        there = get(w, LMDB_DB_CUTOFF, end.detail, &bytes);
        break;
    case ASSAY_END_ONCE:
        there = get(w, LMDB_DB_ONCE, end.detail, &bytes);
        break;
    case ASSAY_END_GRANT:
        number = end.detail.len == 8 ? big_endian(end.detail.data) : 0;
        there = get(w, LMDB_DB_GRANT, assay_slice_of(&number, 8), &bytes);
        break;
    case ASSAY_END_SALT: /* of a token that may have expired meanwhile */
        break;
    }
    return there || wrong(w, "an end of something that is not there", end.kind);
}

static bool check_once(struct walk *w, const MDB_val *key, const MDB_val *value)
{
    struct assay_once_record once;
    struct assay_slice name = assay_slice_of(key->mv_data, key->mv_size);
    int64_t until_s;
    if (assay_once_record_parse(name, assay_slice_of(value->mv_data, value->mv_size), &once,
                                NULL) != ASSAY_OK) {
        return wrong(w, "a one-time id fails its check", 0);
    }
    return (has_end(w, ASSAY_END_ONCE, name, &until_s) && until_s == once.keep_until_s) ||
           wrong(w, "a one-time id that nothing will end", 0);
}

static struct assay_slice index_key(struct assay_slice audience, struct assay_slice client_id,
                                    uint8_t room[LMDB_MAX_KEY])
{
    uint8_t sha256[ASSAY_SHA256_LEN];
    if (EVP_Q_digest(NULL, "SHA2-256", NULL, audience.data, audience.len, sha256, NULL) != 1) {
        abort();
    }
    memcpy(room, sha256, LMDB_AUDIENCE_PREFIX);
    memcpy(room + LMDB_AUDIENCE_PREFIX, client_id.data, client_id.len);
    return assay_slice_of(room, LMDB_AUDIENCE_PREFIX + client_id.len);
}

/* Every audience of a resource server is in the index. */
static bool check_client(struct walk *w, struct assay_slice name, struct assay_slice bytes)
{
    struct assay_client_record client;
    struct assay_slice found;
    uint8_t room[LMDB_MAX_KEY];
    if (assay_client_record_parse(name, bytes, &client, NULL) != ASSAY_OK ||
        client.version > w->out->header.clients_seq) {
        return wrong(w, "a client fails its check", 0);
    }
    struct assay_slice rest = client.audience;
    while (client.resource_server && rest.len > 0) {
        struct assay_slice key = index_key(assay_slice_cut(&rest, ' '), name, room);
        if (!get(w, LMDB_DB_AUDIENCE, key, &found)) {
            return wrong(w, "a resource server is missing in the index", client.version);
        }
    }
    return true;
}

/* And the index names no other. */
static bool check_audience(struct walk *w, struct assay_slice key)
{
    struct assay_client_record client;
    struct assay_slice bytes;
    uint8_t room[LMDB_MAX_KEY];
    struct assay_slice id = assay_slice_from(key, LMDB_AUDIENCE_PREFIX);
    if (key.len <= LMDB_AUDIENCE_PREFIX || !get(w, LMDB_DB_CLIENT, id, &bytes) ||
        assay_client_record_parse(id, bytes, &client, NULL) != ASSAY_OK) {
        return wrong(w, "the index names a client that is not there", key.len);
    }
    struct assay_slice rest = client.audience;
    while (client.resource_server && rest.len > 0) {
        if (assay_slice_equal(index_key(assay_slice_cut(&rest, ' '), id, room), key)) {
            return true;
        }
    }
    return wrong(w, "the index names a client that is not of this audience", client.version);
}

static bool check_row(struct walk *w, size_t db, const MDB_val *key, const MDB_val *value,
                      bool first)
{
    struct assay_key_record seal;
    struct assay_slice name = assay_slice_of(key->mv_data, key->mv_size);
    struct assay_slice bytes = assay_slice_of(value->mv_data, value->mv_size);
    digest(w, key);
    digest(w, value);
    if (db >= LMDB_DBS) {
        return check_token(w, (uint8_t)(db - LMDB_DBS), key, value, first);
    }
    switch ((enum lmdb_db)db) {
    case LMDB_DB_CUTOFF:
        return check_cutoff(w, key, value);
    case LMDB_DB_CLIENT:
        return check_client(w, name, bytes);
    case LMDB_DB_AUDIENCE:
        return check_audience(w, name);
    case LMDB_DB_KEY:
        w->keys++;
        w->newest_generation = name.len == 1 ? name.data[0] : 0;
        return assay_key_record_parse(w->newest_generation, bytes, &seal, NULL) == ASSAY_OK ||
               wrong(w, "a sealing key fails its check", w->newest_generation);
    case LMDB_DB_GRANT:
        return check_grant(w, key, value);
    case LMDB_DB_GRANT_SUBJECT:
        return check_index(w, key);
    case LMDB_DB_EVENT:
        return check_event(w, key, value);
    case LMDB_DB_ONCE:
        return check_once(w, key, value);
    case LMDB_DB_ENDS:
        return check_end(w, key, value);
    }
    return true;
}

static bool check_db(struct walk *w, size_t db)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    MDB_stat stat;
    MDB_dbi dbi = db < LMDB_DBS ? w->store->dbis.db[db] : w->store->dbis.tokens[db - LMDB_DBS];
    uint64_t rows = 0;
    bool good = true;
    if (mdb_cursor_open(w->txn, dbi, &cursor) != 0) {
        return wrong(w, "a database cannot be read", db);
    }
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    while (rc == 0 && good) {
        good = check_row(w, db, &key, &value, rows == 0);
        rows++;
        rc = good ? mdb_cursor_get(cursor, &key, &value, MDB_NEXT) : rc;
    }
    mdb_cursor_close(cursor);
    if (good &&
        (rc != MDB_NOTFOUND || mdb_stat(w->txn, dbi, &stat) != 0 || stat.ms_entries != rows)) {
        return wrong(w, "a database has not the entries it should", db);
    }
    return good;
}

/* Reads the whole of `ends` first, so that nothing has to search it. */
static bool read_ends(struct walk *w)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    size_t count = 0;
    if (mdb_cursor_open(w->txn, w->store->dbis.db[LMDB_DB_ENDS], &cursor) != 0) {
        return wrong(w, "ends cannot be read", 0);
    }
    while (count < ENDS / 2 && mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        struct assay_end_record end;
        if (assay_end_record_parse(assay_slice_of(key.mv_data, key.mv_size),
                                   assay_slice_of(value.mv_data, value.mv_size), &end,
                                   NULL) != ASSAY_OK) {
            break; /* met again, and told, by check_end */
        }
        struct end *slot = end_slot(w, (uint8_t)end.kind, end.detail);
        slot->until_s = end.until_s > slot->until_s ? end.until_s : slot->until_s;
        count++;
    }
    mdb_cursor_close(cursor);
    return count < ENDS / 2 || wrong(w, "more ends than this can hold", count);
}

static bool check_header(struct walk *w)
{
    const struct assay_header_record *header = &w->out->header;
    for (size_t i = 0; i < ASSAY_CUTOFF_KINDS; i++) {
        /* A swept one is the newest still. */
        if (w->newest_cutoff[i] > header->newest_cutoff[i] ||
            header->newest_cutoff[i] > header->seq) {
            return wrong(w, "the header's newest cutoff is not", i);
        }
    }
    if (header->newest_generation != w->newest_generation || w->keys > ASSAY_MAX_SEAL_KEYS ||
        w->keys == 0 || header->keys_seq > header->seq || header->clients_seq > header->seq) {
        return wrong(w, "the header and the sealing keys do not agree", w->newest_generation);
    }
    return true;
}

bool agree(struct lmdb_store *store, struct agreement *ret)
{
    struct walk w = {.store = store, .out = ret};
    struct assay_error error = {0};
    uint8_t header[ASSAY_HEADER_LEN];
    *ret = (struct agreement){.digest = UINT64_C(0xCBF29CE484222325)};
    if (mdb_txn_begin(store->env, NULL, MDB_RDONLY, &w.txn) != 0) {
        return wrong(&w, "no transaction", 0);
    }
    bool good = lmdb_read_header(store, w.txn, &ret->header, &error) == ASSAY_OK ||
                wrong(&w, "no header", 0);
    w.ends = calloc(ENDS, sizeof(*w.ends));
    good = good && w.ends != NULL && read_ends(&w);
    for (size_t db = 0; db < LMDB_DBS + ASSAY_LIFETIME_CLASSES && good; db++) {
        good = check_db(&w, db);
    }
    good = good && check_header(&w);
    mdb_txn_abort(w.txn);
    free(w.ends);
    assay_header_write(&ret->header, header);
    digest(&w, &(MDB_val){.mv_size = sizeof(header), .mv_data = header});
    return good;
}

bool agree_at(const char *path, struct agreement *ret)
{
    char room[512];
    struct assay_error error = {0};
    struct lmdb_store store = {.map_size = (uint64_t)8 << 30, .path = room};
    snprintf(room, sizeof(room), "%s", path);
    store.dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *ret = (struct agreement){.why = "cannot be opened"};
    if (store.dir_fd < 0) {
        return false;
    }
    bool good = lmdb_env_open(&store, 0, &error) == ASSAY_OK && agree(&store, ret);
    lmdb_env_close(&store);
    close(store.dir_fd);
    return good;
}
