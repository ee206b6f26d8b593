/* The writer's thread, the map, and what others are told (DESIGN section 4). */
#include "fixture.h"
#include "store/lmdb/lmdb_priv.h"
#include "support/check.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Threads of this process besides the one that asks; the mask of blocked signals of the last. */
static size_t other_threads(unsigned long long *ret_blocked)
{
    size_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    const struct dirent *entry;
    while ((entry = readdir(tasks)) != NULL) {
        char path[300];
        char line[256];
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == getpid()) {
            continue;
        }
        count++;
        snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
        FILE *status = fopen(path, "r");
        while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
            (void)sscanf(line, "SigBlk: %llx", ret_blocked);
        }
        if (status != NULL) {
            fclose(status);
        }
    }
    closedir(tasks);
    return count;
}

/* One thread, to whom no signal comes; the caller's own signals are as they were; and it is gone
 * when the store is closed, since its code may be unloaded then. */
static void the_writer_takes_no_signal_and_ends_with_the_store(void **state)
{
    struct fixture *fx = *state;
    unsigned long long blocked = 0;
    sigset_t own;
    size_t before = other_threads(&blocked);
    fx_reopen(fx);
    assert_int_equal(other_threads(&blocked), before);
    /* Every signal that can be blocked: KILL and STOP cannot, 32 and 33 are the C library's. */
    unsigned long long all = ~(1ull << 8 | 1ull << 18 | 1ull << 31 | 1ull << 32);
    assert_true((blocked & all) == all);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &own), 0);
    for (int signal = 1; signal < 32; signal++) {
        assert_int_equal(sigismember(&own, signal), 0);
    }
    fx->store->ops->close(fx->store);
    fx->store = NULL;
    assert_int_equal(other_threads(&blocked), before - 1);
}

static bool was_touched(int notify)
{
    uint8_t events[4096];
    bool touched = false;
    while (read(notify, events, sizeof(events)) > 0) {
        touched = true;
    }
    return touched;
}

/* `wake` is touched after each commit, whoever commits, and only then. */
static void each_commit_wakes_who_waits(void **state)
{
    struct fixture *fx = *state;
    char wake[128];
    struct assay_change issued;
    uint8_t id[8];
    snprintf(wake, sizeof(wake), "%s/wake", fx->place.path);
    int notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(notify >= 0 && inotify_add_watch(notify, wake, IN_MODIFY) >= 0);
    for (int round = 0; round < 3; round++) {
        if (round == 0) {
            fx_add_client(fx, "robot");
            assert_true(was_touched(notify));
        }
        fx_issue(fx, "robot", false, NOW, &issued);
        assert_true(was_touched(notify));
        fx_cut(fx, ASSAY_CUTOFF_TOKEN, fx_token_id(&issued.u.issue.access, id), NOW);
        assert_true(was_touched(notify));
        fx_cut(fx, ASSAY_CUTOFF_TOKEN, fx_token_id(&issued.u.issue.access, id), NOW);
        assert_false(was_touched(notify)); /* nothing changed */
        (void)fx_look(fx, &issued.u.issue.access.address, NOW);
        (void)fx_stat(fx);
        assert_false(was_touched(notify));
        fx_reopen(fx);
    }
    close(notify);
}

/* Nothing weakens what LMDB promises, and nothing of this process's heap gets into the file. */
static void the_environment_is_opened_without_a_weakening_flag(void **state)
{
    struct fixture *fx = *state;
    struct lmdb_store *store = (struct lmdb_store *)fx->store;
    unsigned flags = 0;
    MDB_envinfo info;
    assert_int_equal(mdb_env_get_flags(store->env, &flags), 0);
    assert_int_equal(flags & (MDB_NOSYNC | MDB_NOMETASYNC | MDB_MAPASYNC | MDB_WRITEMAP |
                              MDB_NOLOCK | MDB_NOMEMINIT),
                     0);
    assert_true((flags & MDB_NOTLS) != 0);
    assert_int_equal(mdb_env_info(store->env, &info), 0);
    assert_true(info.me_mapsize == (size_t)8 << 30);
}

/* The map is reserved once: its place and size are those of the start, however much is written. A
 * process has two reader slots, however much it reads. */
static void map_and_reader_slots_stay_as_they_are(void **state)
{
    enum { COUNT = 2000 };
    struct fixture *fx = *state;
    struct lmdb_store *store = (struct lmdb_store *)fx->store;
    struct assay_change *changes = calloc(COUNT, sizeof(*changes));
    struct assay_store_change *ops = calloc(COUNT, sizeof(*ops));
    const uint8_t *base = store->pages.base;
    MDB_envinfo info;
    fx_add_client(fx, "robot");
    for (size_t i = 0; i < COUNT; i++) {
        changes[i].verb = ASSAY_CHANGE_ISSUE;
        changes[i].now_s = NOW;
        changes[i].u.issue.client_id = ASSAY_SLICE("robot");
        fx_draft(&changes[i].u.issue.access, ASSAY_TOKEN_ACCESS, "robot", NOW, 3600);
    }
    fx_change_all(fx, changes, ops, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(fx_look(fx, &changes[i].u.issue.access.address, NOW).liveness, ASSAY_LIVE);
        (void)fx_stat(fx);
    }
    assert_int_equal(mdb_env_info(store->env, &info), 0);
    assert_true(info.me_mapsize == (size_t)8 << 30);
    assert_ptr_equal(store->pages.base, base);
    assert_true(info.me_numreaders <= 3); /* and one that the writer uses now and then */
    free(changes);
    free(ops);
}

/* Many changes at once are few commits. */
static void changes_that_wait_share_a_commit(void **state)
{
    enum { COUNT = 512 };
    struct fixture *fx = *state;
    struct lmdb_store *store = (struct lmdb_store *)fx->store;
    struct assay_change *changes = calloc(COUNT, sizeof(*changes));
    struct assay_store_change *ops = calloc(COUNT, sizeof(*ops));
    MDB_envinfo before;
    MDB_envinfo after;
    fx_add_client(fx, "robot");
    for (size_t i = 0; i < COUNT; i++) {
        changes[i].verb = ASSAY_CHANGE_ISSUE;
        changes[i].now_s = NOW;
        changes[i].u.issue.client_id = ASSAY_SLICE("robot");
        fx_draft(&changes[i].u.issue.access, ASSAY_TOKEN_ACCESS, "robot", NOW, 3600);
    }
    assert_int_equal(mdb_env_info(store->env, &before), 0);
    fx_change_all(fx, changes, ops, COUNT);
    assert_int_equal(mdb_env_info(store->env, &after), 0);
    assert_true(after.me_last_txnid - before.me_last_txnid <= COUNT / 2);
    assert_true(after.me_last_txnid - before.me_last_txnid >= COUNT / LMDB_MAX_BATCH);
    free(changes);
    free(ops);
}

/* A store that is open for reading has no writer. */
static void a_store_that_is_read_only_takes_no_change(void **state)
{
    struct fixture *fx = *state;
    struct assay_lmdb_options options = {
        .path = fx->place.path, .loop = &fx->loop.loop, .read_only = true};
    struct assay_error error = {0};
    unsigned long long blocked = 0;
    fx->store->ops->close(fx->store);
    fx->store = NULL;
    size_t before = other_threads(&blocked);
    options.map_size = (uint64_t)8 << 30;
    assert_ok(assay_lmdb_open(&options, &fx->store, &error), &error);
    assert_int_equal(other_threads(&blocked), before);
    struct assay_change cut = {.verb = ASSAY_CHANGE_CUT, .now_s = NOW};
    struct assay_store_change op;
    cut.u.cut.kind = ASSAY_CUTOFF_EVERYTHING;
    fx_change_all(fx, &cut, &op, 1);
    assert_int_equal(op.status, ASSAY_ERR_STORE);
    assert_int_equal(fx_stat(fx).cutoffs, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(the_writer_takes_no_signal_and_ends_with_the_store),
        FX_TEST(each_commit_wakes_who_waits),
        FX_TEST(the_environment_is_opened_without_a_weakening_flag),
        FX_TEST(map_and_reader_slots_stay_as_they_are),
        FX_TEST(changes_that_wait_share_a_commit),
        FX_TEST(a_store_that_is_read_only_takes_no_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
