/* Pages read without LMDB (store/lmdb/lmdb_tree.c): the same answers as LMDB's own, and nothing but
 * an error from a page that is damaged. */
#include "engine.h"
#include "store/lmdb/lmdb_tree.h"
#include "support/check.h"

#include <lmdb.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT 20000
#define BIG_EVERY 997 /* values that need pages of their own */

/* An environment with one tree of numbers, and what a snapshot of it looks like. */
struct fixture {
    char path[64];
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi main;
    MDB_dbi numbers;
    struct lmdb_pages pages;
    struct lmdb_tree tree;
};

static char header_name[] = "header";
static char tree_name[] = "t00";

static size_t value_len(uint64_t number)
{
    return number % BIG_EVERY == 0 ? 9000 : 100 + number % 90;
}

static void fill(MDB_env *env)
{
    static uint8_t bytes[9000];
    MDB_txn *txn;
    MDB_dbi main;
    MDB_dbi numbers;
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &main), 0);
    MDB_val name = {.mv_size = 6, .mv_data = header_name};
    MDB_val text = {.mv_size = 5, .mv_data = header_name};
    assert_int_equal(mdb_put(txn, main, &name, &text, 0), 0);
    assert_int_equal(mdb_dbi_open(txn, tree_name, MDB_CREATE | MDB_INTEGERKEY, &numbers), 0);
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t number = 1000 + i * 3; /* so that there are numbers between and around */
        memset(bytes, (int)(number & 0xFF), sizeof(bytes));
        MDB_val key = {.mv_size = sizeof(number), .mv_data = &number};
        MDB_val value = {.mv_size = value_len(number), .mv_data = bytes};
        assert_int_equal(mdb_put(txn, numbers, &key, &value, MDB_APPEND), 0);
    }
    assert_int_equal(mdb_txn_commit(txn), 0);
}

static void read_tree(struct fixture *fx)
{
    struct assay_error error = {0};
    MDB_envinfo info;
    MDB_stat stat;
    MDB_val value;
    MDB_val name = {.mv_size = 6, .mv_data = header_name};
    assert_int_equal(mdb_env_info(fx->env, &info), 0);
    assert_int_equal(mdb_env_stat(fx->env, &stat), 0);
    assert_int_equal(mdb_get(fx->txn, fx->main, &name, &value), 0);
    assert_ok(lmdb_pages_find(assay_slice_of(value.mv_data, value.mv_size), stat.ms_psize,
                              info.me_last_pgno + 1, &fx->pages, &error),
              &error);
    name = (MDB_val){.mv_size = 3, .mv_data = tree_name};
    assert_int_equal(mdb_get(fx->txn, fx->main, &name, &value), 0);
    assert_ok(lmdb_tree_parse(&fx->pages, assay_slice_of(value.mv_data, value.mv_size), &fx->tree,
                              &error),
              &error);
}

static int setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof(*fx));
    strcpy(fx->path, "/tmp/assay-tree-XXXXXX");
    int fd = mkstemp(fx->path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(mdb_env_create(&fx->env), 0);
    assert_int_equal(mdb_env_set_maxdbs(fx->env, 4), 0);
    assert_int_equal(mdb_env_set_mapsize(fx->env, (size_t)1 << 28), 0);
    assert_int_equal(mdb_env_open(fx->env, fx->path, MDB_NOSUBDIR | MDB_NOSYNC, 0600), 0);
    fill(fx->env);
    assert_int_equal(mdb_txn_begin(fx->env, NULL, MDB_RDONLY, &fx->txn), 0);
    assert_int_equal(mdb_dbi_open(fx->txn, NULL, 0, &fx->main), 0);
    assert_int_equal(mdb_dbi_open(fx->txn, tree_name, MDB_INTEGERKEY, &fx->numbers), 0);
    read_tree(fx);
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;
    char lock[80];
    mdb_txn_abort(fx->txn);
    mdb_env_close(fx->env);
    snprintf(lock, sizeof(lock), "%s-lock", fx->path);
    unlink(lock);
    unlink(fx->path);
    free(fx);
    return 0;
}

static void every_number_is_found_as_lmdb_finds_it(void **state)
{
    struct fixture *fx = *state;
    assert_true(fx->tree.depth >= 3);
    assert_int_equal(fx->tree.entries, COUNT);
    for (uint64_t number = 990; number < 1000 + COUNT * 3 + 10; number++) {
        MDB_val key = {.mv_size = sizeof(number), .mv_data = &number};
        MDB_val value;
        struct assay_slice found = {0};
        int rc = mdb_get(fx->txn, fx->numbers, &key, &value);
        enum assay_status status = lmdb_tree_get(&fx->tree, number, &found, NULL);
        assert_int_equal(status, rc == 0 ? ASSAY_OK : ASSAY_ERR_ABSENT);
        if (rc == 0) {
            assert_ptr_equal(found.data, value.mv_data);
            assert_int_equal(found.len, value.mv_size);
        }
    }
}

static void numbers_far_outside_are_absent(void **state)
{
    struct fixture *fx = *state;
    const uint64_t far[] = {0, 1, 999, UINT64_C(1) << 40, (UINT64_C(1) << 57) - 1, UINT64_MAX};
    struct assay_slice found;
    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        assert_int_equal(lmdb_tree_get(&fx->tree, far[i], &found, NULL), ASSAY_ERR_ABSENT);
    }
}

static void an_empty_tree_has_nothing(void **state)
{
    struct fixture *fx = *state;
    struct lmdb_tree empty = {.pages = fx->pages, .root = LMDB_NO_PAGE};
    struct assay_slice found;
    struct lmdb_ahead ahead = {.tree = &empty, .number = 5};
    lmdb_tree_look_ahead(&ahead, 1);
    assert_int_equal(lmdb_tree_get_ahead(&ahead, &found, NULL), ASSAY_ERR_ABSENT);
    assert_int_equal(lmdb_tree_get(&empty, 5, &found, NULL), ASSAY_ERR_ABSENT);
}

static void looking_ahead_changes_no_answer(void **state)
{
    struct fixture *fx = *state;
    struct lmdb_ahead ahead[LMDB_AHEAD];
    struct assay_slice found;
    struct assay_slice again;
    for (uint64_t from = 900; from < 1000 + COUNT * 3 + 100; from += LMDB_AHEAD * 7) {
        for (size_t i = 0; i < LMDB_AHEAD; i++) {
            ahead[i] = (struct lmdb_ahead){.tree = &fx->tree, .number = from + i * 7};
        }
        lmdb_tree_look_ahead(ahead, LMDB_AHEAD);
        for (size_t i = 0; i < LMDB_AHEAD; i++) {
            uint64_t number = from + i * 7;
            bool there = number >= 1000 && number < 1000 + COUNT * 3 && (number - 1000) % 3 == 0;
            enum assay_status right = there ? ASSAY_OK : ASSAY_ERR_ABSENT;
            assert_int_equal(lmdb_tree_get(&fx->tree, number, &found, NULL), right);
            assert_int_equal(lmdb_tree_get_ahead(&ahead[i], &again, NULL), right);
            assert_true(!there || again.data == found.data);
        }
    }
}

/* The same pages in memory of their own, exactly as long as the snapshot: a step outside is seen by
 * the sanitizers. */
static uint8_t *copy_pages(const struct fixture *fx, struct lmdb_tree *ret)
{
    size_t size = (size_t)fx->pages.count * fx->pages.page_size;
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, fx->pages.base, size);
    *ret = fx->tree;
    ret->pages.base = copy;
    return copy;
}

static uint64_t random_state = 88172645463325252;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Damages the bytes that steer a reader: heads of pages, places of nodes, heads of nodes. */
static void damage(const struct fixture *fx, uint8_t *copy)
{
    uint64_t page = next_random() % fx->pages.count;
    size_t at = (size_t)(next_random() % (next_random() % 2 ? 64 : fx->pages.page_size));
    copy[page * fx->pages.page_size + at] ^= (uint8_t)(1 + next_random() % 255);
}

/* REL-08: nothing that is read from a page is believed before it is checked. */
static void damaged_pages_are_errors_and_never_strays(void **state)
{
    struct fixture *fx = *state;
    struct lmdb_tree tree;
    struct assay_slice found;
    size_t refused = 0;
    uint8_t *copy = copy_pages(fx, &tree);
    for (unsigned round = 0; round < 3000; round++) {
        damage(fx, copy);
        for (unsigned i = 0; i < 20; i++) {
            uint64_t number = 990 + next_random() % (COUNT * 3 + 20);
            struct lmdb_ahead ahead = {.tree = &tree, .number = number};
            lmdb_tree_look_ahead(&ahead, 1);
            enum assay_status status = i % 2 == 0 ? lmdb_tree_get(&tree, number, &found, NULL)
                                                  : lmdb_tree_get_ahead(&ahead, &found, NULL);
            if (status == ASSAY_ERR_CORRUPT) {
                refused++;
            } else if (found.len != 0) {
                /* What is lent lies inside. */
                volatile uint8_t last = found.data[found.len - 1];
                (void)last;
            }
            found.len = 0;
        }
    }
    assert_true(refused > 0);
    free(copy);
}

static void a_record_of_another_layout_is_refused(void **state)
{
    struct fixture *fx = *state;
    static uint8_t record[48];
    struct lmdb_tree tree;
    struct lmdb_pages pages;
    assert_int_equal(lmdb_tree_parse(&fx->pages, assay_slice_of(record, 47), &tree, NULL),
                     ASSAY_ERR_CORRUPT);
    record[6] = 33; /* deeper than any tree */
    assert_int_equal(lmdb_tree_parse(&fx->pages, assay_slice_of(record, 48), &tree, NULL),
                     ASSAY_ERR_CORRUPT);
    uint8_t *copy = copy_pages(fx, &tree);
    size_t page_size = fx->pages.page_size;
    uint8_t *aligned = NULL;
    assert_int_equal(posix_memalign((void **)&aligned, page_size, 4 * page_size), 0);
    memset(aligned, 0, 4 * page_size);
    assert_int_equal(
        lmdb_pages_find(assay_slice_of(aligned + page_size + 50, 5), page_size, 4, &pages, NULL),
        ASSAY_ERR_CORRUPT);
    free(aligned);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_number_is_found_as_lmdb_finds_it, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_far_outside_are_absent, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_tree_has_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(looking_ahead_changes_no_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_pages_are_errors_and_never_strays, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_of_another_layout_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
