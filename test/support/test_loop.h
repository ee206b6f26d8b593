/* A loop for tests: poll over the one descriptor and the one timer a store has. */
#ifndef ASSAY_TEST_SUPPORT_TEST_LOOP_H
#define ASSAY_TEST_SUPPORT_TEST_LOOP_H

#include "loop/loop.h"

struct test_loop {
    struct assay_loop loop; /* first */
    struct assay_watch *watch;
    struct assay_timer *timer;
    struct assay_task *task;
    int64_t due_ms; /* CLOCK_MONOTONIC */
};

void test_loop_init(struct test_loop *loop);

/* Serves what is ready or due; waits for it at most `wait_ms`. */
void test_loop_turn(struct test_loop *loop, int wait_ms);

/* Runs what was put off to the end of this turn. */
void test_loop_run_task(struct test_loop *loop);

#endif
