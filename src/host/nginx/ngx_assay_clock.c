#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "host/nginx/ngx_assay_clock.h"

#include <stdbool.h>

/* A worker has one loop. */
static struct {
    ngx_event_t over; /* runs behind the events of the turn */
    bool turn_known;
    int64_t turn_us;
    int64_t turn_s;
    bool judge_known;
    int64_t judge_s;
} clocks; /* NOLINT(cppcoreguidelines-avoid-non-const-global-variables) */

int64_t ngx_assay_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t ngx_assay_boot_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t ngx_assay_now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

static void on_turn_over(ngx_event_t *event)
{
    (void)event;
    clocks.turn_known = false;
}

void ngx_assay_clock_begin(int64_t *ret_us, int64_t *ret_s)
{
    clocks.judge_known = false;
    if (!clocks.turn_known) {
        clocks.turn_known = true;
        clocks.turn_us = ngx_assay_now_us();
        clocks.turn_s = ngx_assay_now_s();
        clocks.over.handler = on_turn_over;
        clocks.over.log = ngx_cycle->log;
        ngx_post_event(&clocks.over, &ngx_posted_events);
    }
    *ret_us = clocks.turn_us;
    *ret_s = clocks.turn_s;
}

int64_t ngx_assay_clock_judge_s(void)
{
    if (!clocks.judge_known) {
        clocks.judge_known = true;
        clocks.judge_s = ngx_assay_now_s();
    }
    return clocks.judge_s;
}
