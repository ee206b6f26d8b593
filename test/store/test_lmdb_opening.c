/* A store is walked at each opening (docs/decisions/018), while others write to it. */
#include "fixture.h"
#include "store/lmdb/lmdb_store.h"
#include "support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES 8
#define OPENINGS 6 /* of each */

/* Opens, writes one token, closes; again and again. Exits with 1 when it could not. */
static void come_and_go(const struct engine_place *place)
{
    for (int i = 0; i < OPENINGS; i++) {
        struct fixture fx = {.place = *place};
        struct assay_lmdb_options options = {.path = fx.place.path, .loop = &fx.loop.loop};
        struct assay_error error = {0};
        struct assay_change issued;
        test_loop_init(&fx.loop);
        options.map_size = (uint64_t)8 << 30;
        if (assay_lmdb_open(&options, &fx.store, &error) != ASSAY_OK) {
            fprintf(stderr, "opening: %s\n", error.what);
            _exit(1);
        }
        if (fx_issue(&fx, "robot", false, NOW, &issued) != ASSAY_DONE) {
            _exit(1);
        }
        fx.store->ops->close(fx.store);
    }
    _exit(0);
}

static void grow_once(void **state)
{
    struct fixture *fx = *state;
    pid_t children[PROCESSES];
    fx_add_client(fx, "robot");
    fx->store->ops->close(fx->store);
    fx->store = NULL;
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            come_and_go(&fx->place);
        }
    }
    int failed = 0;
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        failed += status != 0 ? 1 : 0;
    }
    fx->store = engine_open(&fx->place, &fx->loop.loop);
    assert_int_equal(failed, 0);
    assert_int_equal(fx_stat(fx).tokens, PROCESSES * OPENINGS);
}

/* F-28, REL-05: what a young store has grown by since its file was looked at is no damage. The
 * moment is short, so it is tried with one store after the other. */
static void a_store_that_grows_is_not_taken_for_damaged(void **state)
{
    int rounds = getenv("ASSAY_DEEP") != NULL ? 500 : 20;
    (void)state;
    for (int i = 0; i < rounds; i++) {
        void *fresh = NULL;
        assert_int_equal(fx_setup(&fresh), 0);
        grow_once(&fresh);
        assert_int_equal(fx_teardown(&fresh), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_that_grows_is_not_taken_for_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
