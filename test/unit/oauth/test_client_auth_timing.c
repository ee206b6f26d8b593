/* Who is not there costs the work of who is wrong: what the whole server's tests cannot see among
 * all that a request costs, seen where it is done. CPU time, the least of many runs in turn. */
#include "oauth/client_auth.h"
#include "support/check.h"

#include <stdio.h>
#include <time.h>

#define CALLS 2000
#define RUNS 25
#define NOW 1000000

static int64_t cpu_ns(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t time_of(const struct assay_client_record *record, struct assay_digester *digester)
{
    struct assay_error error = {0};
    enum assay_auth_result result = ASSAY_AUTH_OK;
    struct assay_credentials wrong = {
        .method = ASSAY_AUTH_SECRET_BASIC,
        .client_id = ASSAY_SLICE("rs1"),
        .secret = ASSAY_SLICE("wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww")};
    size_t secret = 0;
    int64_t start = cpu_ns();
    for (size_t i = 0; i < CALLS; i++) {
        wrong.hashed = false; /* or the digest of the call before would do */
        assert_ok(assay_credentials_check(&wrong, record, NOW, digester, &result, &secret, &error),
                  &error);
        assert_int_equal(result, ASSAY_AUTH_FAILED);
    }
    return cpu_ns() - start;
}

/* A-SIDE-02 */
static void an_unknown_client_costs_what_a_wrong_secret_costs(void **state)
{
    (void)state;
    struct assay_error error = {0};
    struct assay_digester *digester = NULL;
    assert_ok(assay_digester_open(&digester, &error), &error);
    const struct assay_client_record known = {
        .client_id = ASSAY_SLICE("rs1"),
        .auth_method = ASSAY_AUTH_SECRET_BASIC,
        .secret_count = 1,
        .secrets = {{.form = ASSAY_SECRET_SHA256, .hash = {1, 2, 3}}},
    };
    struct assay_client_record disabled = known;
    disabled.disabled = true;
    const struct assay_client_record *const records[] = {&known, NULL, &disabled};
    int64_t least[3] = {INT64_MAX, INT64_MAX, INT64_MAX};
    for (size_t run = 0; run < RUNS; run++) {
        for (size_t i = 0; i < 3; i++) {
            int64_t took = time_of(records[i], digester);
            least[i] = took < least[i] ? took : least[i];
        }
    }
    assay_digester_close(digester);
    print_message("wrong secret %ld, unknown %ld, disabled %ld ns for %d\n", (long)least[0],
                  (long)least[1], (long)least[2], CALLS);
    for (size_t i = 1; i < 3; i++) {
        assert_true(least[i] * 4 > least[0] * 3 && least[i] * 3 < least[0] * 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_client_costs_what_a_wrong_secret_costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
