/* What is looked at before a store is believed. A token is dead because a cutoff is found: one that
 * can no longer be found would bring it back to life, and no check of a record can notice that,
 * since there is no record. So the header keeps count and digest of all entries of the databases
 * that decide over life and death (cutoffs, clients, sealing keys), and every opening walks them.
 * The header itself names the transaction that wrote it, so that an older state is not taken for
 * the newest. Tokens need none of this: what is not found is dead. */
#include "store/lmdb/lmdb_priv.h"

#include "base/secret.h"
#include "store/lmdb/lmdb_page.h"
#include "store/lmdb/lmdb_walk.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOK_AT_MOST 100    /* times, while others commit */
#define MAX_MISSING 1048576 /* pages that were counted and never written */

static enum assay_status damaged(struct assay_error *reterr)
{
    return assay_fail(ASSAY_ERR_CORRUPT,
                      "the store is damaged; put a backup in place with: assay store restore",
                      reterr);
}

/* One entry's part of the digest. The parts are added up, so that an entry can come and go. */
uint64_t lmdb_vital_part(enum lmdb_db db, struct assay_slice key, struct assay_slice value)
{
    uint8_t start[2] = {(uint8_t)db, (uint8_t)key.len};
    uint32_t check = assay_crc32c(assay_crc32c(0, assay_slice_of(start, 2)), key);
    uint64_t x = (uint64_t)check << 32 | assay_crc32c(check, value);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9); /* splitmix64: sums of CRCs would be linear */
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

bool lmdb_is_vital(enum lmdb_db db)
{
    return db == LMDB_DB_CUTOFF || db == LMDB_DB_CLIENT || db == LMDB_DB_KEY;
}

/* --- the data file, mapped as it is */

struct data {
    struct lmdb_pages pages;
    size_t size;
};

static bool map_data(int fd, struct data *ret)
{
    struct stat st;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (fstat(fd, &st) != 0 || (size_t)st.st_size < 2 * page) {
        return false;
    }
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        return false;
    }
    *ret = (struct data){.size = (size_t)st.st_size};
    ret->pages =
        (struct lmdb_pages){.base = map, .page_size = page, .count = (size_t)st.st_size / page};
    return true;
}

static void unmap_data(struct data *data)
{
    union {
        const uint8_t *in;
        void *out;
    } map = {.in = data->pages.base};
    munmap(map.out, data->size);
}

/* A copy of a meta page, whose transaction others may replace meanwhile. */
struct meta {
    uint8_t bytes[META_END];
};

static uint64_t txn_of(const struct meta *meta)
{
    return read_u64(meta->bytes + META_TXN_AT);
}

/* False when somebody was writing one of them. */
static bool read_metas(const struct data *data, struct meta ret[2])
{
    bool same = true;
    for (size_t i = 0; i < 2; i++) {
        const uint8_t *page = data->pages.base + i * data->pages.page_size;
        memcpy(ret[i].bytes, page, META_END);
        atomic_thread_fence(memory_order_seq_cst);
        same = same && memcmp(ret[i].bytes, page, META_END) == 0;
    }
    return same;
}

/* --- the walk */

struct verdict {
    struct lmdb_walk walk; /* first */
    const struct lmdb_pages *pages;
    struct assay_header_record header;
    enum assay_status header_status;
    struct assay_error *error;
    struct lmdb_tree trees[LMDB_DBS]; /* the vital ones */
    bool has_tree[LMDB_DBS];
    enum lmdb_db db; /* being walked */
    uint64_t count;
    uint64_t digest;
    uint64_t newest_generation;
};

static bool passes_check(enum lmdb_db db, struct assay_slice key, struct assay_slice value)
{
    union {
        struct assay_client_record client;
        struct assay_cutoff cutoff;
        struct assay_key_record seal;
    } parsed;
    bool good = false;
    if (db == LMDB_DB_CUTOFF) {
        good = assay_cutoff_parse(key, value, &parsed.cutoff, NULL) == ASSAY_OK;
    } else if (db == LMDB_DB_CLIENT) {
        good = assay_client_record_parse(key, value, &parsed.client, NULL) == ASSAY_OK;
    } else {
        good = key.len == 1 &&
               assay_key_record_parse(key.data[0], value, &parsed.seal, NULL) == ASSAY_OK;
        assay_secret_wipe(&parsed, sizeof(parsed));
    }
    return good;
}

static bool see_vital(struct lmdb_walk *walk, struct assay_slice key, struct assay_slice value,
                      bool named)
{
    struct verdict *v = (struct verdict *)walk;
    v->count++;
    v->digest += lmdb_vital_part(v->db, key, value);
    if (v->db == LMDB_DB_KEY && key.len == 1) {
        v->newest_generation = key.data[0];
    }
    return !named && passes_check(v->db, key, value);
}

static bool see_database(struct verdict *v, struct assay_slice name, struct assay_slice record)
{
    bool by_number = false;
    size_t db = 0;
    if (!lmdb_db_named(name, &db, &by_number)) {
        return true; /* one that came with a later version */
    }
    if (record.len != TREE_RECORD ||
        read_u16(record.data + TREE_FLAGS_AT) != (by_number ? TREE_BY_NUMBER : 0)) {
        return false;
    }
    if (db < LMDB_DBS && lmdb_is_vital((enum lmdb_db)db)) {
        v->has_tree[db] = true;
        return lmdb_tree_parse(v->pages, record, &v->trees[db], NULL) == ASSAY_OK;
    }
    return true;
}

static bool see_main(struct lmdb_walk *walk, struct assay_slice key, struct assay_slice value,
                     bool named)
{
    struct verdict *v = (struct verdict *)walk;
    if (named) {
        return see_database(v, key, value);
    }
    if (assay_slice_equal(key, ASSAY_SLICE("header"))) {
        v->header_status = assay_header_parse(value, &v->header, v->error);
    }
    return true;
}

/* A newer one is no trouble: a reader that is held up while others commit sees the newest state
 * under the number of an older one, and a compacted copy starts over with the first transaction,
 * under the header of its original. */
bool lmdb_is_snapshot(const struct assay_header_record *header, uint64_t txn)
{
    return header->snapshot >= txn;
}

static enum assay_status walk_vital(struct verdict *v, struct assay_error *reterr)
{
    v->walk.see = see_vital;
    for (unsigned db = 0; db < LMDB_DBS; db++) {
        if (!lmdb_is_vital((enum lmdb_db)db)) {
            continue;
        }
        v->db = (enum lmdb_db)db;
        if (!v->has_tree[db] || !lmdb_walk_tree(&v->walk, &v->trees[db])) {
            return damaged(reterr);
        }
    }
    bool same = v->count == v->header.vital_count && v->digest == v->header.vital_digest &&
                v->newest_generation == v->header.newest_generation;
    return same ? ASSAY_OK : damaged(reterr);
}

static enum assay_status walk_state(const struct data *data, const struct meta *meta,
                                    struct assay_error *reterr)
{
    struct verdict v = {.walk = {.see = see_main},
                        .pages = &data->pages,
                        .header_status = ASSAY_ERR_ABSENT,
                        .error = reterr};
    struct lmdb_tree tree;
    enum assay_status status = lmdb_tree_parse(
        &data->pages, assay_slice_of(meta->bytes + META_MAIN_AT, TREE_RECORD), &tree, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    bool whole = lmdb_walk_tree(&v.walk, &tree);
    if (v.header_status != ASSAY_OK && v.header_status != ASSAY_ERR_ABSENT) {
        return v.header_status; /* it may be of a newer version, and says so */
    }
    if (!whole || v.header_status != ASSAY_OK || !lmdb_is_snapshot(&v.header, txn_of(meta))) {
        return damaged(reterr);
    }
    return walk_vital(&v, reterr);
}

/* The meta page of a transaction; NULL: it is not there. The other is of the one before, or, while
 * others commit, of the one after. */
static const struct meta *meta_of(const struct meta metas[2], uint64_t txn)
{
    const struct meta *own = &metas[txn & 1];
    uint64_t other = txn_of(&metas[(txn & 1) ^ 1]);
    return txn_of(own) == txn && (other + 1 == txn || other == txn + 1) ? own : NULL;
}

/* One look, inside a transaction: what it sees was in the file before it began, so that the file is
 * mapped then, as long as it is by now. *ret_seen: its first page was still there, and the verdict
 * is about it. */
static enum assay_status look(int fd, uint64_t txn, bool *ret_seen, struct assay_error *reterr)
{
    struct data data;
    struct meta metas[2];
    *ret_seen = false;
    if (!map_data(fd, &data)) {
        return assay_fail(ASSAY_ERR_SYSTEM, "the store's data file cannot be mapped", reterr);
    }
    const struct meta *meta = read_metas(&data, metas) ? meta_of(metas, txn) : NULL;
    *ret_seen = meta != NULL;
    enum assay_status status =
        meta != NULL ? walk_state(&data, meta, reterr) /* the transaction keeps its pages */
                     : damaged(reterr);
    unmap_data(&data);
    return status;
}

enum assay_status lmdb_verify(struct lmdb_store *store, struct assay_error *reterr)
{
    static const struct timespec pause = {0, 1000000};
    MDB_txn *txn = NULL;
    int fd = -1;
    bool seen = false;
    if (mdb_env_get_fd(store->env, &fd) != 0) {
        return assay_fail(ASSAY_ERR_SYSTEM, "the store's data file cannot be mapped", reterr);
    }
    enum assay_status status = damaged(reterr);
    for (int i = 0; i < LOOK_AT_MOST && !seen; i++) {
        int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
        if (rc != 0) {
            return lmdb_fail(rc, "the store cannot be read", reterr);
        }
        status = look(fd, mdb_txn_id(txn), &seen, reterr);
        mdb_txn_abort(txn);
        if (!seen) {
            (void)nanosleep(&pause, NULL);
        }
    }
    return status;
}

/* --- a file that is shorter than it says */

struct missing {
    struct lmdb_walk walk; /* first */
    uint64_t from;
    uint64_t to;
    uint64_t found;
};

/* The free database: a transaction, and the pages it gave back, led by their count. */
static bool see_free(struct lmdb_walk *walk, struct assay_slice key, struct assay_slice value,
                     bool named)
{
    struct missing *m = (struct missing *)walk;
    uint64_t count = value.len < 8 ? UINT64_MAX : read_u64(value.data);
    (void)key;
    if (named || count > value.len / 8 - 1) {
        return false;
    }
    for (uint64_t i = 1; i <= count; i++) {
        uint64_t page = read_u64(value.data + 8 * i);
        m->found += page >= m->from && page < m->to ? 1 : 0;
    }
    return true;
}

static bool walk_free(const struct data *data, const struct meta *meta)
{
    struct lmdb_tree tree;
    struct missing m = {.walk = {.by_number = true, .see = see_free},
                        .from = data->pages.count,
                        .to = read_u64(meta->bytes + META_LAST_AT) + 1};
    if (m.to <= m.from) {
        return true;
    }
    return m.to - m.from <= MAX_MISSING &&
           lmdb_tree_parse(&data->pages, assay_slice_of(meta->bytes + META_FREE_AT, TREE_RECORD),
                           &tree, NULL) == ASSAY_OK &&
           lmdb_walk_tree(&m.walk, &tree) && m.found == m.to - m.from;
}

/* Others may make the file longer, and say so, between the two looks at it: so a verdict of no
 * stands once nobody has committed since the last one. */
bool lmdb_missing_are_free(int fd)
{
    bool good = false;
    uint64_t judged = 0; /* the newest transaction at the last look */
    for (int i = 0; i < LOOK_AT_MOST && !good; i++) {
        struct data data;
        struct meta metas[2];
        if (!map_data(fd, &data)) {
            return false;
        }
        bool read = read_metas(&data, metas);
        const struct meta *newest = &metas[txn_of(&metas[1]) > txn_of(&metas[0]) ? 1 : 0];
        bool quiet = read && i > 0 && txn_of(newest) == judged;
        good = read && walk_free(&data, newest);
        judged = txn_of(newest);
        unmap_data(&data);
        if (quiet) {
            break;
        }
    }
    return good;
}
