/* Numbers never go back, not even by a restore (DESIGN section 4): identity, floor, witness. */
#include "fixture.h"
#include "store/lmdb/lmdb_priv.h"
#include "support/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LATER 1900000000 /* a clock that is ahead of the one the store was made by */

static void path_of(const struct fixture *fx, const char *name, char out[128])
{
    assert_true(snprintf(out, 128, "%s/%s", fx->place.path, name) < 128);
}

static void shut(struct fixture *fx)
{
    fx->store->ops->close(fx->store);
    fx->store = NULL;
}

static void start(struct fixture *fx)
{
    fx->store = engine_open(&fx->place, &fx->loop.loop);
}

static enum assay_status try_start(struct fixture *fx, struct assay_error *reterr)
{
    struct assay_lmdb_options options = {.path = fx->place.path, .loop = &fx->loop.loop};
    struct assay_store *store = NULL;
    options.map_size = (uint64_t)8 << 30;
    enum assay_status status = assay_lmdb_open(&options, &store, reterr);
    if (status == ASSAY_OK) {
        store->ops->close(store);
    }
    return status;
}

/* A backup in the store's directory, which goes with it. */
struct backup {
    char path[128];
};

static void back_up(struct fixture *fx, struct backup *ret, bool compact)
{
    struct assay_error error = {0};
    assert_true(snprintf(ret->path, sizeof(ret->path), "%s/backup", fx->place.path) <
                (int)sizeof(ret->path));
    (void)unlink(ret->path);
    bool open = fx->store != NULL;
    if (open) {
        shut(fx); /* a process has a store open once */
    }
    assert_ok(assay_lmdb_copy(fx->place.path, ret->path, compact, &error), &error);
    if (open) {
        start(fx);
    }
}

static enum assay_status restore(struct fixture *fx, const struct backup *from, bool keep_tokens,
                                 int64_t now_s, struct assay_error *reterr)
{
    return assay_lmdb_restore(fx->place.path, from->path, keep_tokens, now_s, reterr);
}

static void copy_file(const char *from, const char *to)
{
    uint8_t bytes[65536];
    ssize_t got;
    int in = open(from, O_RDONLY);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(in >= 0 && out >= 0);
    while ((got = read(in, bytes, sizeof(bytes))) > 0) {
        assert_int_equal(write(out, bytes, (size_t)got), got);
    }
    assert_int_equal(got, 0);
    close(in);
    close(out);
}

static enum assay_liveness look(struct fixture *fx, const struct assay_change *issued)
{
    return fx_look(fx, &issued->u.issue.access.address, NOW).liveness;
}

/* REL-03: a restore ends every token, of before and of after the backup; what is issued then lives.
 * Identity and numbers are new. */
static void a_restore_ends_every_token(void **state)
{
    struct fixture *fx = *state;
    struct assay_change before;
    struct assay_change after;
    struct assay_change fresh;
    struct backup backup;
    struct assay_error error = {0};
    fx_add_client(fx, "robot");
    for (int compact = 0; compact < 2; compact++) {
        fx_issue(fx, "robot", true, NOW, &before);
        back_up(fx, &backup, compact != 0);
        fx_issue(fx, "robot", false, NOW, &after);
        struct assay_store_stat old = fx_stat(fx);
        shut(fx);
        assert_ok(restore(fx, &backup, false, NOW, &error), &error);
        start(fx);
        struct assay_store_stat now = fx_stat(fx);
        assert_memory_not_equal(now.log, old.log, sizeof(old.log));
        assert_true(now.seq > old.seq);
        assert_int_equal(look(fx, &before), ASSAY_DEAD_CUT);
        assert_int_equal(fx_look(fx, &before.u.issue.refresh.address, NOW).liveness,
                         ASSAY_DEAD_CUT);
        assert_int_equal(look(fx, &after), ASSAY_DEAD_UNKNOWN);
        assert_false(fx_says(fx, "restored"));
        fx_issue(fx, "robot", false, NOW, &fresh);
        assert_int_equal(look(fx, &fresh), ASSAY_LIVE);
        assert_true(fresh.u.issue.access.record.id.seq > old.seq);
        unlink(backup.path);
    }
}

/* REL-03: the one exception is announced for as long as a token that it kept may live. */
static void kept_tokens_are_announced_while_they_may_live(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct backup backup;
    struct assay_error error = {0};
    uint8_t id[8];
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", false, NOW, &issued);
    back_up(fx, &backup, false);
    fx_cut(fx, ASSAY_CUTOFF_TOKEN, fx_token_id(&issued.u.issue.access, id), NOW);
    assert_int_equal(look(fx, &issued), ASSAY_DEAD_CUT);
    shut(fx);
    assert_ok(restore(fx, &backup, true, NOW, &error), &error);
    start(fx);
    assert_int_equal(look(fx, &issued), ASSAY_LIVE);
    assert_true(fx_says(fx, "restored"));
    assert_false(fx_stat(fx).blocking);
    fx_sweep(fx, NOW + 3600);
    assert_true(fx_says(fx, "restored"));
    fx_sweep(fx, NOW + 3600 + 720); /* the clock is noted every ten minutes */
    assert_false(fx_says(fx, "restored"));
    unlink(backup.path);
}

/* Numbers go on above all that were given: by the clock, by the backup, by the store that goes. */
static void numbers_never_go_back(void **state)
{
    struct fixture *fx = *state;
    static const int64_t clocks[] = {1, NOW, LATER, LATER + 1, 5};
    struct backup backup;
    struct assay_error error = {0};
    fx_add_client(fx, "robot");
    back_up(fx, &backup, false);
    for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        struct assay_change issued;
        fx_issue(fx, "robot", false, NOW, &issued);
        uint64_t seq = fx_stat(fx).seq;
        shut(fx);
        assert_ok(restore(fx, &backup, true, clocks[i], &error), &error);
        start(fx);
        uint64_t now = fx_stat(fx).seq;
        assert_true(now > seq);
        assert_true(now > (uint64_t)clocks[i] << 24);
        assert_true(now <= ASSAY_SEQ_MAX);
        fx_reopen(fx);
    }
    unlink(backup.path);
}

/* A receiver of events is told to start anew: another log, and nothing before it. */
static void the_event_log_starts_anew(void **state)
{
    struct fixture *fx = *state;
    struct backup backup;
    struct assay_error error = {0};
    fx_add_client(fx, "robot");
    fx_cut(fx, ASSAY_CUTOFF_SUBJECT, ASSAY_SLICE("alice"), NOW);
    back_up(fx, &backup, false);
    uint64_t known = fx_stat(fx).seq;
    shut(fx);
    assert_ok(restore(fx, &backup, false, LATER, &error), &error);
    start(fx);
    assert_true(fx_stat(fx).seq > known);
    uint64_t last = 0;
    assert_int_equal(fx_events(fx, (uint64_t)LATER << 24, &last), 1);
    assert_true(last > ((uint64_t)LATER << 24));
    unlink(backup.path);
}

/* A-CLI-09: what is damaged, short, foreign or newer is refused before the store is touched. */
static void a_bad_backup_leaves_the_store_alone(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct backup backup;
    struct assay_error error = {0};
    char data[128];
    fx_add_client(fx, "robot");
    for (int i = 0; i < 40; i++) {
        fx_issue(fx, "robot", true, NOW, &issued);
    }
    back_up(fx, &backup, false);
    shut(fx);
    path_of(fx, "data", data);
    struct stat st;
    assert_int_equal(stat(backup.path, &st), 0);
    for (off_t at = 0; at < st.st_size; at += 4096) {
        uint8_t page[4096];
        const uint8_t zeros[4096] = {0};
        int fd = open(backup.path, O_RDWR);
        assert_int_equal(pread(fd, page, sizeof(page), at), sizeof(page));
        assert_int_equal(pwrite(fd, zeros, sizeof(zeros), at), sizeof(zeros));
        enum assay_status status = restore(fx, &backup, true, NOW, &error);
        assert_true(status == ASSAY_ERR_CORRUPT || status == ASSAY_OK);
        assert_true(status == ASSAY_ERR_CORRUPT || at > 4096);
        assert_int_equal(pwrite(fd, page, sizeof(page), at), sizeof(page));
        close(fd);
        start(fx); /* a free page is no loss; whichever it was, the store is whole */
        assert_int_equal(look(fx, &issued), ASSAY_LIVE);
        shut(fx);
    }
    assert_int_equal(truncate(backup.path, st.st_size / 2), 0);
    assert_int_equal(restore(fx, &backup, true, NOW, &error), ASSAY_ERR_CORRUPT);
    assert_int_equal(truncate(backup.path, 0), 0);
    assert_int_equal(restore(fx, &backup, true, NOW, &error), ASSAY_ERR_CORRUPT);
    unlink(backup.path);
    assert_int_equal(restore(fx, &backup, true, NOW, &error), ASSAY_ERR_ABSENT);
    start(fx);
    assert_int_equal(look(fx, &issued), ASSAY_LIVE);
}

/* A store that is open is not replaced, and one that is being replaced is not opened. */
static void nobody_restores_under_an_open_store(void **state)
{
    struct fixture *fx = *state;
    struct backup backup;
    struct assay_error error = {0};
    int claim = -1;
    back_up(fx, &backup, false);
    pid_t pid = fork();
    if (pid == 0) { /* the lock that LMDB looks at is another process's */
        _exit(restore(fx, &backup, false, NOW, &error) == ASSAY_ERR_CONFLICT ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    shut(fx);
    int dir = open(fx->place.path, O_RDONLY | O_DIRECTORY);
    assert_true(lmdb_presence_claim(dir, &claim));
    assert_int_equal(try_start(fx, &error), ASSAY_ERR_SYSTEM);
    close(claim);
    assert_int_equal(flock(dir, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(restore(fx, &backup, false, NOW, &error), ASSAY_ERR_CONFLICT);
    close(dir);
    assert_ok(restore(fx, &backup, false, NOW, &error), &error);
    start(fx);
    unlink(backup.path);
}

/* F-31: a file that was copied into place by hand is noticed at the next open: an older one of the
 * same store, though it lacks but the last change, and one of another store. */
static void a_file_copied_by_hand_is_noticed(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct backup older;
    struct assay_error error = {0};
    char data[128];
    uint8_t id[8];
    path_of(fx, "data", data);
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", false, NOW, &issued);
    back_up(fx, &older, false);
    /* Both within the second in which the witness has just been written. */
    fx_cut(fx, ASSAY_CUTOFF_TOKEN, fx_token_id(&issued.u.issue.access, id), NOW);
    shut(fx);
    char kept[160];
    snprintf(kept, sizeof(kept), "%s/kept", fx->place.path);
    copy_file(data, kept);
    copy_file(older.path, data);
    assert_int_equal(try_start(fx, &error), ASSAY_ERR_CORRUPT);
    assert_non_null(strstr(error.what, "older"));
    copy_file(kept, data);
    assert_int_equal(try_start(fx, &error), ASSAY_OK);

    struct engine_place other;
    char foreign[128];
    engine_create(&other);
    snprintf(foreign, sizeof(foreign), "%s/data", other.path);
    copy_file(foreign, data);
    assert_int_equal(try_start(fx, &error), ASSAY_ERR_CORRUPT);
    engine_remove(&other);
    copy_file(kept, data);

    /* A restore is no reason to complain; the same backup copied over it afterwards is one. */
    assert_ok(restore(fx, &older, false, NOW, &error), &error);
    assert_int_equal(try_start(fx, &error), ASSAY_OK);
    assert_ok(restore(fx, &older, false, NOW, &error), &error);
    copy_file(older.path, data);
    assert_int_equal(try_start(fx, &error), ASSAY_ERR_CORRUPT);
    assert_ok(restore(fx, &older, false, NOW, &error), &error);
    start(fx);
    unlink(kept);
    unlink(older.path);
}

/* What a crash leaves is no reason to complain: a witness that is behind, torn, or missing. */
static void a_witness_that_is_behind_or_torn_is_no_trouble(void **state)
{
    struct fixture *fx = *state;
    struct assay_error error = {0};
    char witness[128];
    char behind[160];
    path_of(fx, "witness", witness);
    snprintf(behind, sizeof(behind), "%s/behind", fx->place.path);
    shut(fx);
    copy_file(witness, behind);
    start(fx);
    fx_add_client(fx, "robot");
    shut(fx);
    copy_file(behind, witness);
    assert_int_equal(try_start(fx, &error), ASSAY_OK);
    for (off_t size = 27; size >= 0; size -= 9) {
        assert_int_equal(truncate(witness, size), 0);
        assert_int_equal(try_start(fx, &error), ASSAY_OK);
    }
    int fd = open(witness, O_WRONLY);
    assert_int_equal(pwrite(fd, "\xff\xff", 2, 16), 2); /* a far number, without its check */
    close(fd);
    assert_int_equal(try_start(fx, &error), ASSAY_OK);
    unlink(witness);
    assert_int_equal(try_start(fx, &error), ASSAY_OK);
    struct stat st;
    assert_int_equal(stat(witness, &st), 0); /* and written anew */
    start(fx);
    unlink(behind);
}

/* The witness is renewed while the store is idle: it knows the last change, whoever made it. */
static void the_witness_knows_the_last_change(void **state)
{
    struct fixture *fx = *state;
    struct assay_header_record seen = {0};
    int dir = open(fx->place.path, O_RDONLY | O_DIRECTORY);
    fx_add_client(fx, "robot");
    fx_add_client(fx, "other");
    uint64_t seq = fx_stat(fx).seq;
    for (int i = 0; i < 1000 && seen.seq != seq; i++) {
        test_loop_turn(&fx->loop, 20);
        (void)lmdb_witness_read(dir, &seen);
    }
    assert_int_equal(seen.seq, seq);
    fx_add_client(fx, "third");
    seq = fx_stat(fx).seq;
    shut(fx);
    assert_true(lmdb_witness_read(dir, &seen));
    assert_int_equal(seen.seq, seq);
    close(dir);
    start(fx);
}

/* F-12: a store of a newer version is refused by its name, and left as it is. */
static void a_store_of_a_newer_version_is_refused(void **state)
{
    struct fixture *fx = *state;
    struct assay_error error = {0};
    char data[128];
    path_of(fx, "data", data);
    shut(fx);
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    char name[] = "header";
    MDB_val key = {6, name};
    MDB_val value;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_mapsize(env, (size_t)8 << 30), 0);
    assert_int_equal(mdb_env_open(env, data, MDB_NOSUBDIR, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
    assert_int_equal(mdb_get(txn, dbi, &key, &value), 0);
    uint8_t header[512];
    memcpy(header, value.mv_data, value.mv_size);
    header[0] = 2;
    value.mv_data = header;
    value.mv_size += 40; /* and longer by then */
    assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    assert_int_equal(try_start(fx, &error), ASSAY_ERR_CORRUPT);
    assert_non_null(strstr(error.what, "newer version of assay"));
    /* Put an older one in its place for the teardown. */
    (void)unlink(data);
    assert_ok(assay_lmdb_create(fx->place.path, &error), &error);
    char witness[128];
    path_of(fx, "witness", witness);
    (void)unlink(witness);
    start(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(a_restore_ends_every_token),
        FX_TEST(kept_tokens_are_announced_while_they_may_live),
        FX_TEST(numbers_never_go_back),
        FX_TEST(the_event_log_starts_anew),
        FX_TEST(a_bad_backup_leaves_the_store_alone),
        FX_TEST(nobody_restores_under_an_open_store),
        FX_TEST(a_file_copied_by_hand_is_noticed),
        FX_TEST(a_witness_that_is_behind_or_torn_is_no_trouble),
        FX_TEST(the_witness_knows_the_last_change),
        FX_TEST(a_store_of_a_newer_version_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
