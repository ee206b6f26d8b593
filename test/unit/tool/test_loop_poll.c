#include "tool/loop_poll.h"

#include "support/check.h"

#include <unistd.h>

struct seen {
    struct assay_poll poll;
    int fds[2];
    int ready;
    int fired;
    struct assay_timer *again; /* set anew by the first that fires */
};

static void on_ready(struct assay_watch *watch)
{
    struct seen *seen = watch->context;
    char byte = 0;
    assert_int_equal(read(watch->fd, &byte, 1), 1);
    seen->ready++;
}

static void on_fired(struct assay_timer *timer)
{
    struct seen *seen = timer->context;
    seen->fired++;
    if (seen->again != NULL) {
        struct assay_timer *again = seen->again;
        seen->again = NULL;
        seen->poll.loop.timer_set(&seen->poll.loop, again, 0);
    }
}

static void once(struct seen *seen)
{
    struct assay_error error = {0};
    assert_ok(assay_poll_once(&seen->poll, 1, &error), &error);
}

static void watched_descriptor_is_called_when_readable_and_only_then(void **state)
{
    (void)state;
    struct seen seen = {0};
    assay_poll_init(&seen.poll);
    assert_int_equal(pipe(seen.fds), 0);
    struct assay_watch watch = {.fd = seen.fds[0], .ready = on_ready, .context = &seen};
    struct assay_error error = {0};
    assert_ok(seen.poll.loop.watch(&seen.poll.loop, &watch, &error), &error);
    once(&seen);
    assert_int_equal(seen.ready, 0);
    assert_int_equal(write(seen.fds[1], "x", 1), 1);
    once(&seen);
    assert_int_equal(seen.ready, 1);

    seen.poll.loop.unwatch(&seen.poll.loop, &watch);
    assert_int_equal(write(seen.fds[1], "x", 1), 1);
    once(&seen);
    assert_int_equal(seen.ready, 1);
    close(seen.fds[0]);
    close(seen.fds[1]);
}

static void timer_fires_once_and_may_be_set_again_while_it_fires(void **state)
{
    (void)state;
    struct seen seen = {0};
    assay_poll_init(&seen.poll);
    struct assay_timer timer = {.fired = on_fired, .context = &seen};
    seen.again = &timer;
    seen.poll.loop.timer_set(&seen.poll.loop, &timer, 0);
    once(&seen);
    once(&seen);
    once(&seen);
    assert_int_equal(seen.fired, 2);
}

static void cleared_timer_does_not_fire(void **state)
{
    (void)state;
    struct seen seen = {0};
    assay_poll_init(&seen.poll);
    struct assay_timer timer = {.fired = on_fired, .context = &seen};
    seen.poll.loop.timer_set(&seen.poll.loop, &timer, 0);
    seen.poll.loop.timer_set(&seen.poll.loop, &timer, 60000); /* moved */
    once(&seen);
    seen.poll.loop.timer_set(&seen.poll.loop, &timer, 0);
    seen.poll.loop.timer_clear(&seen.poll.loop, &timer);
    once(&seen);
    assert_int_equal(seen.fired, 0);
}

static void one_descriptor_too_many_is_an_error(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct assay_watch watches[ASSAY_POLL_MAX + 1];
    struct assay_error error = {0};
    assay_poll_init(&seen.poll);
    for (int i = 0; i <= ASSAY_POLL_MAX; i++) {
        watches[i] = (struct assay_watch){.fd = 0, .ready = on_ready, .context = &seen};
    }
    for (int i = 0; i < ASSAY_POLL_MAX; i++) {
        assert_ok(seen.poll.loop.watch(&seen.poll.loop, &watches[i], &error), &error);
        assert_ok(seen.poll.loop.watch(&seen.poll.loop, &watches[i], &error), &error); /* anew */
    }
    assert_int_equal(seen.poll.loop.watch(&seen.poll.loop, &watches[ASSAY_POLL_MAX], &error),
                     ASSAY_ERR_SYSTEM);
}

static void on_writable(struct assay_watch *watch)
{
    struct seen *seen = watch->context;
    seen->fired += watch->is == ASSAY_WRITABLE ? 1 : 0;
    seen->poll.loop.unwatch(&seen->poll.loop, watch);
}

static void a_descriptor_that_wants_to_be_written_is_called_when_it_can(void **state)
{
    (void)state;
    struct seen seen = {0};
    int ends[2];
    assay_poll_init(&seen.poll);
    assert_int_equal(pipe(ends), 0);
    struct assay_watch watch = {
        .fd = ends[1], .wants = ASSAY_WRITABLE, .ready = on_writable, .context = &seen};
    assert_int_equal(seen.poll.loop.watch(&seen.poll.loop, &watch, NULL), ASSAY_OK);
    once(&seen);
    assert_int_equal(seen.fired, 1);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watched_descriptor_is_called_when_readable_and_only_then),
        cmocka_unit_test(timer_fires_once_and_may_be_set_again_while_it_fires),
        cmocka_unit_test(cleared_timer_does_not_fire),
        cmocka_unit_test(one_descriptor_too_many_is_an_error),
        cmocka_unit_test(a_descriptor_that_wants_to_be_written_is_called_when_it_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
