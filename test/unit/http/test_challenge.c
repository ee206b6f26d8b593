#include "http/challenge.h"

#include "support/check.h"

static uint8_t room[1024];

static struct assay_slice write(struct assay_challenge challenge)
{
    struct assay_buf out;
    assay_buf_init(&out, room, sizeof(room));
    assay_challenge_write(&challenge, &out);
    assert_false(out.spent);
    return assay_buf_slice(&out);
}

/* R6750-3-2 R6750-3.1-1: no error code, no detail, no scope. */
static void who_sent_no_token_is_told_the_realm_alone(void **state)
{
    (void)state;
    struct assay_challenge challenge = {.realm = ASSAY_SLICE("api"),
                                        .description = ASSAY_SLICE("never shown"),
                                        .scope = ASSAY_SLICE("read")};
    assert_slice_equal(write(challenge), ASSAY_SLICE("Bearer realm=\"api\""));
    assert_int_equal(assay_challenge_status(challenge.error), 401);
}

/* R6750-3-5 R6750-3.1-2 R6750-3-3 */
static void each_error_has_its_code_and_status(void **state)
{
    (void)state;
    static const struct {
        enum assay_challenge_error error;
        unsigned status;
        const char *text;
    } cases[] = {
        {ASSAY_CHALLENGE_INVALID_REQUEST, 400, "Bearer realm=\"api\", error=\"invalid_request\""},
        {ASSAY_CHALLENGE_INVALID_TOKEN, 401, "Bearer realm=\"api\", error=\"invalid_token\""},
        {ASSAY_CHALLENGE_INSUFFICIENT_SCOPE, 403,
         "Bearer realm=\"api\", error=\"insufficient_scope\""},
        {ASSAY_CHALLENGE_STEP_UP, 401,
         "Bearer realm=\"api\", error=\"insufficient_user_authentication\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct assay_challenge challenge = {.realm = ASSAY_SLICE("api"), .error = cases[i].error};
        assert_slice_equal(write(challenge), assay_slice_of_text(cases[i].text));
        assert_int_equal(assay_challenge_status(cases[i].error), cases[i].status);
    }
    struct assay_challenge whole = {.realm = ASSAY_SLICE("api"),
                                    .error = ASSAY_CHALLENGE_INSUFFICIENT_SCOPE,
                                    .description = ASSAY_SLICE("more is needed"),
                                    .scope = ASSAY_SLICE("read write")};
    assert_slice_equal(write(whole),
                       ASSAY_SLICE("Bearer realm=\"api\", error=\"insufficient_scope\", "
                                   "error_description=\"more is needed\", scope=\"read write\""));
}

/* R9470-3-2 R9470-3-3 */
static void a_step_up_says_how_and_how_lately(void **state)
{
    (void)state;
    struct assay_challenge whole = {.realm = ASSAY_SLICE("api"),
                                    .error = ASSAY_CHALLENGE_STEP_UP,
                                    .acr_values = ASSAY_SLICE("urn:gold silver\""),
                                    .max_age_s = 300};
    assert_slice_equal(
        write(whole),
        ASSAY_SLICE("Bearer realm=\"api\", error=\"insufficient_user_authentication\", "
                    "acr_values=\"urn:gold silver\", max_age=\"300\""));
}

/* R6750-3-4: nothing that is written can end its quotes, its field, or its line. */
static void no_byte_breaks_out(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        const uint8_t text[] = {'a', (uint8_t)c, 'z'};
        struct assay_slice hostile = assay_slice_of(text, sizeof(text));
        struct assay_challenge challenge = {.realm = hostile,
                                            .error = ASSAY_CHALLENGE_INVALID_TOKEN,
                                            .description = hostile,
                                            .scope = hostile};
        struct assay_slice written = write(challenge);
        size_t quotes = 0;
        for (size_t i = 0; i < written.len; i++) {
            assert_true(written.data[i] >= 0x20 && written.data[i] <= 0x7E);
            if (written.data[i] == '\\') {
                i++; /* what follows is escaped: in the realm alone */
            } else {
                quotes += written.data[i] == '"' ? 1 : 0;
            }
        }
        assert_int_equal(quotes, 8);
    }
    struct assay_challenge realm = {.realm = ASSAY_SLICE("a\"b\\c\r\nd")};
    assert_slice_equal(write(realm), ASSAY_SLICE("Bearer realm=\"a\\\"b\\\\cd\""));
}

static void what_does_not_fit_is_seen(void **state)
{
    (void)state;
    struct assay_buf out;
    struct assay_challenge challenge = {.realm = ASSAY_SLICE("api")};
    for (size_t size = 0; size < sizeof("Bearer realm=\"api\"") - 1; size++) {
        assay_buf_init(&out, room, size);
        assay_challenge_write(&challenge, &out);
        assert_true(out.spent);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_sent_no_token_is_told_the_realm_alone),
        cmocka_unit_test(each_error_has_its_code_and_status),
        cmocka_unit_test(a_step_up_says_how_and_how_lately),
        cmocka_unit_test(no_byte_breaks_out),
        cmocka_unit_test(what_does_not_fit_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
