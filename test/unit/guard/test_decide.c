#include "guard/decide.h"

#include "support/check.h"

#include <stdlib.h>

#define NOW_S INT64_C(1700000000)
#define MS INT64_C(1000)
#define START (1000 * MS) /* the machine has run for a while */

static struct assay_cache *cache;
static struct assay_digester *digester;
static struct assay_pmac *pmac;
static struct assay_provider provider;
static struct assay_policy policy;
static struct assay_rule rule;
static struct assay_decide op;
static struct assay_cached answer_room;
static uint8_t memory[32768];
static struct assay_arena arena;

static bool alive(uint32_t id)
{
    (void)id;
    return true;
}

static const struct assay_process me = {.id = 1, .alive = alive};
static const struct assay_slice pointers[] = {{(const uint8_t *)"/scope", 6}};
static const struct assay_claims claims = {pointers, 1};

static int open_all(void **state)
{
    (void)state;
    void *block = aligned_alloc(64, 1 << 20);
    assert_non_null(block);
    memset(block, 0, 1 << 20);
    cache = assay_cache_init(block, 1 << 20);
    provider = (struct assay_provider){.max_age_ms = 5000,
                                       .staleness_ms = 20000,
                                       .inactive_age_ms = 1000,
                                       .token_parameter = ASSAY_SLICE("token")};
    rule = (struct assay_rule){.scope = ASSAY_SLICE("read")};
    policy = (struct assay_policy){
        .provider = &provider,
        .claims = &claims,
        .rules = {.rules = &rule, .count = 1},
        .realm = ASSAY_SLICE("api"),
        .max_age_ms = 5000,
    };
    static const uint8_t key[ASSAY_PMAC_KEY_LEN] = {1};
    assert_int_equal(assay_digester_open(&digester, NULL), ASSAY_OK);
    assert_int_equal(assay_pmac_open(key, &pmac, NULL), ASSAY_OK);
    assert_int_equal(assay_provider_scope(&provider, ASSAY_TOLD_BY_SERVER, &claims, digester,
                                          policy.scope[ASSAY_TOLD_BY_SERVER], NULL),
                     ASSAY_OK);
    assay_arena_init(&arena, memory, sizeof(memory));
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    assay_arena_release(&arena);
    assay_pmac_close(pmac);
    assay_digester_close(digester);
    free(cache);
    return 0;
}

static enum assay_decide_step begin(const char *authorization, int64_t entered_us)
{
    struct assay_bearer_request request = {
        .authorization = assay_slice_of_text(authorization),
        .authorization_count = authorization == NULL ? 0 : 1,
    };
    op = (struct assay_decide){
        .policy = &policy, .cache = cache, .entered_us = START + entered_us, .room = &answer_room};
    return assay_decide_begin(&op, &request, &arena, pmac, NOW_S);
}

/* What a server would have said about the token of the last begin(), asked at that time. */
static void answer(const char *scope, int64_t exp_s, int64_t asked_us)
{
    uint8_t values[64] = {ASSAY_KEPT_STRING, 0, (uint8_t)strlen(scope)};
    memcpy(values + 3, scope, strlen(scope));
    struct assay_told told = {
        .kept = {.active = true,
                 .expires_at_s = exp_s,
                 .values = assay_slice_of(values, 3 + strlen(scope))},
    };
    struct assay_cached cached;
    assert_true(assay_decide_keep(&told, START + asked_us, NOW_S, &cached));
    cached.generation = assay_cache_generation(cache);
    assay_cache_put(cache, op.key, &cached, &me);
}

static void without_a_token_nobody_is_asked(void **state)
{
    (void)state;
    assert_int_equal(begin(NULL, 0), ASSAY_DECIDE_DONE);
    assert_int_equal(op.reason, ASSAY_REASON_NO_TOKEN);
    assert_int_equal(assay_decide_status(&op), 401);
    policy.optional = true;
    assert_int_equal(begin(NULL, 0), ASSAY_DECIDE_DONE);
    assert_int_equal(op.reason, ASSAY_REASON_OK);
    assert_false(op.known);
}

/* DESIGN 5, P4: to the last moment of max_age, and not beyond. */
static void an_answer_is_used_as_long_as_its_age_allows(void **state)
{
    (void)state;
    assert_int_equal(begin("Bearer t", 1000 * MS), ASSAY_DECIDE_ASK);
    answer("read", 0, 1000 * MS);
    assert_int_equal(begin("Bearer t", 6000 * MS), ASSAY_DECIDE_DONE);
    assert_int_equal(op.reason, ASSAY_REASON_OK);
    assert_int_equal(op.source, ASSAY_SOURCE_HIT);
    assert_int_equal(begin("Bearer t", 6000 * MS + 1), ASSAY_DECIDE_ASK);
}

/* REL-10: counted on a clock that nobody sets, whatever the wall clock says. */
static void no_answer_outlives_the_token_by_the_servers_own_clock(void **state)
{
    (void)state;
    assert_int_equal(begin("Bearer t", 0), ASSAY_DECIDE_ASK);
    answer("read", NOW_S + 2, 1000 * MS);
    assert_int_equal(begin("Bearer t", 3000 * MS - 1), ASSAY_DECIDE_DONE);
    assert_int_equal(begin("Bearer t", 3000 * MS), ASSAY_DECIDE_ASK);
}

static void the_rules_are_judged_on_a_hit_as_on_a_miss(void **state)
{
    (void)state;
    assert_int_equal(begin("Bearer t", 0), ASSAY_DECIDE_ASK);
    answer("write", 0, 0);
    assert_int_equal(begin("Bearer t", 1), ASSAY_DECIDE_DONE);
    assert_int_equal(op.reason, ASSAY_REASON_SCOPE);
    assert_int_equal(assay_decide_status(&op), 403);
    rule.scope = ASSAY_SLICE("write");
    assert_int_equal(begin("Bearer t", 1), ASSAY_DECIDE_DONE);
    assert_int_equal(op.reason, ASSAY_REASON_OK);
}

static void an_inactive_answer_is_remembered_for_less(void **state)
{
    (void)state;
    assert_int_equal(begin("Bearer t", 0), ASSAY_DECIDE_ASK);
    assay_cache_put_inactive(cache, op.key, assay_cache_generation(cache), START, &me);
    assert_int_equal(begin("Bearer t", 1000 * MS), ASSAY_DECIDE_DONE);
    assert_int_equal(op.reason, ASSAY_REASON_INACTIVE);
    assert_int_equal(begin("Bearer t", 1000 * MS + 1), ASSAY_DECIDE_ASK);
}

/* REL-14: while the server cannot be asked, an older answer does, as far as that is allowed. */
static void trouble_is_bridged_up_to_the_staleness_and_not_where_freshness_is_said(void **state)
{
    (void)state;
    assert_int_equal(begin("Bearer t", 0), ASSAY_DECIDE_ASK);
    answer("read", 0, 0);
    assert_int_equal(begin("Bearer t", 20000 * MS), ASSAY_DECIDE_ASK);
    assay_decide_trouble(&op, ASSAY_REASON_UNREACHABLE, NOW_S);
    assert_int_equal(op.reason, ASSAY_REASON_OK);
    assert_int_equal(op.source, ASSAY_SOURCE_STALE);
    assay_decide_trouble(&op, ASSAY_REASON_AS_REJECTS_US, NOW_S);
    assert_int_equal(op.reason, ASSAY_REASON_AS_REJECTS_US);
    assert_int_equal(begin("Bearer t", 20000 * MS + 1), ASSAY_DECIDE_ASK);
    assay_decide_trouble(&op, ASSAY_REASON_UNREACHABLE, NOW_S);
    assert_int_equal(op.reason, ASSAY_REASON_UNREACHABLE);
    assert_int_equal(assay_decide_status(&op), 503);
    policy.own_max_age = true;
    assert_int_equal(begin("Bearer t", 6000 * MS), ASSAY_DECIDE_ASK);
    assay_decide_trouble(&op, ASSAY_REASON_UNREACHABLE, NOW_S);
    assert_int_equal(op.reason, ASSAY_REASON_UNREACHABLE);
}

static void asking_live_accepts_only_what_was_asked_since(void **state)
{
    (void)state;
    policy.max_age_ms = 0;
    assert_int_equal(begin("Bearer t", 1000), ASSAY_DECIDE_ASK);
    answer("read", 0, 999);
    assert_int_equal(assay_decide_again(&op, NOW_S), ASSAY_DECIDE_ASK);
    assert_false(assay_decide_accepts(&op, true, START + 999));
    assert_true(assay_decide_accepts(&op, true, START + 1000));
    answer("read", 0, 1001);
    assert_int_equal(assay_decide_again(&op, NOW_S), ASSAY_DECIDE_DONE);
    assert_int_equal(op.source, ASSAY_SOURCE_SHARED);
}

/* A-GW-20 A-GW-22: another provider, another kind, another list of claims: another entry. */
static void what_an_answer_means_is_part_of_its_key(void **state)
{
    uint8_t other[ASSAY_SHA256_LEN];
    struct assay_provider changed = provider;
    struct assay_claims none = {0};
    (void)state;
    changed.secret = ASSAY_SLICE("new");
    assert_int_equal(
        assay_provider_scope(&changed, ASSAY_TOLD_BY_SERVER, &claims, digester, other, NULL),
        ASSAY_OK);
    assert_memory_not_equal(other, policy.scope, sizeof(other));
    assert_int_equal(
        assay_provider_scope(&provider, ASSAY_TOLD_BY_SERVER, &none, digester, other, NULL),
        ASSAY_OK);
    assert_memory_not_equal(other, policy.scope, sizeof(other));
    changed = provider;
    changed.name = ASSAY_SLICE("a");
    changed.issuer = ASSAY_SLICE("b");
    assert_int_equal(
        assay_provider_scope(&changed, ASSAY_TOLD_BY_SERVER, &claims, digester, other, NULL),
        ASSAY_OK);
    struct assay_provider shifted = provider;
    uint8_t third[ASSAY_SHA256_LEN];
    shifted.name = ASSAY_SLICE("ab");
    assert_int_equal(
        assay_provider_scope(&shifted, ASSAY_TOLD_BY_SERVER, &claims, digester, third, NULL),
        ASSAY_OK);
    assert_memory_not_equal(other, third, sizeof(other));
}

/* R6750-3.1-2 */
static void each_reason_has_its_status(void **state)
{
    static const unsigned statuses[] = {401, 401, 400, 401, 401, 401, 401, 401, 401, 401,
                                        401, 401, 403, 403, 503, 503, 503, 503, 503};
    (void)state;
    (void)begin(NULL, 0);
    for (unsigned reason = ASSAY_REASON_NO_TOKEN; reason <= ASSAY_REASON_FAULT; reason++) {
        op.reason = (enum assay_reason)reason;
        assert_int_equal(assay_decide_status(&op), statuses[reason]);
        uint8_t room[512];
        struct assay_buf out;
        assay_buf_init(&out, room, sizeof(room));
        assay_decide_challenge(&op, &out);
        assert_int_equal(out.len == 0, statuses[reason] == 503);
        assert_true(assay_reason_name(op.reason).len > 0);
    }
}

static void an_answer_that_is_too_large_is_not_kept_cut(void **state)
{
    static uint8_t values[ASSAY_CACHE_PAYLOAD + 1];
    struct assay_cached cached;
    struct assay_told told = {.kept = {.active = true}};
    (void)state;
    told.kept.values = assay_slice_of(values, ASSAY_CACHE_PAYLOAD);
    assert_true(assay_decide_keep(&told, 0, NOW_S, &cached));
    told.kept.values.len++;
    assert_false(assay_decide_keep(&told, 0, NOW_S, &cached));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_all, close_all)
    const struct CMUnitTest tests[] = {
        T(without_a_token_nobody_is_asked),
        T(an_answer_is_used_as_long_as_its_age_allows),
        T(no_answer_outlives_the_token_by_the_servers_own_clock),
        T(the_rules_are_judged_on_a_hit_as_on_a_miss),
        T(an_inactive_answer_is_remembered_for_less),
        T(trouble_is_bridged_up_to_the_staleness_and_not_where_freshness_is_said),
        T(asking_live_accepts_only_what_was_asked_since),
        T(what_an_answer_means_is_part_of_its_key),
        T(each_reason_has_its_status),
        T(an_answer_that_is_too_large_is_not_kept_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
