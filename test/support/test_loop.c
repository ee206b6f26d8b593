#include "support/test_loop.h"

#include <poll.h>
#include <stddef.h>
#include <time.h>

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum assay_status watch(struct assay_loop *base, struct assay_watch *watch,
                               struct assay_error *reterr)
{
    struct test_loop *loop = (struct test_loop *)base;
    (void)reterr;
    loop->watch = watch;
    return ASSAY_OK;
}

static void unwatch(struct assay_loop *base, struct assay_watch *watch)
{
    (void)watch;
    ((struct test_loop *)base)->watch = NULL;
}

static bool timer_set(struct assay_loop *base, struct assay_timer *timer, int64_t delay_ms)
{
    struct test_loop *loop = (struct test_loop *)base;
    loop->timer = timer;
    loop->due_ms = now_ms() + delay_ms;
    return true;
}

static void timer_clear(struct assay_loop *base, struct assay_timer *timer)
{
    (void)timer;
    ((struct test_loop *)base)->timer = NULL;
}

static void defer(struct assay_loop *base, struct assay_task *task)
{
    ((struct test_loop *)base)->task = task;
}

static void undefer(struct assay_loop *base, struct assay_task *task)
{
    (void)task;
    ((struct test_loop *)base)->task = NULL;
}

void test_loop_init(struct test_loop *loop)
{
    *loop = (struct test_loop){.loop = {watch, unwatch, timer_set, timer_clear, defer, undefer}};
}

void test_loop_run_task(struct test_loop *loop)
{
    struct assay_task *task = loop->task;
    loop->task = NULL;
    if (task != NULL) {
        task->run(task);
    }
}

void test_loop_turn(struct test_loop *loop, int wait_ms)
{
    test_loop_run_task(loop);
    struct pollfd fd = {.fd = loop->watch == NULL ? -1 : loop->watch->fd, .events = POLLIN};
    int64_t left = loop->timer == NULL ? wait_ms : loop->due_ms - now_ms();
    int wait = left < 0 ? 0 : left < wait_ms ? (int)left : wait_ms;
    if (poll(&fd, 1, wait) > 0) {
        loop->watch->ready(loop->watch);
    }
    if (loop->timer != NULL && now_ms() >= loop->due_ms) {
        struct assay_timer *timer = loop->timer;
        loop->timer = NULL;
        timer->fired(timer);
    }
}
