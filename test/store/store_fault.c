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

/* --- writes, flushes, the meta page
 * --------------------------------------------------------------- */

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
        fault_arm(spec, NULL);
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
    };
    return cmocka_run_group_tests_name("store under faults", tests, NULL, NULL);
}
