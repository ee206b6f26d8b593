#include "tool/loop_poll.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>

static int64_t now_ms(void)
{
    struct timespec ts = {0};
    int rc = clock_gettime(CLOCK_MONOTONIC, &ts);
    assert(rc == 0);
    (void)rc;
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct assay_poll *poll_of(struct assay_loop *loop)
{
    return (struct assay_poll *)loop; /* the loop is the first member */
}

static enum assay_status watch(struct assay_loop *loop, struct assay_watch *w,
                               struct assay_error *reterr)
{
    struct assay_poll *p = poll_of(loop);
    for (size_t i = 0; i < p->watch_count; i++) {
        if (p->watches[i] == w) {
            return ASSAY_OK; /* what it wants is looked at each time */
        }
    }
    if (p->watch_count == ASSAY_POLL_MAX) {
        return assay_fail(ASSAY_ERR_SYSTEM, "too many descriptors watched", reterr);
    }
    p->watches[p->watch_count++] = w;
    return ASSAY_OK;
}

static void unwatch(struct assay_loop *loop, struct assay_watch *w)
{
    struct assay_poll *p = poll_of(loop);
    for (size_t i = 0; i < p->watch_count; i++) {
        if (p->watches[i] == w) {
            p->watches[i] = p->watches[--p->watch_count];
            return;
        }
    }
}

static void timer_clear(struct assay_loop *loop, struct assay_timer *timer)
{
    struct assay_poll *p = poll_of(loop);
    for (size_t i = 0; i < p->timer_count; i++) {
        if (p->timers[i].timer == timer) {
            p->timers[i] = p->timers[--p->timer_count];
            return;
        }
    }
}

static bool timer_set(struct assay_loop *loop, struct assay_timer *timer, int64_t delay_ms)
{
    struct assay_poll *p = poll_of(loop);
    timer_clear(loop, timer);
    assert(p->timer_count < ASSAY_POLL_MAX);
    p->timers[p->timer_count].timer = timer;
    p->timers[p->timer_count].due_ms = now_ms() + delay_ms;
    p->timer_count++;
    return true;
}

void assay_poll_init(struct assay_poll *poll)
{
    memset(poll, 0, sizeof *poll);
    poll->loop.watch = watch;
    poll->loop.unwatch = unwatch;
    poll->loop.timer_set = timer_set;
    poll->loop.timer_clear = timer_clear;
}

static int wait_of(const struct assay_poll *p, int64_t wait_ms)
{
    int64_t now = now_ms();
    for (size_t i = 0; i < p->timer_count; i++) {
        int64_t left = p->timers[i].due_ms - now;
        wait_ms = left < wait_ms ? left : wait_ms;
    }
    if (wait_ms < 0) {
        return 0;
    }
    return wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}

/* A callback may watch, unwatch, set and clear: so the list is looked at anew after each. */
static void fire_timers(struct assay_poll *p)
{
    int64_t now = now_ms();
    size_t i = 0;
    while (i < p->timer_count) {
        struct assay_timer *timer = p->timers[i].timer;
        if (p->timers[i].due_ms > now) {
            i++;
            continue;
        }
        timer_clear(&p->loop, timer);
        timer->fired(timer);
        i = 0;
    }
}

static short events_of(const struct assay_watch *w)
{
    unsigned wants = w->wants == 0 ? ASSAY_READABLE : w->wants;
    return (short)(((wants & ASSAY_READABLE) != 0 ? POLLIN : 0) |
                   ((wants & ASSAY_WRITABLE) != 0 ? POLLOUT : 0));
}

static unsigned ready_of(short revents)
{
    if ((revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
        return ASSAY_READABLE | ASSAY_WRITABLE;
    }
    return ((revents & POLLIN) != 0 ? ASSAY_READABLE : 0) |
           ((revents & POLLOUT) != 0 ? ASSAY_WRITABLE : 0);
}

static void call_ready(struct assay_poll *p, int fd, short revents)
{
    for (size_t i = 0; i < p->watch_count; i++) {
        if (p->watches[i]->fd == fd) {
            p->watches[i]->is = ready_of(revents);
            p->watches[i]->ready(p->watches[i]);
            return;
        }
    }
}

enum assay_status assay_poll_once(struct assay_poll *p, int64_t wait_ms, struct assay_error *reterr)
{
    struct pollfd fds[ASSAY_POLL_MAX];
    size_t count = p->watch_count;
    for (size_t i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = p->watches[i]->fd, .events = events_of(p->watches[i])};
    }

    int ready = poll(fds, (nfds_t)count, wait_of(p, wait_ms));
    if (ready < 0 && errno != EINTR) {
        return assay_fail(ASSAY_ERR_SYSTEM, "cannot wait for descriptors", reterr);
    }
    for (size_t i = 0; ready > 0 && i < count; i++) {
        if (fds[i].revents != 0) {
            call_ready(p, fds[i].fd, fds[i].revents);
        }
    }
    fire_timers(p);
    return ASSAY_OK;
}
