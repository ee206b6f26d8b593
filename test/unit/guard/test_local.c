#include "guard/decide.h"

#include "support/check.h"
#include "support/vector.h"

#include <stdlib.h>

#define NOW_S INT64_C(1700000000)
#define START INT64_C(1000000)

static const struct assay_slice pointers[] = {{(const uint8_t *)"/scope", 6},
                                              {(const uint8_t *)"/aud", 4}};
static const struct assay_claims claims = {pointers, 2};

static bool alive(uint32_t id)
{
    (void)id;
    return true;
}

static const struct assay_process me = {.id = 1, .alive = alive};
static struct assay_cache *cache;
static struct assay_digester *digester;
static struct assay_pmac *pmac;
static struct assay_provider provider;
static struct assay_policy policy;
static struct assay_decide op;
static struct assay_cached answer_room;
static struct assay_jwks set;
static uint8_t set_memory[ASSAY_JWKS_ARENA];
static struct assay_arena set_arena;
static uint8_t memory[32768];
static struct assay_arena arena;
static uint8_t room[ASSAY_MAX_KEPT];
static struct assay_buf values;
static json_t *vector;
static uint64_t version; /* of the keys that the host has */

static void name_scopes(void)
{
    for (size_t by = 0; by < ASSAY_TOLD_BY_KINDS; by++) {
        assert_int_equal(assay_provider_scope(&provider, (enum assay_told_by)by, &claims, digester,
                                              policy.scope[by], NULL),
                         ASSAY_OK);
    }
}

static int open_all(void **state)
{
    static const uint8_t key[ASSAY_PMAC_KEY_LEN] = {1};
    (void)state;
    void *block = aligned_alloc(64, 1 << 20);
    assert_non_null(block);
    memset(block, 0, 1 << 20);
    cache = assay_cache_init(block, 1 << 20);
    provider = (struct assay_provider){.mode = ASSAY_GUARD_MODE_AUTO,
                                       .issuer = ASSAY_SLICE("https://as.example.com"),
                                       .jwt_type = ASSAY_SLICE("at+jwt"),
                                       .max_age_ms = 5000,
                                       .inactive_age_ms = 1000,
                                       .token_parameter = ASSAY_SLICE("token")};
    assert_true(
        assay_alg_set_read(ASSAY_SLICE("RS256 ES256 EdDSA ES512"), &provider.jwt_algorithms));
    policy = (struct assay_policy){.provider = &provider,
                                   .claims = &claims,
                                   .realm = ASSAY_SLICE("api"),
                                   .introspect_jwt = ASSAY_INTROSPECT_WHEN_DOUBTFUL,
                                   .max_age_ms = 5000};
    assert_int_equal(assay_digester_open(&digester, NULL), ASSAY_OK);
    assert_int_equal(assay_pmac_open(key, &pmac, NULL), ASSAY_OK);
    name_scopes();
    assay_arena_init(&arena, memory, sizeof(memory));
    assay_arena_init(&set_arena, set_memory, sizeof(set_memory));
    vector = vector_open("jwt-access-token.json");
    char *text = json_dumps(json_object_get(vector, "jwks"), JSON_COMPACT);
    assert_int_equal(assay_jwks_read(assay_slice_of_text(text), &set_arena, &set, NULL), ASSAY_OK);
    free(text);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    json_decref(vector);
    assay_jwks_close(&set);
    assay_arena_release(&set_arena);
    assay_arena_release(&arena);
    assay_pmac_close(pmac);
    assay_digester_close(digester);
    free(cache);
    return 0;
}

static void what_is_written_like_a_signed_token(void **state)
{
    static const struct {
        const char *text;
        bool is;
    } cases[] = {{"a.b.c", true},  {"a-_.B9.c", true}, {"", false},     {"a.b", false},
                 {"a..c", false},  {".b.c", false},    {"a.b.", false}, {"a.b.c.d", false},
                 {"a.b.c=", true}, {"a.b+.c", true},   {"..", false},   {"assay_at_x", false}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(assay_local_is_signed(assay_slice_of_text(cases[i].text)), cases[i].is);
    }
}

static enum assay_local_verdict verdict_of(struct assay_slice token)
{
    struct assay_told told;
    enum assay_jose_fault fault = ASSAY_JOSE_OK;
    assay_arena_clear(&arena);
    assay_buf_init(&values, room, sizeof(room));
    return assay_local_judge(&provider, token, &set, &claims, NOW_S, &arena, &values, digester,
                             &told, &fault);
}

/* R9068-4-7: of all vectors those that are valid are good, and no others. */
static void each_vector_has_its_verdict(void **state)
{
    (void)state;
    size_t index;
    size_t good = 0;
    json_t *one;
    json_array_foreach(json_object_get(vector, "cases"), index, one)
    {
        const json_t *leeway = json_object_get(one, "leeway");
        bool valid = assay_slice_equal(vector_text(one, "expect"), ASSAY_SLICE("valid"));
        if (json_is_string(json_object_get(one, "compact"))) {
            provider.leeway_s = leeway == NULL ? 60 : json_integer_value(leeway);
            bool is = verdict_of(vector_text(one, "compact")) == ASSAY_LOCAL_GOOD;
            /* Its audience is the rules' to judge. */
            bool audience = assay_slice_starts_with(vector_text(one, "id"), ASSAY_SLICE("n-aud"));
            if (is != valid && !audience) {
                fail_msg("%s", json_string_value(json_object_get(one, "id")));
            }
            good += is;
        }
    }
    assert_true(good > 5);
}

static struct assay_slice good_token(void)
{
    return vector_text(json_array_get(json_object_get(vector, "cases"), 1), "compact");
}

static enum assay_decide_step begin(struct assay_slice token, int64_t entered_us)
{
    static uint8_t field[16384];
    struct assay_buf buf;
    assay_buf_init(&buf, field, sizeof(field));
    assay_buf_append(&buf, ASSAY_SLICE("Bearer "));
    assay_buf_append(&buf, token);
    struct assay_bearer_request request = {.authorization = assay_buf_slice(&buf),
                                           .authorization_count = 1};
    op = (struct assay_decide){.policy = &policy,
                               .cache = cache,
                               .entered_us = START + entered_us,
                               .keys_version = version,
                               .room = &answer_room};
    return assay_decide_begin(&op, &request, &arena, pmac, NOW_S);
}

static enum assay_decide_step judge(const struct assay_decide_keys *keys)
{
    struct assay_decide_host host = {digester, pmac, &me, &values};
    assay_buf_init(&values, room, sizeof(room));
    return assay_decide_judge(&op, keys, &host, NOW_S);
}

static void it_is_judged_once_and_then_known(void **state)
{
    const struct assay_decide_keys keys = {.known = &set};
    (void)state;
    assert_int_equal(begin(good_token(), 0), ASSAY_DECIDE_JUDGE);
    assert_int_equal(judge(&keys), ASSAY_DECIDE_DONE);
    assert_int_equal(op.reason, ASSAY_REASON_OK);
    assert_int_equal(op.source, ASSAY_SOURCE_LOCAL);
    assert_int_equal(begin(good_token(), 4999000), ASSAY_DECIDE_DONE);
    assert_int_equal(op.reason, ASSAY_REASON_OK);
    assert_int_equal(op.source, ASSAY_SOURCE_HIT);
    assert_int_equal(begin(good_token(), 5001000), ASSAY_DECIDE_JUDGE); /* max_age is over */
}

/* A key that is published no more has signed nothing that counts. */
static void a_judgement_by_other_keys_is_none(void **state)
{
    const struct assay_decide_keys keys = {.known = &set, .version = 7};
    (void)state;
    assert_int_equal(begin(good_token(), 0), ASSAY_DECIDE_JUDGE);
    assert_int_equal(judge(&keys), ASSAY_DECIDE_DONE);
    version = 7;
    assert_int_equal(begin(good_token(), 1), ASSAY_DECIDE_DONE);
    version = 8;
    assert_int_equal(begin(good_token(), 2), ASSAY_DECIDE_JUDGE);
    version = 0;
}

/* An entry that a token made is none that the server told, nor the other way round. */
static void the_kinds_of_entries_are_apart(void **state)
{
    const struct assay_decide_keys keys = {.known = &set};
    (void)state;
    assert_int_equal(begin(good_token(), 0), ASSAY_DECIDE_JUDGE);
    assert_int_equal(judge(&keys), ASSAY_DECIDE_DONE);
    provider.mode = ASSAY_GUARD_MODE_OPAQUE;
    assert_int_equal(begin(good_token(), 0), ASSAY_DECIDE_ASK);
    assert_int_equal(op.told_by, ASSAY_TOLD_BY_SERVER);
    assert_memory_not_equal(policy.scope[0], policy.scope[1], sizeof(policy.scope[0]));
}

static void where_always_is_said_the_server_has_the_last_word(void **state)
{
    const struct assay_decide_keys keys = {.known = &set};
    (void)state;
    policy.introspect_jwt = ASSAY_INTROSPECT_ALWAYS;
    assert_int_equal(begin(good_token(), 0), ASSAY_DECIDE_JUDGE);
    assert_int_equal(judge(&keys), ASSAY_DECIDE_ASK);
    assert_int_equal(begin(good_token(), 1), ASSAY_DECIDE_ASK); /* judged; still asked about */
    assay_cache_put_inactive(cache, op.key, assay_cache_generation(cache), START + 2, &me);
    assert_int_equal(begin(good_token(), 3), ASSAY_DECIDE_DONE);
    assert_int_equal(op.reason, ASSAY_REASON_INACTIVE);
}

/* R7517-4.5-1 P-7517-1 F-80: what becomes of a token whose key is not known. */
static void a_key_that_is_not_known(void **state)
{
    static const struct {
        bool none, may_fetch, fetched, in_trouble;
        enum assay_introspect_jwt introspect;
        enum assay_decide_step step;
        enum assay_reason reason;
    } cases[] = {
        {true, true, false, false, ASSAY_INTROSPECT_NEVER, ASSAY_DECIDE_KEYS, ASSAY_REASON_OK},
        {true, false, false, true, ASSAY_INTROSPECT_NEVER, ASSAY_DECIDE_DONE,
         ASSAY_REASON_UNREACHABLE},
        {true, false, false, true, ASSAY_INTROSPECT_WHEN_DOUBTFUL, ASSAY_DECIDE_ASK,
         ASSAY_REASON_OK},
        {false, true, false, false, ASSAY_INTROSPECT_NEVER, ASSAY_DECIDE_KEYS, ASSAY_REASON_OK},
        {false, false, true, false, ASSAY_INTROSPECT_WHEN_DOUBTFUL, ASSAY_DECIDE_DONE,
         ASSAY_REASON_INVALID},
        {false, false, false, false, ASSAY_INTROSPECT_NEVER, ASSAY_DECIDE_DONE,
         ASSAY_REASON_INVALID},
        {false, false, false, true, ASSAY_INTROSPECT_NEVER, ASSAY_DECIDE_DONE,
         ASSAY_REASON_UNREACHABLE},
        {false, false, false, false, ASSAY_INTROSPECT_WHEN_DOUBTFUL, ASSAY_DECIDE_ASK,
         ASSAY_REASON_OK},
    };
    const struct assay_jwks others = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct assay_decide_keys keys = {.known = cases[i].none ? NULL : &others,
                                         .may_fetch = cases[i].may_fetch,
                                         .fetched = cases[i].fetched,
                                         .in_trouble = cases[i].in_trouble};
        policy.introspect_jwt = cases[i].introspect;
        assert_int_equal(begin(good_token(), 0), ASSAY_DECIDE_JUDGE);
        assert_int_equal(judge(&keys), cases[i].step);
        assert_int_equal(op.reason, cases[i].reason);
    }
}

static void what_is_no_signed_token(void **state)
{
    (void)state;
    assert_int_equal(begin(ASSAY_SLICE("opaque"), 0), ASSAY_DECIDE_ASK);
    provider.mode = ASSAY_GUARD_MODE_JWT;
    assert_int_equal(begin(ASSAY_SLICE("opaque"), 0), ASSAY_DECIDE_DONE);
    assert_int_equal(op.reason, ASSAY_REASON_INVALID);
    assert_int_equal(assay_decide_status(&op), 401);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_written_like_a_signed_token),
        T(each_vector_has_its_verdict),
        T(it_is_judged_once_and_then_known),
        T(a_judgement_by_other_keys_is_none),
        T(the_kinds_of_entries_are_apart),
        T(where_always_is_said_the_server_has_the_last_word),
        T(a_key_that_is_not_known),
        T(what_is_no_signed_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
