#include "guard/rule.h"

#include "support/check.h"

#define NOW INT64_C(1700000000)

/* Values of "/scope", "/aud" and "/role", as kept.c writes them. */
static uint8_t room[4096];
static struct assay_kept kept;

static struct assay_rule rule;
static struct assay_rules rules = {.rules = &rule, .count = 1, .scope_at = 0, .audience_at = 1};

static const struct assay_slice pointers[] = {
    {(const uint8_t *)"/scope", 6},
    {(const uint8_t *)"/aud", 4},
    {(const uint8_t *)"/role", 5},
};
static const struct assay_claims claims = {pointers, 3};

static void given_claims(const char *body, const struct assay_claims *wanted)
{
    static uint8_t memory[8192];
    struct assay_arena arena;
    struct assay_buf values;
    struct assay_answer answer;
    struct assay_error error = {0};
    assay_arena_init(&arena, memory, sizeof(memory));
    assay_buf_init(&values, room, sizeof(room));
    assert_ok(assay_answer_read(assay_slice_of_text(body), &arena, &answer, &error), &error);
    assert_ok(assay_kept_write(&answer, wanted, ASSAY_SLICE("https://as"), &arena, &values, &kept,
                               &error),
              &error);
    assay_answer_close(&answer);
    assay_arena_release(&arena);
    rule = (struct assay_rule){0};
}

static void given(const char *body)
{
    given_claims(body, &claims);
}

static enum assay_reason judged(void)
{
    const struct assay_rule *failed = NULL;
    enum assay_reason reason =
        assay_rules_judge(&rules, &kept, (struct assay_slice){0}, NOW, 0, &failed);
    bool by_rule = reason == ASSAY_REASON_SCOPE || reason == ASSAY_REASON_CLAIM ||
                   reason == ASSAY_REASON_WRONG_AUDIENCE;
    assert_ptr_equal(failed, by_rule ? &rule : NULL);
    return reason;
}

/* A-RESP-06: from its exp second on it is refused (RFC 7519 section 4.1.4). */
static void a_token_is_expired_from_its_exp_second(void **state)
{
    (void)state;
    given("{\"active\":true,\"exp\":1700000000}");
    assert_int_equal(judged(), ASSAY_REASON_EXPIRED);
    given("{\"active\":true,\"exp\":1700000001}");
    assert_int_equal(judged(), ASSAY_REASON_OK);
    given("{\"active\":true}");
    assert_int_equal(judged(), ASSAY_REASON_OK);
}

/* A-RESP-09 */
static void a_token_is_early_before_nbf_but_for_the_leeway(void **state)
{
    const struct assay_rule *failed = NULL;
    (void)state;
    given("{\"active\":true,\"nbf\":1700000003}");
    assert_int_equal(judged(), ASSAY_REASON_NOT_YET);
    assert_int_equal(assay_rules_judge(&rules, &kept, (struct assay_slice){0}, NOW, 2, &failed),
                     ASSAY_REASON_NOT_YET);
    assert_int_equal(assay_rules_judge(&rules, &kept, (struct assay_slice){0}, NOW, 3, &failed),
                     ASSAY_REASON_OK);
    given("{\"active\":true,\"nbf\":9223372036854775807}");
    assert_int_equal(
        assay_rules_judge(&rules, &kept, (struct assay_slice){0}, INT64_MIN / 2, 300, &failed),
        ASSAY_REASON_NOT_YET);
}

static void the_leeway_lengthens_no_life(void **state)
{
    const struct assay_rule *failed = NULL;
    (void)state;
    given("{\"active\":true,\"exp\":1700000000}");
    assert_int_equal(assay_rules_judge(&rules, &kept, (struct assay_slice){0}, NOW, 300, &failed),
                     ASSAY_REASON_EXPIRED);
}

static void inactive_is_refused_whatever_is_required(void **state)
{
    (void)state;
    given("{\"active\":false}");
    assert_int_equal(judged(), ASSAY_REASON_INACTIVE);
}

static void each_word_of_the_scope_is_wanted(void **state)
{
    (void)state;
    given("{\"active\":true,\"scope\":\"read write\"}");
    rule.scope = ASSAY_SLICE("write read");
    assert_int_equal(judged(), ASSAY_REASON_OK);
    rule.scope = ASSAY_SLICE("read admin");
    assert_int_equal(judged(), ASSAY_REASON_SCOPE);
    rule.scope = ASSAY_SLICE("rea");
    assert_int_equal(judged(), ASSAY_REASON_SCOPE);
    rule.scope = ASSAY_SLICE("READ");
    assert_int_equal(judged(), ASSAY_REASON_SCOPE);
}

/* R8705-3-2: with the certificate that it is bound to, and no other; by nothing else. */
static void a_bound_token_wants_its_certificate(void **state)
{
    const struct assay_slice shown = ASSAY_SLICE("A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0");
    struct assay_rules none = {.rules = NULL, .count = 0, .certificate_at = 0};
    const struct assay_slice pointer = ASSAY_SLICE(ASSAY_CERTIFICATE_CLAIM);
    struct assay_claims bound = {.pointers = &pointer, .count = 1};
    static const struct {
        const char *cnf;
        enum assay_reason reason;
    } cases[] = {
        {"{\"x5t#S256\":\"A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0\"}", ASSAY_REASON_OK},
        {"{\"x5t#S256\":\"B4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0\"}", ASSAY_REASON_BOUND},
        {"{\"x5t#S256\":\"A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0\",\"jkt\":\"x\"}",
         ASSAY_REASON_BOUND},
        {"{\"x5t#S256\":\"A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v\"}", ASSAY_REASON_BOUND},
        {"{\"jkt\":\"A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0\"}", ASSAY_REASON_BOUND},
        {"{}", ASSAY_REASON_BOUND},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        struct assay_buf buf;
        const struct assay_rule *failed = NULL;
        assay_buf_init(&buf, text, sizeof(text));
        assay_buf_append(&buf, ASSAY_SLICE("{\"active\":true,\"cnf\":"));
        assay_buf_append(&buf, assay_slice_of_text(cases[i].cnf));
        assay_buf_append(&buf, ASSAY_SLICE("}"));
        assay_buf_append_byte(&buf, '\0');
        given_claims(text, &bound);
        assert_int_equal(assay_rules_judge(&none, &kept, shown, NOW, 0, &failed), cases[i].reason);
        assert_int_equal(assay_rules_judge(&none, &kept, (struct assay_slice){0}, NOW, 0, &failed),
                         ASSAY_REASON_BOUND);
    }
}

/* R9470-6-1 */
static void an_authentication_is_strong_and_late_enough_or_none(void **state)
{
    const struct assay_slice both[] = {ASSAY_SLICE("/acr"), ASSAY_SLICE("/auth_time")};
    struct assay_claims wanted = {.pointers = both, .count = 2};
    struct assay_rule strict = {.acr = ASSAY_SLICE("gold silver"), .auth_age_s = 60};
    struct assay_rules set = {.rules = &strict, .count = 1, .acr_at = 0, .auth_time_at = 1};
    static const struct {
        const char *body;
        enum assay_reason reason;
    } cases[] = {
        {"{\"active\":true,\"acr\":\"gold\",\"auth_time\":1699999940}", ASSAY_REASON_OK},
        {"{\"active\":true,\"acr\":\"gold\",\"auth_time\":1700000900}", ASSAY_REASON_OK},
        {"{\"active\":true,\"acr\":\"gold\",\"auth_time\":1699999939}",
         ASSAY_REASON_AUTHENTICATION},
        {"{\"active\":true,\"acr\":\"gold\",\"auth_time\":\"1700000000\"}",
         ASSAY_REASON_AUTHENTICATION},
        {"{\"active\":true,\"acr\":\"gold\",\"auth_time\":1.7e9}", ASSAY_REASON_AUTHENTICATION},
        {"{\"active\":true,\"acr\":\"gold\",\"auth_time\":-1}", ASSAY_REASON_AUTHENTICATION},
        {"{\"active\":true,\"acr\":\"gold\"}", ASSAY_REASON_AUTHENTICATION},
        {"{\"active\":true,\"acr\":\"bronze\",\"auth_time\":1700000000}",
         ASSAY_REASON_AUTHENTICATION},
        {"{\"active\":true,\"acr\":[\"gold\"],\"auth_time\":1700000000}",
         ASSAY_REASON_AUTHENTICATION},
        {"{\"active\":true,\"auth_time\":1700000000}", ASSAY_REASON_AUTHENTICATION},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct assay_rule *failed = NULL;
        given_claims(cases[i].body, &wanted);
        assert_int_equal(assay_rules_judge(&set, &kept, (struct assay_slice){0}, NOW, 0, &failed),
                         cases[i].reason);
        assert_ptr_equal(failed, cases[i].reason == ASSAY_REASON_OK ? NULL : &strict);
    }
}

/* A-RESP-10 */
static void an_absent_scope_lacks_every_word(void **state)
{
    (void)state;
    given("{\"active\":true}");
    rule.scope = ASSAY_SLICE("read");
    assert_int_equal(judged(), ASSAY_REASON_SCOPE);
}

/* R9068-4-4 A-RESP-09: whole identifiers, no prefixes. */
static void one_of_the_audiences_is_wanted_whole(void **state)
{
    static const struct {
        const char *body;
        enum assay_reason reason;
    } cases[] = {
        {"{\"active\":true,\"aud\":\"https://api\"}", ASSAY_REASON_OK},
        {"{\"active\":true,\"aud\":[\"x\",\"https://api\"]}", ASSAY_REASON_OK},
        {"{\"active\":true,\"aud\":\"https://two\"}", ASSAY_REASON_OK},
        {"{\"active\":true,\"aud\":\"https://api/\"}", ASSAY_REASON_WRONG_AUDIENCE},
        {"{\"active\":true,\"aud\":\"https://ap\"}", ASSAY_REASON_WRONG_AUDIENCE},
        {"{\"active\":true,\"aud\":\"https://API\"}", ASSAY_REASON_WRONG_AUDIENCE},
        {"{\"active\":true,\"aud\":[]}", ASSAY_REASON_WRONG_AUDIENCE},
        {"{\"active\":true,\"aud\":\"\"}", ASSAY_REASON_WRONG_AUDIENCE},
        {"{\"active\":true}", ASSAY_REASON_WRONG_AUDIENCE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        given(cases[i].body);
        rule.audience = ASSAY_SLICE("https://api https://two");
        if (judged() != cases[i].reason) {
            fail_msg("%s", cases[i].body);
        }
    }
}

static void a_claim_has_its_value_or_is_a_list_with_it(void **state)
{
    static const struct {
        const char *body;
        enum assay_reason reason;
    } cases[] = {
        {"{\"active\":true,\"role\":\"admin\"}", ASSAY_REASON_OK},
        {"{\"active\":true,\"role\":[\"user\",\"admin\"]}", ASSAY_REASON_OK},
        {"{\"active\":true,\"role\":\"admin2\"}", ASSAY_REASON_CLAIM},
        {"{\"active\":true,\"role\":[\"user admin\"]}", ASSAY_REASON_CLAIM},
        {"{\"active\":true,\"role\":{\"admin\":true}}", ASSAY_REASON_CLAIM},
        {"{\"active\":true,\"role\":[[\"admin\"]]}", ASSAY_REASON_CLAIM},
        {"{\"active\":true,\"role\":null}", ASSAY_REASON_CLAIM},
        {"{\"active\":true}", ASSAY_REASON_CLAIM},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        given(cases[i].body);
        rule.claim = ASSAY_SLICE("/role");
        rule.value = ASSAY_SLICE("admin");
        rule.claim_at = 2;
        if (judged() != cases[i].reason) {
            fail_msg("%s", cases[i].body);
        }
    }
}

static void every_rule_must_hold(void **state)
{
    struct assay_rule two[] = {{.scope = ASSAY_SLICE("read")}, {.scope = ASSAY_SLICE("admin")}};
    struct assay_rules both = {.rules = two, .count = 2};
    const struct assay_rule *failed = NULL;
    (void)state;
    given("{\"active\":true,\"scope\":\"read\"}");
    assert_int_equal(assay_rules_judge(&both, &kept, (struct assay_slice){0}, NOW, 0, &failed),
                     ASSAY_REASON_SCOPE);
    assert_ptr_equal(failed, &two[1]);
}

/* A-RESP-11 */
static void the_scope_of_all_rules_is_named_once(void **state)
{
    (void)state;
    const struct assay_rule three[] = {{.scope = ASSAY_SLICE("read base")},
                                       {.audience = ASSAY_SLICE("a")},
                                       {.scope = ASSAY_SLICE("write read rea")}};
    struct assay_rules all = {.rules = three, .count = 3};
    uint8_t bytes[64];
    struct assay_buf out;
    assay_buf_init(&out, bytes, sizeof bytes);
    assay_buf_append(&out, ASSAY_SLICE("read"));
    assay_rules_scope(&all, &out);
    assert_true(assay_slice_equal(assay_buf_slice(&out), ASSAY_SLICE("readread base write rea")));
    assay_buf_init(&out, bytes, 8);
    assay_rules_scope(&all, &out);
    assert_true(out.spent);
}

static void what_no_bearer_may_use_is_refused_before_the_rules(void **state)
{
    (void)state;
    given("{\"active\":true,\"iss\":\"https://other\"}");
    assert_int_equal(judged(), ASSAY_REASON_WRONG_ISSUER);
    given("{\"active\":true,\"cnf\":{\"jkt\":\"x\"}}");
    rule.scope = ASSAY_SLICE("admin");
    assert_int_equal(judged(), ASSAY_REASON_BOUND);
    given("{\"active\":true,\"token_use\":\"refresh_token\"}");
    assert_int_equal(judged(), ASSAY_REASON_NO_ACCESS_TOKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_expired_from_its_exp_second),
        cmocka_unit_test(a_token_is_early_before_nbf_but_for_the_leeway),
        cmocka_unit_test(the_leeway_lengthens_no_life),
        cmocka_unit_test(inactive_is_refused_whatever_is_required),
        cmocka_unit_test(each_word_of_the_scope_is_wanted),
        cmocka_unit_test(a_bound_token_wants_its_certificate),
        cmocka_unit_test(an_authentication_is_strong_and_late_enough_or_none),
        cmocka_unit_test(an_absent_scope_lacks_every_word),
        cmocka_unit_test(one_of_the_audiences_is_wanted_whole),
        cmocka_unit_test(a_claim_has_its_value_or_is_a_list_with_it),
        cmocka_unit_test(every_rule_must_hold),
        cmocka_unit_test(the_scope_of_all_rules_is_named_once),
        cmocka_unit_test(what_no_bearer_may_use_is_refused_before_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
