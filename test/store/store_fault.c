/* What the embedded engine does when the disk, the memory or another process lets it down. */
#include "fault/fault.h"
#include "support/check.h"
#include "two.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool deep(void)
{
    return getenv("ASSAY_DEEP") != NULL;
}

static int setup_two(void **state)
{
    *state = two_open(true, NULL);
    return 0;
}

static int setup_one(void **state)
{
    *state = two_open(false, NULL);
    return 0;
}

static int teardown(void **state)
{
    fault_disarm();
    fault_disk("", 0);
    two_close(*state);
    return 0;
}

/* --- writes, flushes, the meta page --- */

/* One revocation and one issue under a fault: whatever was answered, each process sees a token that
 * was revoked with success as dead, and one whose revocation failed as live or dead but never as
 * gone; and without a restart everything works again. `invisible`: what failed must not be there.
 */
static unsigned go_through(struct two *fx, const char *spec, bool invisible)
{
    struct handle token;
    struct handle fresh;
    assert_int_equal(two_issue(fx, &token), ASSAY_OK);

    fault_arm(spec, fx->path);
    enum assay_status revoked = two_revoke(fx, &token);
    unsigned fired = fault_fired();
    enum sight here = two_look(fx, &token);
    enum sight there = two_other_look(fx, &token);
    enum assay_status issued = two_issue(fx, &fresh);
    fired = fault_fired();
    fault_disarm();

    if (revoked == ASSAY_OK) {
        assert_int_equal(here, SEEN_DEAD);
        assert_int_equal(there, SEEN_DEAD);
    } else {
        assert_true(fired > 0);
        assert_true(revoked == ASSAY_ERR_STORE || revoked == ASSAY_ERR_FULL);
        assert_true(here != SEEN_NOTHING && there != SEEN_NOTHING);
        assert_true(!invisible || (here == SEEN_LIVE && there == SEEN_LIVE));
        assert_int_equal(two_revoke(fx, &token), ASSAY_OK);
    }
    if (issued == ASSAY_OK) {
        assert_int_equal(two_look(fx, &fresh), SEEN_LIVE);
        assert_int_equal(two_other_look(fx, &fresh), SEEN_LIVE);
    }
    assert_int_equal(two_look(fx, &token), SEEN_DEAD);
    assert_int_equal(two_other_look(fx, &token), SEEN_DEAD);
    assert_int_equal(two_issue(fx, &fresh), ASSAY_OK);
    assert_int_equal(two_other_look(fx, &fresh), SEEN_LIVE);
    assert_int_equal(two_other_revoke(fx, &fresh), ASSAY_OK);
    assert_int_equal(two_look(fx, &fresh), SEEN_DEAD);
    return fired;
}

/* Strikes the first such call, the second, ... until a run goes by without one being struck. */
static unsigned strike_each(struct two *fx, const char *calls, const char *mode, const char *action,
                            bool invisible)
{
    unsigned n = 0;
    unsigned struck = 0;
    do {
        char spec[128];
        n++;
        snprintf(spec, sizeof(spec), "%s:%u:%s:%s", calls, n, mode, action);
        struck = go_through(fx, spec, invisible);
        assert_true(n < 200);
    } while (struck > 0);
    return n - 1;
}

/* F-23, REL-05: when a flush of data pages fails, the change has not happened for anybody and is
 * not answered with success, once or for ever; no later try of the same flush makes it good. */
static void a_failed_flush_is_an_error_and_leaves_no_trace(void **state)
{
    assert_true(strike_each(*state, "sync", "once", "EIO", true) >= 1);
    assert_true(strike_each(*state, "sync", "lasting", "EIO", true) >= 1);
}

/* F-25, REL-05: every write in turn falls short or fails with each errno. */
static void every_write_may_fail_or_fall_short(void **state)
{
    static const char *const actions[] = {"short", "EINTR", "ENOSPC", "EAGAIN", "EIO"};
    for (size_t i = 0; i < (deep() ? 5 : 3); i++) {
        assert_true(strike_each(*state, "write", "once", actions[i], false) >= 2);
        if (strcmp(actions[i], "EINTR") != 0) { /* for ever, that is a call that never returns */
            assert_true(strike_each(*state, "write", "lasting", actions[i], false) >= 1);
        }
        assert_true(strike_each(*state, "lseek", "once", actions[i], false) <= 20);
    }
}

/* F-22: quota, read-only remount, permissions, file size limit. */
static void writes_that_are_not_allowed_are_errors_and_reads_go_on(void **state)
{
    static const char *const actions[] = {"EFBIG", "EROFS", "EDQUOT", "EACCES"};
    for (size_t i = 0; i < (deep() ? 4 : 2); i++) {
        assert_true(strike_each(*state, "write", "lasting", actions[i], false) >= 1);
    }
}

/* F-24: LMDB lets nothing through after a failed write of a meta page until the environment is
 * opened again, which happens by itself; other processes see the old state or the new one. */
static void a_failed_meta_page_reopens_the_environment(void **state)
{
    static const char *const actions[] = {"EIO", "ENOSPC", "short"};
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        assert_true(strike_each(*state, "meta", "once", actions[i], false) >= 1);
        assert_true(strike_each(*state, "meta", "lasting", actions[i], false) >= 1);
    }
}

/* F-24, F-47: and when opening it again fails too: no descriptor, no memory, no map. */
static void a_failed_reopening_is_tried_again(void **state)
{
    struct two *fx = *state;
    static const char *const seconds[] = {
        "open:1:once:EMFILE", "open:2:once:EMFILE", "open:3:once:EMFILE",
        "mmap:1:once:ENOMEM", "mmap:2:once:ENOMEM", "alloc:1:once",
        "alloc:2:once",       "pread:1:once:EIO",   "fdatasync:1:once"};
    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        char spec[128];
        struct handle token;
        assert_int_equal(two_issue(fx, &token), ASSAY_OK);
        snprintf(spec, sizeof(spec), "meta:1:once:EIO,%s", seconds[i]);
        fault_arm_caller(spec, "liblmdb");
        assert_int_not_equal(two_revoke(fx, &token), ASSAY_OK);
        enum sight here = two_look(fx, &token);
        assert_true(here == SEEN_TROUBLE || here == SEEN_LIVE);
        fault_disarm();
        assert_int_equal(two_other_look(fx, &token), SEEN_LIVE);
        assert_int_equal(two_revoke(fx, &token), ASSAY_OK);
        assert_int_equal(two_look(fx, &token), SEEN_DEAD);
    }
}

static struct handle waited_for;

static bool reads_again(struct two *fx)
{
    return two_look(fx, &waited_for) == SEEN_LIVE;
}

/* REL-05, F-47: an environment that could not be opened again comes back without anybody writing:
 * a server that is only asked would stay deaf otherwise. */
static void a_closed_environment_comes_back_without_a_write(void **state)
{
    struct two *fx = *state;
    assert_int_equal(two_issue(fx, &waited_for), ASSAY_OK);
    fault_arm("meta:1:once:EIO,open:1:lasting:EMFILE", fx->path);
    assert_int_not_equal(two_revoke(fx, &waited_for), ASSAY_OK);
    assert_int_equal(two_look(fx, &waited_for), SEEN_TROUBLE);
    fault_disarm();
    two_wait(fx, reads_again);
}

static bool is_readable(struct two *fx)
{
    return two_look(fx, &waited_for) != SEEN_TROUBLE;
}

static bool is_ready(struct two *fx)
{
    return two_stat(fx).reason_count == 0;
}

/* F-23: `store_io` shows while writing fails and goes when it works again, also when nobody but the
 * store itself tries: readiness must not wait for requests that it keeps away. */
static void readiness_names_a_failing_disk_and_recovers_by_itself(void **state)
{
    struct two *fx = *state;
    struct handle token;
    assert_int_equal(two_issue(fx, &token), ASSAY_OK);
    assert_true(is_ready(fx));
    fault_arm("sync:1:lasting:EIO", fx->path);
    assert_int_equal(two_revoke(fx, &token), ASSAY_ERR_STORE);
    assert_true(two_has_reason(fx, "store_io"));
    assert_int_equal(two_look(fx, &token), SEEN_LIVE);
    fault_disarm();
    two_wait(fx, is_ready);
}

/* --- killed, stopped --- */

/* F-02, F-03, REL-02: a process is killed at each call it makes while it revokes, also after the
 * commit and before the answer. The token is live or dead and whole, the next writer goes on at
 * once, and what was answered holds. */
static void a_killed_writer_leaves_all_or_nothing(void **state)
{
    struct two *fx = *state;
    static const char *const calls[] = {"write+fdatasync+lseek", "alloc"};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        static const char *const ways[] = {"kill", "killed"};
        for (unsigned n = 1, way = 0; way < (i == 0 ? 2 : 1); n++) {
            char spec[64];
            struct handle token;
            assert_int_equal(two_issue(fx, &token), ASSAY_OK);
            snprintf(spec, sizeof(spec), "%s:%u:once:%s", calls[i], n, ways[way]);
            two_other_arm(fx, spec);
            enum assay_status status = two_other_revoke(fx, &token);
            if (status != TWO_DIED) {
                assert_int_equal(status, ASSAY_OK);
                assert_int_equal(two_look(fx, &token), SEEN_DEAD);
                two_other_arm(fx, "write:1000000");
                n = 0;
                way++;
                continue;
            }
            enum sight sight = two_look(fx, &token);
            assert_true(sight == SEEN_LIVE || sight == SEEN_DEAD);
            assert_int_equal(two_revoke(fx, &token), ASSAY_OK);
            assert_int_equal(two_look(fx, &token), SEEN_DEAD);
            two_other_start(fx);
            assert_int_equal(two_other_look(fx, &token), SEEN_DEAD);
            assert_true(n < 100);
        }
    }
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool has_stopped(pid_t pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

static void wait_stopped(struct two *fx)
{
    int64_t until = now_ms() + 20000;
    while (!has_stopped(fx->other)) {
        assert_true(now_ms() < until);
    }
}

static bool is_not_blocked(struct two *fx)
{
    return !two_has_reason(fx, "store_write_blocked");
}

/* F-06, REL-07: a process that is stopped with the write lock in its hands delays no read; writes
 * here are refused when their time is up, not before and not much later; the word says so and goes
 * by itself once the process goes on or dies. */
static void a_stopped_writer_delays_no_read_and_blocks_writes_for_a_bounded_time(void **state)
{
    struct two *fx = *state;
    static const int ends[] = {SIGCONT, SIGKILL};
    for (size_t i = 0; i < 2; i++) {
        struct handle token;
        struct handle other;
        assert_int_equal(two_issue(fx, &token), ASSAY_OK);
        assert_int_equal(two_issue(fx, &other), ASSAY_OK);
        two_other_arm(fx, "fdatasync:1:once:stop");
        two_other_begin_revoke(fx, &other);
        wait_stopped(fx);

        int64_t start_ms = now_ms();
        assert_int_equal(two_look(fx, &token), SEEN_LIVE);
        assert_true(now_ms() - start_ms < 1000);
        assert_int_equal(two_revoke(fx, &token), ASSAY_ERR_STORE);
        assert_true(now_ms() - start_ms >= 1500 && now_ms() - start_ms < 10000);
        assert_true(two_has_reason(fx, "store_write_blocked"));
        assert_int_equal(two_look(fx, &token), SEEN_LIVE);

        kill(fx->other, ends[i]);
        enum assay_status status = two_other_end_revoke(fx);
        assert_int_equal(status, ends[i] == SIGCONT ? ASSAY_OK : TWO_DIED);
        two_wait(fx, is_not_blocked);
        assert_int_equal(two_revoke(fx, &token), ASSAY_OK);
        assert_int_equal(two_look(fx, &token), SEEN_DEAD);
    }
}

/* REL-07: nor can such a process keep another from leaving: what waits is refused, and the writer
 * is left behind. In a process of its own, as what is left behind is never freed. */
static void closing_does_not_wait_for_a_stopped_writer(void **state)
{
    struct two *fx = *state;
    struct handle token;
    int status = 0;
    assert_int_equal(two_issue(fx, &token), ASSAY_OK);
    two_shut(fx);
    two_other_arm(fx, "fdatasync:1:once:stop");
    two_other_begin_revoke(fx, &token);
    wait_stopped(fx);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct assay_error error = {0};
        int64_t start_ms = now_ms();
        bool right = two_start(fx, &error) == ASSAY_OK && two_look(fx, &token) == SEEN_LIVE &&
                     two_revoke(fx, &token) == ASSAY_ERR_STORE;
        two_shut(fx);
        _exit(right && now_ms() - start_ms < 15000 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    kill(fx->other, SIGCONT);
    assert_int_equal(two_other_end_revoke(fx), ASSAY_OK);
}

/* F-34: readers that are killed inside a snapshot leave their slots behind; they are swept, 200
 * times over where LMDB's own number of slots is 126, and the store does not grow by what they
 * pinned. */
static void killed_readers_leave_no_slots(void **state)
{
    struct two *fx = *state;
    struct handle token;
    int deaths = deep() ? 1200 : 200; /* the engine asks for 1024 slots */
    assert_int_equal(two_issue(fx, &token), ASSAY_OK);
    for (int i = 0; i < deaths; i++) {
        two_other_die_reading(fx, &token);
        two_other_start(fx);
    }
    long before = two_file_size(fx, "data");
    for (int i = 0; i < 100; i++) {
        struct handle more;
        assert_int_equal(two_issue(fx, &more), ASSAY_OK);
    }
    /* A pinned snapshot would make each commit take some ten pages anew. */
    assert_true(two_file_size(fx, "data") - before < 100 * 4096);
    assert_int_equal(two_other_look(fx, &token), SEEN_LIVE);
}

/* --- room --- */

static bool has_room(struct two *fx)
{
    return !two_has_reason(fx, "store_full");
}

static bool has_ballast(struct two *fx)
{
    return two_file_size(fx, "ballast") == 1 << 20;
}

/* F-20, REL-09: on a full disk reads go on and issuing stops; revocation goes on in the room of the
 * ballast; everything resumes, and the ballast is back, once there is room. */
static void on_a_full_disk_issuing_stops_and_revoking_goes_on(void **state)
{
    struct two *fx = *state;
    static struct handle tokens[2000];
    size_t count = 0;
    const uint64_t size = UINT64_C(8) << 20;
    fault_disk(fx->path, size);
    two_wait(fx, has_ballast);
    for (; count < 500; count++) {
        assert_int_equal(two_issue(fx, &tokens[count]), ASSAY_OK);
    }
    /* Another's file takes what is left but a little. */
    fault_disk(fx->path, (uint64_t)two_file_size(fx, "data") + (1 << 20) + 300000);
    enum assay_status status = ASSAY_OK;
    while (status == ASSAY_OK && count < 2000) {
        status = two_issue(fx, &tokens[count]);
        count += status == ASSAY_OK;
    }
    assert_int_equal(status, ASSAY_ERR_FULL);
    assert_true(two_has_reason(fx, "store_full"));
    assert_int_equal(two_look(fx, &tokens[0]), SEEN_LIVE);

    struct handle none;
    unsigned refused = 0;
    for (size_t i = 0; i < count; i++) {
        enum assay_status revoked = two_revoke(fx, &tokens[i]);
        if (revoked != ASSAY_OK) { /* the first to find the disk full gives the ballast up */
            assert_int_equal(revoked, ASSAY_ERR_FULL);
            assert_int_equal(two_look(fx, &tokens[i]), SEEN_LIVE);
            assert_int_equal(two_revoke(fx, &tokens[i]), ASSAY_OK);
            refused++;
        }
        assert_int_equal(two_look(fx, &tokens[i]), SEEN_DEAD);
    }
    assert_true(refused <= 1);
    assert_int_equal(two_issue(fx, &none), ASSAY_ERR_FULL);
    assert_false(has_ballast(fx));

    fault_disk(fx->path, UINT64_C(16) << 20);
    two_wait(fx, has_room);
    two_wait(fx, has_ballast);
    assert_int_equal(two_issue(fx, &none), ASSAY_OK);
    assert_int_equal(two_look(fx, &none), SEEN_LIVE);
}

/* F-20, REL-09: a second process that still has seen the ballast takes no room of revocation's
 * either: it is a file, not a memory. */
static void the_ballast_is_one_for_all_processes(void **state)
{
    struct two *fx = *state;
    struct handle token;
    fault_disk(fx->path, UINT64_C(8) << 20);
    two_wait(fx, has_ballast);
    assert_int_equal(two_issue(fx, &token), ASSAY_OK);
    char path[128];
    two_file_path(fx, "ballast", path);
    assert_int_equal(unlink(path), 0); /* as another process would */
    fault_disk(fx->path, (uint64_t)two_file_size(fx, "data") + 1000000);
    assert_int_equal(two_issue(fx, &token), ASSAY_ERR_FULL);
}

/* F-20, F-25: no room at all, without warning: writes fail half way, and nothing is lost. */
static void a_disk_without_any_room_loses_nothing(void **state)
{
    struct two *fx = *state;
    struct handle token;
    assert_int_equal(two_issue(fx, &token), ASSAY_OK);
    for (unsigned pages = 0; pages < 12; pages++) {
        struct handle fresh;
        uint64_t used = 0;
        static const char *const files[] = {"data", "data-lock", "wake", "witness", "ballast"};
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
            long size = two_file_size(fx, files[i]);
            used += size < 0 ? 0 : ((uint64_t)size + 4095) / 4096 * 4096;
        }
        fault_disk(fx->path, used + pages * 4096 + 1);
        (void)two_issue(fx, &fresh);
        assert_int_equal(two_look(fx, &token), SEEN_LIVE);
        fault_disk("", 0);
        assert_int_equal(two_issue(fx, &fresh), ASSAY_OK);
        assert_int_equal(two_look(fx, &fresh), SEEN_LIVE);
        two_reopen(fx);
        assert_int_equal(two_look(fx, &fresh), SEEN_LIVE);
    }
}

static void of_eight_megabytes(struct two *fx)
{
    fx->options.max_size = UINT64_C(8) << 20;
}

static int setup_small(void **state)
{
    *state = two_open(true, of_eight_megabytes);
    return 0;
}

/* F-21, REL-09: at 95 % of max_size issuing stops, and 1,000 revocations are acknowledged all the
 * same; a larger max_size is an ordinary new start, with another process still at the old one. */
static void at_max_size_a_thousand_revocations_are_still_acknowledged(void **state)
{
    struct two *fx = *state;
    static struct handle tokens[1000];
    struct handle token;
    size_t count = 0;
    enum assay_status status;
    while ((status = two_issue_large(fx, 3000, &token)) == ASSAY_OK) {
        tokens[count % 1000] = token;
        count++;
    }
    assert_int_equal(status, ASSAY_ERR_FULL);
    assert_true(count >= 1000);
    assert_true(two_has_reason(fx, "store_full"));
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(two_revoke(fx, &tokens[i]), ASSAY_OK);
        assert_int_equal(two_look(fx, &tokens[i]), SEEN_DEAD);
    }
    assert_int_equal(two_issue(fx, &token), ASSAY_ERR_FULL);
    struct assay_store_stat stat = two_stat(fx);
    assert_true(stat.bytes_used <= stat.bytes_max);

    fx->options.max_size = UINT64_C(32) << 20;
    two_reopen(fx);
    assert_int_equal(two_issue(fx, &token), ASSAY_OK);
    assert_int_equal(two_look(fx, &token), SEEN_LIVE);
    assert_int_equal(two_other_look(fx, &token), SEEN_LIVE);
    assert_int_equal(two_other_look(fx, &tokens[7]), SEEN_DEAD);
}

/* F-22: a file size limit is an error of a write; that it does not kill is the host's to see to
 * (SIGXFSZ ignored), which test_fault_storage.py shows of the server and the command. */
static void a_file_size_limit_refuses_writes_and_nothing_else(void **state)
{
    struct two *fx = *state;
    struct handle token;
    struct handle fresh;
    struct rlimit before;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    assert_int_equal(two_issue(fx, &token), ASSAY_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(sigaction(SIGXFSZ, &ignore, NULL), 0);
    struct rlimit low = {(rlim_t)two_file_size(fx, "data"), before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    enum assay_status status = ASSAY_OK;
    for (int i = 0; i < 2000 && status == ASSAY_OK; i++) {
        status = two_issue(fx, &fresh);
    }
    enum sight sight = two_look(fx, &token);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(status == ASSAY_ERR_STORE || status == ASSAY_ERR_FULL);
    assert_int_equal(sight, SEEN_LIVE);
    assert_int_equal(two_revoke(fx, &token), ASSAY_OK);
}

/* --- files --- */

static bool is_replaced(struct two *fx)
{
    return strstr(fx->log, "store_replaced") != NULL;
}

/* F-35: a lock file that is deleted while the store is open is noticed; nothing is written any
 * more, what is there can be read; nobody else comes in to write beside, until all have left. */
static void a_deleted_lock_file_stops_writes_and_lets_nobody_in(void **state)
{
    struct two *fx = *state;
    struct handle token;
    struct handle fresh;
    struct assay_error error = {0};
    char path[128];
    assert_int_equal(two_issue(fx, &token), ASSAY_OK);
    two_file_path(fx, "data-lock", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(two_revoke(fx, &token), ASSAY_ERR_STORE);
    assert_true(two_has_reason(fx, "store_replaced"));
    assert_int_equal(two_look(fx, &token), SEEN_LIVE);
    assert_int_equal(two_other_revoke(fx, &token), ASSAY_ERR_STORE);

    struct two newcomer = {.options = fx->options};
    newcomer.options.loop = &newcomer.loop.loop;
    newcomer.options.log = NULL;
    newcomer.options.tries_again = true; /* or it would wait for them */
    assert_int_equal(two_start(&newcomer, &error), ASSAY_ERR_SYSTEM);
    assert_non_null(strstr(error.what, "lock file"));
    assert_int_equal(two_file_size(fx, "data-lock"), -1);

    two_shut(fx);
    fx->options.tries_again = true;
    assert_int_equal(two_start(fx, &error), ASSAY_ERR_SYSTEM); /* the other is still inside */
    kill(fx->other, SIGKILL);
    (void)two_other_end_revoke(fx);
    assert_int_equal(two_start(fx, &error), ASSAY_OK);
    assert_int_equal(two_revoke(fx, &token), ASSAY_OK);
    assert_int_equal(two_issue(fx, &fresh), ASSAY_OK);
}

/* F-35: noticed also when nobody writes. */
static void a_deleted_lock_file_is_noticed_without_a_write(void **state)
{
    struct two *fx = *state;
    char path[128];
    two_file_path(fx, "data-lock", path);
    assert_int_equal(unlink(path), 0);
    two_wait(fx, is_replaced);
}

/* F-35: one left over by a crash, whatever is in it, is taken over. */
static void a_left_over_lock_file_is_taken_over(void **state)
{
    struct two *fx = *state;
    struct handle token;
    char path[128];
    static const char junk[9000] = "left over";
    assert_int_equal(two_issue(fx, &token), ASSAY_OK);
    two_shut(fx);
    two_file_path(fx, "data-lock", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(junk, 1, sizeof(junk), file), sizeof(junk));
    assert_int_equal(fclose(file), 0);
    struct assay_error error = {0};
    assert_ok(two_start(fx, &error), &error);
    assert_int_equal(two_look(fx, &token), SEEN_LIVE);
    assert_int_equal(two_revoke(fx, &token), ASSAY_OK);
}

/* F-35: one that may not be opened is a clear refusal. */
static void a_foreign_lock_file_is_refused_by_name(void **state)
{
    struct two *fx = *state;
    struct assay_error error = {0};
    two_shut(fx);
    fault_arm("open:1:lasting:EACCES", "data-lock");
    enum assay_status status = two_start(fx, &error);
    assert_int_equal(fault_fired() > 0, true);
    fault_disarm();
    assert_int_not_equal(status, ASSAY_OK);
    assert_string_equal(error.what, "the store's files belong to another user");
    assert_ok(two_start(fx, &error), &error);
}

/* Another file in the place of the data: nothing that is read here may be believed. */
static void replaced_data_is_neither_read_nor_written(void **state)
{
    struct two *fx = *state;
    struct handle token;
    struct assay_error error = {0};
    char data[128];
    char away[128];
    assert_int_equal(two_issue(fx, &token), ASSAY_OK);
    two_file_path(fx, "data", data);
    two_file_path(fx, "data.away", away);
    assert_int_equal(rename(data, away), 0);
    two_wait(fx, is_replaced);
    assert_int_equal(two_look(fx, &token), SEEN_TROUBLE);
    assert_int_equal(two_revoke(fx, &token), ASSAY_ERR_STORE);
    assert_int_equal(rename(away, data), 0);
    assert_int_equal(two_revoke(fx, &token), ASSAY_OK);
    assert_int_equal(two_look(fx, &token), SEEN_DEAD);
    two_reopen(fx);
    assert_ok(ASSAY_OK, &error);
    assert_int_equal(two_look(fx, &token), SEEN_DEAD);
}

/* F-26: data that was cut short is refused at the start, and its sizes are told. */
static void data_cut_short_is_refused_with_its_sizes(void **state)
{
    struct two *fx = *state;
    struct handle token;
    struct assay_error error = {0};
    char path[128];
    for (int i = 0; i < 50; i++) {
        assert_int_equal(two_issue(fx, &token), ASSAY_OK);
    }
    two_shut(fx);
    two_file_path(fx, "data", path);
    long whole = two_file_size(fx, "data");
    static const long cuts[] = {1, 4096, 5 * 4096};
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        assert_int_equal(truncate(path, whole - cuts[i]), 0);
        assert_int_equal(two_start(fx, &error), ASSAY_ERR_CORRUPT);
        assert_non_null(strstr(error.what, "cut short"));
        assert_int_equal(error.found, whole - cuts[i]);
        assert_int_equal(error.wanted, whole);
        assert_int_equal(assay_lmdb_check(fx->path, &error), ASSAY_ERR_CORRUPT);
    }
    assert_int_equal(truncate(path, 5000), 0);
    assert_int_equal(two_start(fx, &error), ASSAY_ERR_CORRUPT);
    assert_non_null(strstr(error.what, "cut short"));
}

/* F-27: no store, an empty file, an empty directory: refused, with what to do; and nothing is made.
 */
static void no_store_is_refused_and_none_is_made(void **state)
{
    struct two *fx = *state;
    struct assay_error error = {0};
    char path[128];
    char lock[128];
    two_shut(fx);
    two_file_path(fx, "data", path);
    two_file_path(fx, "data-lock", lock);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(two_start(fx, &error), ASSAY_ERR_ABSENT);
    assert_non_null(strstr(error.what, "assay store create"));
    assert_int_equal(two_file_size(fx, "data"), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(two_start(fx, &error), ASSAY_ERR_ABSENT);
    assert_non_null(strstr(error.what, "assay store create"));
    assert_int_equal(two_file_size(fx, "data"), -1);
    fx->options.path = "/tmp/assay-no-such-place";
    assert_int_equal(two_start(fx, &error), ASSAY_ERR_ABSENT);
    assert_int_equal(access(fx->options.path, F_OK), -1);
    fx->options.path = fx->path;
}

/* --- creation --- */

static int create_under(const char *path, const char *spec)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct assay_error error = {0};
        fault_arm(spec, NULL);
        _exit(assay_lmdb_create(path, &error) == ASSAY_OK ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -1 : WEXITSTATUS(status);
}

/* A store is there and works, or none is there. */
static void whole_or_absent(struct two *fx, bool acknowledged)
{
    struct assay_error error = {0};
    enum assay_status status = two_start(fx, &error);
    if (status != ASSAY_OK) {
        assert_false(acknowledged);
        assert_int_equal(status, ASSAY_ERR_ABSENT);
        assert_ok(assay_lmdb_create(fx->path, &error), &error);
        assert_ok(two_start(fx, &error), &error);
    }
    assert_int_equal(two_stat(fx).tokens, 0);
    two_shut(fx);
}

static void empty_directory(const struct two *fx)
{
    static const char *const names[] = {"data", "data-lock", "data.new", "data.new-lock",
                                        "wake", "witness",   "ballast",  "witness.new"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];
        two_file_path(fx, names[i], path);
        (void)unlink(path);
    }
}

/* F-36: killed at each call of a creation, or let down by it, there is no store or a whole one
 * afterwards, and the next creation works. */
static void a_creation_that_ends_half_way_leaves_no_store_or_a_whole_one(void **state)
{
    struct two *fx = *state;
    static const char *const calls = "write+sync+lseek+ftruncate+renameat+unlinkat+openat";
    static const char *const ways[] = {"kill", "killed", "EIO", "ENOSPC"};
    two_shut(fx);
    for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++) {
        int code = -1;
        for (unsigned n = 1; code != 0 || n < 3; n++) {
            char spec[128];
            empty_directory(fx);
            snprintf(spec, sizeof(spec), "%s:%u:once:%s", calls, n, ways[way]);
            code = create_under(fx->path, spec);
            whole_or_absent(fx, code == 0);
            if (n > 8 && code == 0) {
                break;
            }
            assert_true(n < 60);
        }
    }
    struct assay_error error = {0};
    assert_ok(two_start(fx, &error), &error);
}

/* --- memory, descriptors --- */

/* Whose allocations fail: not those of a sanitizer's own runtime. */
static const char *const callers[] = {"liblmdb", "store_fault", "libcrypto"};
#define CALLERS 3

static bool stumble(struct two *fx, const char *spec, const char *caller)
{
    struct handle token;
    struct handle dead;
    struct handle fresh;
    assert_int_equal(two_issue(fx, &token), ASSAY_OK);
    assert_int_equal(two_issue(fx, &dead), ASSAY_OK);
    assert_int_equal(two_revoke(fx, &dead), ASSAY_OK);
    two_reopen(fx); /* with nothing kept */
    fault_arm_caller(spec, caller);
    enum sight live_sight = two_look(fx, &token);
    enum sight dead_sight = two_look(fx, &dead);
    enum assay_status issued = two_issue(fx, &fresh);
    enum assay_status revoked = two_revoke(fx, &token);
    enum sight after = two_look(fx, &token);
    bool fired = fault_fired() > 0;
    fault_disarm();
    assert_true(live_sight == SEEN_LIVE || live_sight == SEEN_TROUBLE);
    assert_true(dead_sight == SEEN_DEAD || dead_sight == SEEN_TROUBLE);
    assert_true(after == SEEN_TROUBLE || after == (revoked == ASSAY_OK ? SEEN_DEAD : SEEN_LIVE));
    waited_for = token;
    two_wait(fx, is_readable); /* an environment that could not be opened comes back */
    assert_int_equal(two_look(fx, &token), revoked == ASSAY_OK ? SEEN_DEAD : SEEN_LIVE);
    if (issued == ASSAY_OK) {
        assert_int_equal(two_look(fx, &fresh), SEEN_LIVE);
    }
    assert_int_equal(two_revoke(fx, &token), ASSAY_OK);
    assert_int_equal(two_look(fx, &token), SEEN_DEAD);
    return fired;
}

/* F-44, REL-04: no allocation that fails while a token is looked for, issued or revoked makes a
 * dead token live, a live one unknown, or a change half done. */
static void a_failed_allocation_is_trouble_and_never_a_wrong_answer(void **state)
{
    struct two *fx = *state;
    static const char *const modes[] = {"once", "lasting"};
    unsigned struck = 0;
    for (size_t i = 0; i < 2 * CALLERS; i++) {
        char spec[64];
        unsigned n = 0;
        do {
            snprintf(spec, sizeof(spec), "alloc:%u:%s", ++n, modes[i % 2]);
            assert_true(n < 300);
        } while (stumble(fx, spec, callers[i / 2]));
        struck += n - 1;
    }
    assert_true(struck > 20);
}

/* F-44, F-47: nothing that fails while a store is opened leaves it half open, or anything behind:
 * neither memory (under the sanitizer) nor descriptors. */
static void an_opening_that_fails_leaves_nothing_behind(void **state)
{
    struct two *fx = *state;
    struct handle token;
    struct assay_error error = {0};
    static const struct {
        const char *calls;
        const char *action;
        const char *caller;
    } cases[] = {{"alloc", "ENOMEM", "liblmdb"},      {"alloc", "ENOMEM", "store_fault"},
                 {"alloc", "ENOMEM", "libcrypto"},    {"open+openat+eventfd", "EMFILE", NULL},
                 {"mmap", "ENOMEM", "liblmdb"},       {"read+pread", "EIO", NULL},
                 {"ftruncate+write", "ENOSPC", NULL}, {"pthread_create", "EAGAIN", NULL}};
    assert_int_equal(two_issue(fx, &token), ASSAY_OK);
    two_shut(fx);
    int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(close(lowest), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned fired = 1;
        for (unsigned n = 1; fired > 0; n++) {
            char spec[128];
            snprintf(spec, sizeof(spec), "%s:%u:once:%s", cases[i].calls, n, cases[i].action);
            fault_arm_caller(spec, cases[i].caller);
            enum assay_status status = two_start(fx, &error);
            fired = fault_fired();
            fault_disarm();
            if (status == ASSAY_OK) {
                assert_int_equal(two_look(fx, &token), SEEN_LIVE);
                two_shut(fx);
            }
            int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
            assert_int_equal(next, lowest);
            close(next);
            assert_true(n < 400);
        }
    }
    assert_ok(two_start(fx, &error), &error);
    assert_int_equal(two_look(fx, &token), SEEN_LIVE);
}

/* Is any of the descriptors 0, 1 and 2 a file of the store? */
static bool on_standard_descriptor(const struct two *fx)
{
    for (int fd = 0; fd <= 2; fd++) {
        char link[64];
        char target[256] = "";
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        if (readlink(link, target, sizeof(target) - 1) > 0 && strstr(target, fx->path) != NULL) {
            return true;
        }
    }
    return false;
}

/* F-16: in a process whose standard descriptors are closed, none of them becomes a file of the
 * store, when it is opened or when it is opened again. */
static void no_standard_descriptor_becomes_a_file_of_the_store(void **state)
{
    struct two *fx = *state;
    struct handle token;
    struct assay_error error = {0};
    int status = 0;
    assert_int_equal(two_issue(fx, &token), ASSAY_OK);
    two_shut(fx);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)(close(0) + close(1) + close(2));
        bool right = two_start(fx, &error) == ASSAY_OK && !on_standard_descriptor(fx);
        (void)(close(0) + close(1) + close(2));
        fault_arm("meta:1:once:EIO", fx->path);
        right = right && two_revoke(fx, &token) != ASSAY_OK && two_revoke(fx, &token) == ASSAY_OK;
        _exit(right && !on_standard_descriptor(fx) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_ok(two_start(fx, &error), &error);
    assert_int_equal(two_look(fx, &token), SEEN_DEAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_failed_flush_is_an_error_and_leaves_no_trace, setup_two,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_write_may_fail_or_fall_short, setup_two, teardown),
        cmocka_unit_test_setup_teardown(writes_that_are_not_allowed_are_errors_and_reads_go_on,
                                        setup_two, teardown),
        cmocka_unit_test_setup_teardown(a_failed_meta_page_reopens_the_environment, setup_two,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_failed_reopening_is_tried_again, setup_two, teardown),
        cmocka_unit_test_setup_teardown(a_closed_environment_comes_back_without_a_write, setup_one,
                                        teardown),
        cmocka_unit_test_setup_teardown(readiness_names_a_failing_disk_and_recovers_by_itself,
                                        setup_one, teardown),
        cmocka_unit_test_setup_teardown(a_killed_writer_leaves_all_or_nothing, setup_two, teardown),
        cmocka_unit_test_setup_teardown(
            a_stopped_writer_delays_no_read_and_blocks_writes_for_a_bounded_time, setup_two,
            teardown),
        cmocka_unit_test_setup_teardown(closing_does_not_wait_for_a_stopped_writer, setup_two,
                                        teardown),
        cmocka_unit_test_setup_teardown(killed_readers_leave_no_slots, setup_two, teardown),
        cmocka_unit_test_setup_teardown(a_deleted_lock_file_stops_writes_and_lets_nobody_in,
                                        setup_two, teardown),
        cmocka_unit_test_setup_teardown(at_max_size_a_thousand_revocations_are_still_acknowledged,
                                        setup_small, teardown),
        cmocka_unit_test_setup_teardown(on_a_full_disk_issuing_stops_and_revoking_goes_on,
                                        setup_one, teardown),
        cmocka_unit_test_setup_teardown(the_ballast_is_one_for_all_processes, setup_one, teardown),
        cmocka_unit_test_setup_teardown(a_disk_without_any_room_loses_nothing, setup_one, teardown),
        cmocka_unit_test_setup_teardown(a_file_size_limit_refuses_writes_and_nothing_else,
                                        setup_one, teardown),
        cmocka_unit_test_setup_teardown(a_deleted_lock_file_is_noticed_without_a_write, setup_one,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_left_over_lock_file_is_taken_over, setup_one, teardown),
        cmocka_unit_test_setup_teardown(a_foreign_lock_file_is_refused_by_name, setup_one,
                                        teardown),
        cmocka_unit_test_setup_teardown(replaced_data_is_neither_read_nor_written, setup_one,
                                        teardown),
        cmocka_unit_test_setup_teardown(data_cut_short_is_refused_with_its_sizes, setup_one,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_store_is_refused_and_none_is_made, setup_one, teardown),
        cmocka_unit_test_setup_teardown(
            a_creation_that_ends_half_way_leaves_no_store_or_a_whole_one, setup_one, teardown),
        cmocka_unit_test_setup_teardown(a_failed_allocation_is_trouble_and_never_a_wrong_answer,
                                        setup_one, teardown),
        cmocka_unit_test_setup_teardown(an_opening_that_fails_leaves_nothing_behind, setup_one,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_standard_descriptor_becomes_a_file_of_the_store,
                                        setup_one, teardown),
    };
    return cmocka_run_group_tests_name("store under faults", tests, NULL, NULL);
}
