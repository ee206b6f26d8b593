#include "store/lmdb/lmdb_priv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESIDENT_STRETCH 256 /* pages looked at together */
#define RESIDENT_LOOKS 256   /* stretches, at most */

enum assay_status lmdb_get(MDB_txn *txn, MDB_dbi db, struct assay_slice key,
                           struct assay_slice *ret, struct assay_error *reterr)
{
    MDB_val name = lmdb_val(key);
    MDB_val value;
    int rc = mdb_get(txn, db, &name, &value);
    if (rc == MDB_NOTFOUND) {
        return assay_fail(ASSAY_ERR_ABSENT, "no such entry", reterr);
    }
    if (rc != 0) {
        return lmdb_fail(rc, "the store cannot be read", reterr);
    }
    *ret = assay_slice_of(value.mv_data, value.mv_size);
    return ASSAY_OK;
}

enum assay_status lmdb_get_number(MDB_txn *txn, MDB_dbi db, uint64_t number,
                                  struct assay_slice *ret, struct assay_error *reterr)
{
    return lmdb_get(txn, db, assay_slice_of(&number, sizeof(number)), ret, reterr);
}

enum assay_status lmdb_get_token(struct lmdb_store *store, MDB_txn *txn, struct assay_token_id id,
                                 struct assay_token_record *ret, struct assay_error *reterr)
{
    struct assay_slice bytes = {0};
    if (id.lifetime_class >= ASSAY_LIFETIME_CLASSES) {
        return assay_fail(ASSAY_ERR_ABSENT, "no such class", reterr);
    }
    enum assay_status status =
        lmdb_get_number(txn, store->dbis.tokens[id.lifetime_class], id.seq, &bytes, reterr);
    return status == ASSAY_OK ? assay_token_record_parse(id, bytes, ret, reterr) : status;
}

enum assay_status lmdb_get_client(struct lmdb_store *store, MDB_txn *txn,
                                  struct assay_slice client_id, struct assay_client_record *ret,
                                  struct assay_error *reterr)
{
    struct assay_slice bytes = {0};
    if (client_id.len == 0 || client_id.len > ASSAY_MAX_CLIENT_ID) {
        return assay_fail(ASSAY_ERR_ABSENT, "no such client", reterr);
    }
    enum assay_status status =
        lmdb_get(txn, store->dbis.db[LMDB_DB_CLIENT], client_id, &bytes, reterr);
    return status == ASSAY_OK ? assay_client_record_parse(client_id, bytes, ret, reterr) : status;
}

enum assay_status lmdb_get_cutoff(struct lmdb_store *store, MDB_txn *txn,
                                  enum assay_cutoff_kind kind, struct assay_slice id,
                                  struct assay_cutoff *ret, struct assay_error *reterr)
{
    uint8_t key[ASSAY_CUTOFF_KEY_SIZE];
    size_t len = assay_cutoff_key(kind, id, key);
    struct assay_slice bytes = {0};
    if (len == 0) {
        return assay_fail(ASSAY_ERR_ABSENT, "no such cutoff", reterr);
    }
    enum assay_status status =
        lmdb_get(txn, store->dbis.db[LMDB_DB_CUTOFF], assay_slice_of(key, len), &bytes, reterr);
    if (status == ASSAY_OK) {
        status = assay_cutoff_parse(assay_slice_of(key, len), bytes, ret, reterr);
        ret->id = id; /* the parsed one borrows from our stack */
    }
    return status;
}

enum assay_status lmdb_find_cutoff(struct lmdb_store *store, MDB_txn *txn,
                                   const struct assay_header_record *header,
                                   const struct assay_token_record *token, bool *ret_cut,
                                   struct assay_cutoff *ret, struct assay_error *reterr)
{
    struct assay_cutoff_room room;
    struct assay_cutoff_name names[ASSAY_CUTOFF_KINDS];
    size_t count = assay_cutoff_names(token, &room, names);
    *ret_cut = false;
    for (size_t i = 0; i < count; i++) {
        /* A kind whose newest cutoff is older than the token needs no look-up. */
        if (header->newest_cutoff[names[i].kind] < token->id.seq) {
            continue;
        }
        struct assay_cutoff cutoff = {.seq = 0};
        enum assay_status status =
            lmdb_get_cutoff(store, txn, names[i].kind, names[i].id, &cutoff, reterr);
        if (status == ASSAY_ERR_ABSENT) {
            continue;
        }
        if (status != ASSAY_OK) {
            return status;
        }
        if (cutoff.seq >= token->id.seq && (!*ret_cut || cutoff.seq > ret->seq)) {
            *ret_cut = true;
            *ret = cutoff;
            if (cutoff.kind == ASSAY_CUTOFF_TOKEN || cutoff.kind == ASSAY_CUTOFF_GRANT) {
                ret->id = (struct assay_slice){0}; /* known from the token; ours is on the stack */
            }
        }
    }
    return ASSAY_OK;
}

/* Pages that LMDB keeps for reuse: the lists in its own free database, each led by its length. */
uint64_t lmdb_free_pages(MDB_txn *txn)
{
    static const MDB_dbi free_db = 0;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    uint64_t pages = 0;
    if (mdb_cursor_open(txn, free_db, &cursor) != 0) {
        return 0;
    }
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        size_t count = 0;
        memcpy(&count, value.mv_data, sizeof(count));
        pages += count;
    }
    mdb_cursor_close(cursor);
    return pages;
}

/* Where a listing goes on: the first key behind `after`, or the first of all. */
static int seek(MDB_cursor *cursor, struct assay_slice after, MDB_val *key, MDB_val *value)
{
    if (after.len == 0) {
        return mdb_cursor_get(cursor, key, value, MDB_FIRST);
    }
    *key = lmdb_val(after);
    int rc = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
    if (rc == 0 && key->mv_size == after.len && memcmp(key->mv_data, after.data, after.len) == 0) {
        rc = mdb_cursor_get(cursor, key, value, MDB_NEXT);
    }
    return rc;
}

/* One listing under way. */
struct listing {
    struct lmdb_store *store;
    MDB_txn *txn;
    struct assay_header_record header;
    struct assay_query *query;
    uint8_t prefix[1 + ASSAY_MAX_SUBJECT]; /* GRANTS_OF_SUBJECT */
    size_t prefix_len;
    int64_t since_ms;
};

static enum assay_status fill_grant(struct listing *l, uint64_t number, struct assay_slice bytes,
                                    struct assay_error *reterr)
{
    enum assay_status status = assay_grant_record_parse(number, bytes, &l->query->grant, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    const struct assay_token_record stand_in = {
        .id = l->query->grant.current,
        .grant = number,
        .client_id = l->query->grant.client_id,
        .subject = l->query->grant.subject,
    };
    struct assay_cutoff cutoff;
    return lmdb_find_cutoff(l->store, l->txn, &l->header, &stand_in, &l->query->grant_cut, &cutoff,
                            reterr);
}

static uint64_t number_in(const MDB_val *key)
{
    uint64_t number = 0;
    if (key->mv_size == sizeof(number)) {
        memcpy(&number, key->mv_data, sizeof(number));
    }
    return number;
}

static enum assay_status fill_subject_grant(struct listing *l, const MDB_val *key,
                                            struct assay_error *reterr)
{
    uint64_t number = 0;
    const uint8_t *tail = (const uint8_t *)key->mv_data + l->prefix_len;
    for (size_t i = 0; i < 8; i++) {
        number = number << 8 | tail[i];
    }
    struct assay_slice bytes = {0};
    enum assay_status status =
        lmdb_get_number(l->txn, l->store->dbis.db[LMDB_DB_GRANT], number, &bytes, reterr);
    if (status == ASSAY_OK) {
        status = fill_grant(l, number, bytes, reterr);
    }
    /* The index has no check of its own: what it points to bears it out. */
    bool astray =
        status == ASSAY_ERR_ABSENT ||
        (status == ASSAY_OK && !assay_slice_equal(l->query->grant.subject, l->query->subject));
    return astray ? assay_fail(ASSAY_ERR_CORRUPT, "a subject's grant is not where it should be",
                               reterr)
                  : status;
}

static enum assay_status fill_row(struct listing *l, const MDB_val *key, const MDB_val *value,
                                  struct assay_error *reterr)
{
    struct assay_slice bytes = assay_slice_of(value->mv_data, value->mv_size);
    switch (l->query->verb) {
    case ASSAY_QUERY_CLIENTS:
        return assay_client_record_parse(assay_slice_of(key->mv_data, key->mv_size), bytes,
                                         &l->query->client, reterr);
    case ASSAY_QUERY_GRANTS:
        return fill_grant(l, number_in(key), bytes, reterr);
    case ASSAY_QUERY_GRANTS_OF_SUBJECT:
        return fill_subject_grant(l, key, reterr);
    case ASSAY_QUERY_EVENTS:
        return assay_event_parse(number_in(key), bytes, &l->query->event, reterr);
    case ASSAY_QUERY_STAT:
        break;
    }
    return ASSAY_OK;
}

static bool in_range(const struct listing *l, const MDB_val *key)
{
    return l->prefix_len == 0 || (key->mv_size == l->prefix_len + 8 &&
                                  memcmp(key->mv_data, l->prefix, l->prefix_len) == 0);
}

static enum assay_status walk(struct listing *l, MDB_dbi db, struct assay_slice after,
                              struct assay_error *reterr)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    size_t limit = l->query->limit == 0 || l->query->limit > ASSAY_MAX_LIST_ROWS
                       ? ASSAY_MAX_LIST_ROWS
                       : l->query->limit;
    int rc = mdb_cursor_open(l->txn, db, &cursor);
    if (rc != 0) {
        return lmdb_fail(rc, "the store cannot be read", reterr);
    }
    enum assay_status status = ASSAY_OK;
    rc = seek(cursor, after, &key, &value);
    for (size_t rows = 0; rc == 0 && status == ASSAY_OK && in_range(l, &key); rows++) {
        if (rows == limit) {
            l->query->more = true;
            break;
        }
        status = fill_row(l, &key, &value, reterr);
        bool goes_on = status == ASSAY_OK && l->query->row(l->query);
        /* A snapshot is not kept open for long: what is left comes with the next page. */
        if (status == ASSAY_OK && (!goes_on || lmdb_now_ms() - l->since_ms > ASSAY_MAX_READ_MS)) {
            l->query->more = true;
            break;
        }
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (status == ASSAY_OK && rc != 0 && rc != MDB_NOTFOUND) {
        status = lmdb_fail(rc, "the store cannot be read", reterr);
    }
    return status;
}

static enum assay_status list_grants_of_subject(struct listing *l, struct assay_error *reterr)
{
    struct assay_slice subject = l->query->subject;
    uint8_t after[1 + ASSAY_MAX_SUBJECT + 8];
    if (subject.len == 0 || subject.len > ASSAY_MAX_SUBJECT) {
        return ASSAY_OK;
    }
    l->prefix[0] = (uint8_t)subject.len;
    memcpy(l->prefix + 1, subject.data, subject.len);
    l->prefix_len = 1 + subject.len;
    memcpy(after, l->prefix, l->prefix_len);
    assay_cutoff_number_id(l->query->after, after + l->prefix_len);
    return walk(l, l->store->dbis.db[LMDB_DB_GRANT_SUBJECT],
                assay_slice_of(after, l->prefix_len + 8), reterr);
}

static uint64_t entries_of(MDB_txn *txn, MDB_dbi db)
{
    MDB_stat stat;
    return mdb_stat(txn, db, &stat) == 0 ? stat.ms_entries : 0;
}

/* Pages of a stretch of the data file that lie in memory, seen through a mapping of our own. */
static size_t resident_pages(int fd, uint64_t at, size_t len, size_t page)
{
    unsigned char seen[RESIDENT_STRETCH];
    size_t count = 0;
    size_t pages = (len + page - 1) / page;
    void *map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, (off_t)at);
    if (map == MAP_FAILED) {
        return 0;
    }
    if (mincore(map, len, seen) == 0) {
        for (size_t i = 0; i < pages; i++) {
            count += seen[i] & 1;
        }
    }
    munmap(map, len);
    return count;
}

/* Bytes of the data file that lie in memory. Of a large file a part is looked at, evenly spread,
 * and taken for the whole: the answer is for people, and must not take the loop's time. */
static uint64_t resident(struct lmdb_store *store, uint64_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t stretch = RESIDENT_STRETCH * page;
    uint64_t stretches = (bytes + stretch - 1) / stretch;
    uint64_t looks = stretches < RESIDENT_LOOKS ? stretches : RESIDENT_LOOKS;
    uint64_t seen = 0;
    uint64_t looked = 0;
    int fd = lmdb_file_open(store->dir_fd, "data", O_RDONLY);
    for (uint64_t i = 0; fd >= 0 && i < looks; i++) {
        uint64_t at = i * stretches / looks * stretch;
        size_t len = bytes - at < stretch ? (size_t)(bytes - at) : stretch;
        seen += resident_pages(fd, at, len, page);
        looked += (len + page - 1) / page;
    }
    if (fd >= 0) {
        close(fd);
    }
    double share = looked == 0 ? 0 : (double)seen / (double)looked;
    return looks == stretches ? seen * page : (uint64_t)(share * (double)bytes);
}

static void add_reason(struct assay_store_stat *stat, bool applies, const char *word, bool blocking)
{
    if (!applies || stat->reason_count == sizeof(stat->reasons) / sizeof(char *)) {
        return;
    }
    stat->reasons[stat->reason_count++] = word;
    stat->blocking |= blocking;
}

static void fill_reasons(struct lmdb_store *store, const struct assay_header_record *header,
                         struct assay_store_stat *stat)
{
    add_reason(stat, atomic_load(&store->trouble.full), "store_full", true);
    add_reason(stat, atomic_load(&store->trouble.io), "store_io", true);
    add_reason(stat, atomic_load(&store->trouble.corrupt), "store_corrupt", true);
    add_reason(stat, atomic_load(&store->trouble.replaced), "store_replaced", true);
    add_reason(stat, atomic_load(&store->trouble.write_blocked), "store_write_blocked", true);
    add_reason(stat, header->stepped_until_s != 0, "clock_stepped", false);
    add_reason(stat, header->kept_until_s > header->horizon_s, "restored", false);
}

static enum assay_status fill_stat(struct listing *l, struct assay_error *reterr)
{
    struct lmdb_store *store = l->store;
    struct assay_store_stat *stat = &l->query->stat;
    MDB_envinfo info;
    MDB_stat page;
    struct stat file = {0};
    int rc = mdb_env_info(store->env, &info);
    if (rc == 0) {
        rc = mdb_env_stat(store->env, &page);
    }
    if (rc != 0) {
        return lmdb_fail(rc, "the store cannot be read", reterr);
    }
    *stat = (struct assay_store_stat){.seq = l->header.seq, .horizon_s = l->header.horizon_s};
    memcpy(stat->log, l->header.log, sizeof(stat->log));
    for (size_t i = 0; i < ASSAY_LIFETIME_CLASSES; i++) {
        stat->tokens += entries_of(l->txn, store->dbis.tokens[i]);
    }
    stat->clients = entries_of(l->txn, store->dbis.db[LMDB_DB_CLIENT]);
    stat->grants = entries_of(l->txn, store->dbis.db[LMDB_DB_GRANT]);
    stat->cutoffs = entries_of(l->txn, store->dbis.db[LMDB_DB_CUTOFF]);
    stat->events = entries_of(l->txn, store->dbis.db[LMDB_DB_EVENT]);
    stat->bytes_max = store->max_size;
    if (fstatat(store->dir_fd, "data", &file, 0) == 0) {
        stat->bytes_file = (uint64_t)file.st_size;
    }
    uint64_t pages = info.me_last_pgno + 1;
    uint64_t free_pages = lmdb_free_pages(l->txn);
    stat->bytes_used = (pages > free_pages ? pages - free_pages : 0) * page.ms_psize;
    fill_reasons(store, &l->header, stat);
    return ASSAY_OK;
}

static enum assay_status run_verb(struct listing *l, struct assay_error *reterr)
{
    struct assay_query *query = l->query;
    struct assay_slice after_number =
        assay_slice_of(&query->after, query->after == 0 ? 0 : sizeof(query->after));
    switch (query->verb) {
    case ASSAY_QUERY_CLIENTS:
        return walk(l, l->store->dbis.db[LMDB_DB_CLIENT], query->after_client, reterr);
    case ASSAY_QUERY_GRANTS:
        return walk(l, l->store->dbis.db[LMDB_DB_GRANT], after_number, reterr);
    case ASSAY_QUERY_GRANTS_OF_SUBJECT:
        return list_grants_of_subject(l, reterr);
    case ASSAY_QUERY_EVENTS:
        return walk(l, l->store->dbis.db[LMDB_DB_EVENT], after_number, reterr);
    case ASSAY_QUERY_STAT:
        return fill_stat(l, reterr);
    }
    return ASSAY_OK;
}

enum assay_status lmdb_list_run(struct lmdb_store *store, struct assay_query *query,
                                struct assay_error *reterr)
{
    struct listing l = {
        .store = store, .txn = store->lister, .query = query, .since_ms = lmdb_now_ms()};
    query->more = false;
    int rc = mdb_txn_renew(store->lister);
    if (rc != 0) {
        return lmdb_fail(rc, "the store cannot be read", reterr);
    }
    enum assay_status status = lmdb_read_header(store, l.txn, &l.header, reterr);
    if (status == ASSAY_OK) {
        query->as_of = l.header.seq;
        memcpy(query->log, l.header.log, sizeof(query->log));
        query->behind = query->verb == ASSAY_QUERY_EVENTS &&
                        (query->after < l.header.events_from || query->after > l.header.seq);
        status = run_verb(&l, reterr);
    }
    mdb_txn_reset(store->lister);
    if (status == ASSAY_OK && query->verb == ASSAY_QUERY_STAT && query->want_resident) {
        query->stat.bytes_resident = resident(store, query->stat.bytes_file);
    }
    return status;
}
