/* F-37, REL-08: a sweep steps over what it cannot read, says so, and goes on. */
#include "fixture.h"
#include "store/lmdb/lmdb_priv.h"
#include "support/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define HOUR 3600

/* The data as LMDB gives it to anybody, while the store is closed. */
struct raw {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
};

static void raw_open(struct fixture *fx, const char *name, struct raw *raw)
{
    char data[128];
    fx->store->ops->close(fx->store);
    fx->store = NULL;
    snprintf(data, sizeof(data), "%s/data", fx->place.path);
    assert_int_equal(mdb_env_create(&raw->env), 0);
    assert_int_equal(mdb_env_set_mapsize(raw->env, (size_t)8 << 30), 0);
    assert_int_equal(mdb_env_set_maxdbs(raw->env, 4), 0);
    assert_int_equal(mdb_env_open(raw->env, data, MDB_NOSUBDIR, 0600), 0);
    assert_int_equal(mdb_txn_begin(raw->env, NULL, 0, &raw->txn), 0);
    assert_int_equal(mdb_dbi_open(raw->txn, name, 0, &raw->dbi), 0);
}

/* The header says that this commit is of ours. */
static void raw_sign(struct raw *raw)
{
    struct assay_header_record header;
    uint8_t bytes[ASSAY_HEADER_LEN];
    MDB_dbi dbi;
    MDB_val key = lmdb_val(ASSAY_SLICE("header"));
    MDB_val value;
    assert_int_equal(mdb_dbi_open(raw->txn, NULL, 0, &dbi), 0);
    assert_int_equal(mdb_get(raw->txn, dbi, &key, &value), 0);
    struct assay_slice old = assay_slice_of(value.mv_data, value.mv_size);
    assert_int_equal(assay_header_parse(old, &header, NULL), ASSAY_OK);
    header.snapshot = mdb_txn_id(raw->txn);
    assay_header_write(&header, bytes);
    value = lmdb_val(assay_slice_of(bytes, sizeof(bytes)));
    assert_int_equal(mdb_put(raw->txn, dbi, &key, &value, 0), 0);
}

static void raw_close(struct fixture *fx, struct raw *raw)
{
    raw_sign(raw);
    assert_int_equal(mdb_txn_commit(raw->txn), 0);
    mdb_env_close(raw->env);
    fx->store = engine_open(&fx->place, &fx->loop.loop);
}

/* Flips a bit in the values of the first `count` entries of a database, where they lie in the file,
 * under the store that has it open: what is damaged before it is opened may be found out then. */
static void damage(struct fixture *fx, const char *name, size_t count)
{
    struct lmdb_store *store = (struct lmdb_store *)fx->store;
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_dbi dbi;
    MDB_val key;
    MDB_val value;
    int fd = lmdb_file_open(store->dir_fd, "data", O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, name, 0, &dbi), 0);
    assert_int_equal(mdb_cursor_open(txn, dbi, &cursor), 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(mdb_cursor_get(cursor, &key, &value, i == 0 ? MDB_FIRST : MDB_NEXT), 0);
        const uint8_t *at = (const uint8_t *)value.mv_data + value.mv_size / 2;
        uint8_t flipped = *at ^ 0x10;
        assert_int_equal(pwrite(fd, &flipped, 1, at - store->pages.base), 1);
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    close(fd);
}

static void issue_many(struct fixture *fx, size_t count, struct assay_change *changes)
{
    struct assay_store_change *ops = calloc(count, sizeof(*ops));
    memset(changes, 0, count * sizeof(*changes));
    for (size_t i = 0; i < count; i++) {
        changes[i].verb = ASSAY_CHANGE_ISSUE;
        changes[i].now_s = NOW;
        changes[i].u.issue.client_id = ASSAY_SLICE("robot");
        fx_draft(&changes[i].u.issue.access, ASSAY_TOKEN_ACCESS, "robot", NOW, HOUR);
    }
    fx_change_all(fx, changes, ops, count);
    free(ops);
}

static enum assay_status sight(struct fixture *fx, const struct assay_change *issued)
{
    struct assay_lookup lookup = {.want_token = true, .address = issued->u.issue.access.address};
    struct assay_store_find find = {.lookup = &lookup};
    find.done = fx_ignore;
    fx->store->ops->find(fx->store, &find);
    test_loop_run_task(&fx->loop);
    return find.status;
}

/* However many records at the left edge cannot be read, what lies behind them is swept. */
static void unreadable_records_do_not_stop_the_sweep(void **state)
{
    enum { BAD = 3000, GOOD = 100 };
    struct fixture *fx = *state;
    struct assay_change *changes = calloc(BAD + GOOD, sizeof(*changes));
    char name[LMDB_TREE_NAME_SIZE];
    fx_add_client(fx, "robot");
    issue_many(fx, BAD + GOOD, changes);
    (void)lmdb_tree_name(changes[0].u.issue.access.record.id.lifetime_class, name);
    damage(fx, name, BAD);
    assert_int_equal(sight(fx, &changes[0]), ASSAY_ERR_CORRUPT);
    assert_int_equal(sight(fx, &changes[BAD]), ASSAY_OK);
    fx_reopen(fx);
    assert_false(fx_says(fx, "store_corrupt"));
    size_t removed = fx_sweep(fx, NOW + HOUR);
    assert_int_equal(removed, GOOD);
    assert_int_equal(fx_stat(fx).tokens, BAD);
    assert_true(fx_says(fx, "store_corrupt"));
    assert_true(fx_stat(fx).blocking);
    /* What comes later is swept, too, without a walk over all that is bad. */
    struct assay_change_sweep sweep;
    fx_sweep_once(fx, NOW + HOUR + 1, NOW + HOUR + 1, 0, &sweep);
    assert_false(sweep.more);
    free(changes);
}

/* A damaged cutoff stays, and whoever asks for what it may end is told of trouble: never that the
 * token is alive. */
static void a_damaged_cutoff_is_trouble_and_stays(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", false, NOW, &issued);
    fx_cut(fx, ASSAY_CUTOFF_SUBJECT, ASSAY_SLICE("alice"), NOW);
    damage(fx, "cutoff", 1);
    assert_int_equal(sight(fx, &issued), ASSAY_ERR_CORRUPT);
    assert_true(fx_says(fx, "store_corrupt"));
    fx_sweep(fx, NOW + HOUR + 120);
    assert_int_equal(fx_stat(fx).cutoffs, 1);
}

/* A damaged entry of `ends` is dropped, with what it spoke of left in place; the others are seen
 * to. */
static void a_damaged_entry_of_ends_is_stepped_over(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", false, NOW, &issued);
    for (int i = 0; i < 5; i++) {
        char subject[] = "subject 0";
        subject[8] = (char)('0' + i);
        fx_cut(fx, ASSAY_CUTOFF_SUBJECT, assay_slice_of_text(subject), NOW + i);
    }
    damage(fx, "ends", 2);
    fx_sweep(fx, NOW + HOUR + 200);
    assert_int_equal(fx_stat(fx).cutoffs, 2);
    assert_true(fx_says(fx, "store_corrupt"));
}

/* An entry of `ends` of an impossible size, or with a value of one, stops nothing either. */
static void an_entry_of_ends_of_a_wrong_size_stops_nothing(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct raw raw;
    char short_key[] = "c\0\0";
    uint8_t long_value[400] = {1};
    uint8_t long_key[ASSAY_END_KEY_LEN + 3] = {'c', 0, 0, 0, 0, 0, 0, 0, 1};
    MDB_val key = {3, short_key};
    MDB_val value = {sizeof(long_value), long_value};
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", false, NOW, &issued);
    fx_cut(fx, ASSAY_CUTOFF_SUBJECT, ASSAY_SLICE("alice"), NOW);
    raw_open(fx, "ends", &raw);
    assert_int_equal(mdb_put(raw.txn, raw.dbi, &key, &value, 0), 0);
    key = (MDB_val){sizeof(long_key), long_key};
    value = (MDB_val){0, long_value};
    assert_int_equal(mdb_put(raw.txn, raw.dbi, &key, &value, 0), 0);
    raw_close(fx, &raw);
    fx_sweep(fx, NOW + HOUR + 120);
    assert_int_equal(fx_stat(fx).cutoffs, 0);
}

/* Unreadable events are stepped over; a receiver that would read them is told of trouble. */
static void an_unreadable_event_is_stepped_over(void **state)
{
    struct fixture *fx = *state;
    fx_add_client(fx, "robot");
    for (int i = 0; i < 3; i++) {
        fx_cut(fx, ASSAY_CUTOFF_SUBJECT, ASSAY_SLICE("alice"), NOW);
    }
    damage(fx, "event", 1);
    struct assay_query query = {.verb = ASSAY_QUERY_EVENTS, .row = fx_no_row};
    struct assay_store_list list = {.query = &query, .done = fx_ignore_list};
    fx->store->ops->list(fx->store, &list);
    assert_int_equal(list.status, ASSAY_ERR_CORRUPT);
    fx_sweep(fx, NOW + HOUR);
    assert_int_equal(fx_stat(fx).events, 1);
}

/* The number of a record is part of its check: one that stands at another's place is no token. */
static void a_record_at_anothers_place_is_refused(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued[2];
    struct raw raw;
    MDB_val key;
    MDB_val value;
    uint8_t bytes[512];
    char name[LMDB_TREE_NAME_SIZE];
    fx_add_client(fx, "robot");
    issue_many(fx, 2, issued);
    (void)lmdb_tree_name(issued[0].u.issue.access.record.id.lifetime_class, name);
    uint64_t numbers[2] = {issued[0].u.issue.access.record.id.seq,
                           issued[1].u.issue.access.record.id.seq};
    raw_open(fx, name, &raw);
    key = (MDB_val){8, &numbers[0]};
    assert_int_equal(mdb_get(raw.txn, raw.dbi, &key, &value), 0);
    memcpy(bytes, value.mv_data, value.mv_size);
    value.mv_data = bytes;
    key = (MDB_val){8, &numbers[1]};
    assert_int_equal(mdb_put(raw.txn, raw.dbi, &key, &value, 0), 0);
    raw_close(fx, &raw);
    assert_int_equal(sight(fx, &issued[0]), ASSAY_OK);
    assert_int_equal(sight(fx, &issued[1]), ASSAY_ERR_CORRUPT);
}

/* An address that is in use is a hard error, and the record there stays what it was. */
static void a_number_in_use_is_never_replaced(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct assay_change late;
    struct assay_store_change op;
    struct raw raw;
    MDB_val key;
    MDB_val value;
    uint8_t bytes[ASSAY_HEADER_LEN];
    struct assay_header_record header;
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", false, NOW, &issued);
    /* A header that has gone back, as no header ever should. */
    raw_open(fx, NULL, &raw);
    char name[] = "header";
    key = (MDB_val){6, name};
    assert_int_equal(mdb_get(raw.txn, raw.dbi, &key, &value), 0);
    assert_int_equal(
        assay_header_parse(assay_slice_of(value.mv_data, value.mv_size), &header, NULL), ASSAY_OK);
    header.seq = issued.u.issue.access.record.id.seq - 1;
    assay_header_write(&header, bytes);
    value = (MDB_val){sizeof(bytes), bytes};
    assert_int_equal(mdb_put(raw.txn, raw.dbi, &key, &value, 0), 0);
    char witness[128];
    snprintf(witness, sizeof(witness), "%s/witness", fx->place.path);
    (void)remove(witness);
    raw_close(fx, &raw);

    memset(&late, 0, sizeof(late));
    late.verb = ASSAY_CHANGE_ISSUE;
    late.now_s = NOW;
    late.u.issue.client_id = ASSAY_SLICE("robot");
    fx_draft(&late.u.issue.access, ASSAY_TOKEN_ACCESS, "robot", NOW, HOUR);
    late.u.issue.access.record.subject = ASSAY_SLICE("mallory");
    fx_change_all(fx, &late, &op, 1);
    assert_int_equal(op.status, ASSAY_ERR_STORE);
    struct seen seen = fx_look(fx, &issued.u.issue.access.address, NOW);
    assert_int_equal(seen.liveness, ASSAY_LIVE);
    assert_memory_equal(seen.token.text_sha256, issued.u.issue.access.record.text_sha256,
                        ASSAY_SHA256_LEN);
}

/* The grants of a subject are found by an index that has no check: what it points to has. */
static void an_index_that_leads_astray_is_trouble(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct raw raw;
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", true, NOW, &issued);
    uint8_t astray[4 + 8] = "\3bob";
    assay_cutoff_number_id(issued.u.issue.refresh.record.grant, astray + 4);
    MDB_val key = {sizeof(astray), astray};
    MDB_val value = {0, astray};
    raw_open(fx, "grant_subject", &raw);
    assert_int_equal(mdb_put(raw.txn, raw.dbi, &key, &value, 0), 0);
    raw_close(fx, &raw);
    struct assay_query query = {.verb = ASSAY_QUERY_GRANTS_OF_SUBJECT, .row = fx_no_row};
    struct assay_store_list list = {.query = &query, .done = fx_ignore_list};
    query.subject = ASSAY_SLICE("bob");
    fx->store->ops->list(fx->store, &list);
    assert_int_equal(list.status, ASSAY_ERR_CORRUPT);
    query.subject = ASSAY_SLICE("alice");
    fx->store->ops->list(fx->store, &list);
    assert_int_equal(list.status, ASSAY_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(unreadable_records_do_not_stop_the_sweep),
        FX_TEST(a_damaged_cutoff_is_trouble_and_stays),
        FX_TEST(a_damaged_entry_of_ends_is_stepped_over),
        FX_TEST(an_entry_of_ends_of_a_wrong_size_stops_nothing),
        FX_TEST(an_unreadable_event_is_stepped_over),
        FX_TEST(a_record_at_anothers_place_is_refused),
        FX_TEST(a_number_in_use_is_never_replaced),
        FX_TEST(an_index_that_leads_astray_is_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
