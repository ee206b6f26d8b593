#include "support/check.h"
#include "support/server_fixture.h"

#include "server/attempts.h"
#include "server/metrics.h"
#include "server/remembered.h"

#include <stdio.h>

static int setup(void **state)
{
    *state = server_fixture_open();
    return 0;
}

static int teardown(void **state)
{
    server_fixture_close(*state);
    return 0;
}

static struct assay_reply introspect(struct server_fixture *fx,
                                     void (*adjust)(struct assay_request *))
{
    static char body[128];
    snprintf(body, sizeof(body), "token=%.*s", (int)fx->token_text.len, (const char *)fx->text);
    return server_fixture_post(fx, "/oauth2/introspect", body, NULL, adjust);
}

static struct assay_reply revoke(struct server_fixture *fx, void (*adjust)(struct assay_request *))
{
    static char body[128];
    snprintf(body, sizeof(body), "token=%.*s", (int)fx->token_text.len, (const char *)fx->text);
    return server_fixture_post(fx, "/oauth2/revoke", body, NULL, adjust);
}

static bool is_active(struct assay_reply reply)
{
    return reply.http_status == 200 &&
           assay_slice_starts_with(reply.body, ASSAY_SLICE("{\"active\":true"));
}

static void in_clear(struct assay_request *request)
{
    request->secure = false;
}

static void in_clear_from_here(struct assay_request *request)
{
    request->secure = false;
    request->loopback = true;
}

/* R7662-2-1: in clear nothing is answered, but from this very machine or when the operator says so.
 */
static void cleartext_is_refused_unless_the_operator_says_so(void **state)
{
    struct server_fixture *fx = *state;
    struct assay_reply reply = introspect(fx, in_clear);
    assert_int_equal(reply.http_status, 400);
    assert_slice_equal(
        reply.body,
        ASSAY_SLICE("{\"error\":\"invalid_request\",\"error_description\":\"use https\"}"));
    assert_true(is_active(introspect(fx, in_clear_from_here)));
    fx->server.allow_cleartext = true;
    assert_true(is_active(introspect(fx, in_clear)));
}

/* R7009-2-5: a token that was sent in clear is better dead. */
static void a_token_sent_in_clear_is_revoked_all_the_same(void **state)
{
    struct server_fixture *fx = *state;
    assert_int_equal(revoke(fx, in_clear).http_status, 200);
    assert_int_equal(fx->changes, 1);
}

/* A-TOK-14, R7009-2.2.1-3, REL-05: what the store could not do is a 503 with Retry-After, never a
 * 200. */
static void a_revocation_the_store_could_not_commit_is_never_a_success(void **state)
{
    struct server_fixture *fx = *state;
    static const enum assay_status troubles[] = {ASSAY_ERR_STORE, ASSAY_ERR_FULL,
                                                 ASSAY_ERR_CORRUPT};
    for (size_t i = 0; i < 3; i++) {
        fx->find_status = ASSAY_OK;
        fx->change_status = troubles[i];
        struct assay_reply reply = revoke(fx, NULL);
        assert_int_equal(reply.http_status, 503);
        assert_true(reply.retry_after_s > 0);
        fx->find_status = troubles[i];
        assert_int_equal(revoke(fx, NULL).http_status, 503);
    }
}

/* REL-04, REL-05: a store that cannot answer makes no token active and blames none. */
static void trouble_is_never_an_answer_about_the_token(void **state)
{
    struct server_fixture *fx = *state;
    fx->find_status = ASSAY_ERR_CORRUPT;
    struct assay_reply reply = introspect(fx, NULL);
    assert_int_equal(reply.http_status, 503);
    assert_true(reply.retry_after_s > 0);
}

/* A-TOK-04, R7662-4-2: at exp the token is dead, a second before it lives. */
static void exp_counts_to_the_second(void **state)
{
    struct server_fixture *fx = *state;
    fx->token.expires_at_s = FIXTURE_NOW + 1;
    assert_true(is_active(introspect(fx, NULL)));
    fx->token.expires_at_s = FIXTURE_NOW;
    assert_slice_equal(introspect(fx, NULL).body, ASSAY_SLICE("{\"active\":false}"));
}

/* A-TOK-05, R7662-4-3: from the second of nbf on it is valid. */
static void nbf_counts_to_the_second(void **state)
{
    struct server_fixture *fx = *state;
    fx->token.not_before_s = FIXTURE_NOW;
    assert_true(is_active(introspect(fx, NULL)));
    fx->token.not_before_s = FIXTURE_NOW + 1;
    assert_slice_equal(introspect(fx, NULL).body, ASSAY_SLICE("{\"active\":false}"));
}

/* A-TOK-22: the same to the second where 32 bits end, signed and unsigned. */
static void times_past_2038_and_2106_are_told_and_judged(void **state)
{
    struct server_fixture *fx = *state;
    static const int64_t ends[] = {INT64_C(2147483648), INT64_C(4294967296), INT64_C(1) << 40};
    static const char *const told[] = {"\"exp\":2147483648,", "\"exp\":4294967296,",
                                       "\"exp\":1099511627776,"};
    for (size_t i = 0; i < 3; i++) {
        fx->token.issued_at_s = ends[i] - 10;
        fx->token.expires_at_s = ends[i];
        fx->now_s = ends[i] - 1;
        struct assay_reply reply = introspect(fx, NULL);
        assert_true(is_active(reply));
        char body[512] = {0};
        memcpy(body, reply.body.data, reply.body.len < 511 ? reply.body.len : 511);
        assert_non_null(strstr(body, told[i]));
        fx->now_s = ends[i];
        assert_false(is_active(introspect(fx, NULL)));
    }
}

/* A-TOK-02, P-7662-6: the record at an address is no answer for another text. */
static void a_text_that_does_not_match_its_record_is_inactive(void **state)
{
    struct server_fixture *fx = *state;
    fx->token.text_sha256[31] ^= 1;
    assert_slice_equal(introspect(fx, NULL).body, ASSAY_SLICE("{\"active\":false}"));
}

/* A-TOK-01: a text that fails its checksum asks the store for nobody's token. */
static void a_mistyped_text_is_not_looked_up(void **state)
{
    struct server_fixture *fx = *state;
    server_fixture_post(fx, "/oauth2/introspect", "token=assay_at_x", NULL, NULL);
    assert_false(fx->exchange.lookup.want_token);
    fx->text[20] ^= 1;
    introspect(fx, NULL);
    assert_false(fx->exchange.lookup.want_token);
}

/* A-TOK-13, R7009-2.1-6 */
static void another_clients_token_is_refused_and_not_touched(void **state)
{
    struct server_fixture *fx = *state;
    fx->token.client_id = ASSAY_SLICE("other");
    struct assay_reply reply = revoke(fx, NULL);
    assert_int_equal(reply.http_status, 400);
    assert_int_equal(fx->changes, 0);
    fx->caller.admin = true;
    assert_int_equal(revoke(fx, NULL).http_status, 200);
    assert_int_equal(fx->changes, 1);
}

static struct assay_reply client_credentials(struct server_fixture *fx)
{
    fx->caller.resource_server = false;
    fx->caller.grants = ASSAY_GRANT_CLIENT_CREDENTIALS;
    fx->caller.scope = fx->caller.default_scope = ASSAY_SLICE("read");
    fx->caller.audience = fx->caller.default_audience = ASSAY_SLICE(FIXTURE_AUDIENCE);
    return server_fixture_post(fx, "/oauth2/token", "grant_type=client_credentials", NULL, NULL);
}

static void remove_caller(struct server_fixture *fx)
{
    fx->caller_exists = false;
    fx->outcome = ASSAY_REFUSED_CLIENT;
}

static void withdraw_grant(struct server_fixture *fx)
{
    fx->caller.grants = 0;
    fx->outcome = ASSAY_REFUSED_CLIENT;
}

/* Disabled and enabled again: what it was before ends there, it may go on. */
static void refuse_once(struct server_fixture *fx)
{
    fx->outcome = fx->changes == 1 ? ASSAY_REFUSED_CLIENT : ASSAY_DONE;
}

static void refuse_always(struct server_fixture *fx)
{
    fx->outcome = ASSAY_REFUSED_CLIENT;
}

/* A-AUTH-23: a client that changes between its look-up and the change it asked for is told what it
 * is then, as if it had come a moment later. */
static void a_client_that_changes_meanwhile_is_judged_anew(void **state)
{
    struct server_fixture *fx = *state;
    fx->meanwhile = remove_caller;
    assert_int_equal(client_credentials(fx).http_status, 401);
    fx->caller_exists = true;
    fx->meanwhile = withdraw_grant;
    struct assay_reply reply = client_credentials(fx);
    assert_int_equal(reply.http_status, 400);
    assert_true(
        assay_slice_starts_with(reply.body, ASSAY_SLICE("{\"error\":\"unauthorized_client\"")));
    fx->changes = 0;
    fx->meanwhile = refuse_once;
    assert_int_equal(client_credentials(fx).http_status, 200);
    fx->changes = 0;
    fx->meanwhile = refuse_always;
    assert_int_equal(client_credentials(fx).http_status, 400);
    assert_int_equal(fx->changes, 2);
}

/* C-2 with the switch on */
static void an_access_token_ends_its_grant_when_configured(void **state)
{
    struct server_fixture *fx = *state;
    fx->token.grant = 77;
    fx->server.revoke_access_ends_grant = true;
    revoke(fx, NULL);
    assert_int_equal(fx->exchange.change->u.cut.kind, ASSAY_CUTOFF_GRANT);
    fx->server.revoke_access_ends_grant = false;
    revoke(fx, NULL);
    assert_int_equal(fx->exchange.change->u.cut.kind, ASSAY_CUTOFF_TOKEN);
}

/* R8414-3-1: the well-known part stands between host and path of the issuer. */
static void the_metadata_path_follows_from_the_issuer(void **state)
{
    struct server_fixture *fx = *state;
    struct assay_slice plain = ASSAY_SLICE("/.well-known/oauth-authorization-server");
    struct assay_slice tenant = ASSAY_SLICE("/.well-known/oauth-authorization-server/t1");
    assert_int_equal(assay_endpoint_of(&fx->server, plain), ASSAY_ENDPOINT_METADATA);
    assert_int_equal(assay_endpoint_of(&fx->server, tenant), ASSAY_ENDPOINT_NONE);
    fx->server.issuer = ASSAY_SLICE("https://auth.example.com/t1/");
    assert_int_equal(assay_endpoint_of(&fx->server, tenant), ASSAY_ENDPOINT_METADATA);
    assert_int_equal(assay_endpoint_of(&fx->server, plain), ASSAY_ENDPOINT_NONE);
    assert_int_equal(assay_endpoint_of(&fx->server, ASSAY_SLICE("/t1/oauth2/token")),
                     ASSAY_ENDPOINT_TOKEN);
}

/* A-SIDE-06, A-SIDE-04: a refusal is the same bytes whoever is refused. */
static void refusals_are_constant(void **state)
{
    struct server_fixture *fx = *state;
    struct assay_slice wrong =
        server_fixture_post(fx, "/oauth2/introspect", "token=x", "Basic Y2FsbGVyOndyb25n", NULL)
            .body;
    fx->caller_exists = false;
    assert_slice_equal(introspect(fx, NULL).body, wrong);
    fx->caller_exists = true;
    fx->caller.disabled = true;
    assert_slice_equal(introspect(fx, NULL).body, wrong);
}

/* A-AUTH-20: the counter is per client and source, and its window ends. */
static void failures_are_counted_by_client_and_source(void **state)
{
    static _Alignas(64) uint8_t memory[65536];
    static const uint8_t key[16] = {1};
    (void)state;
    struct assay_attempts *attempts = assay_attempts_init(memory, sizeof(memory), key);
    struct assay_slice here = assay_slice_of("\x7f\x00\x00\x01", 4);
    struct assay_slice there = assay_slice_of("\x7f\x00\x00\x02", 4);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(assay_attempts_wait_s(attempts, ASSAY_SLICE("rs1"), here, 100), 0);
        assay_attempts_failed(attempts, ASSAY_SLICE("rs1"), here, 100);
    }
    assert_int_equal(assay_attempts_wait_s(attempts, ASSAY_SLICE("rs1"), here, 110), 50);
    assert_int_equal(assay_attempts_wait_s(attempts, ASSAY_SLICE("rs1"), there, 110), 0);
    assert_int_equal(assay_attempts_wait_s(attempts, ASSAY_SLICE("rs2"), here, 110), 0);
    assert_int_equal(assay_attempts_wait_s(attempts, ASSAY_SLICE("rs1"), here, 160), 0);
}

/* A table of two buckets: full at once. */
static struct assay_attempts *small_table(void)
{
    static _Alignas(64) uint8_t memory[64 + 2 * 4 * 32];
    static const uint8_t key[16] = {1};
    return assay_attempts_init(memory, sizeof(memory), key);
}

static void fail_often(struct assay_attempts *attempts, struct assay_slice id, int times,
                       int64_t now_s)
{
    for (int i = 0; i < times; i++) {
        assay_attempts_failed(attempts, id, ASSAY_SLICE("a"), now_s);
    }
}

static bool is_limited(struct assay_attempts *attempts, struct assay_slice id, int64_t now_s)
{
    return assay_attempts_wait_s(attempts, id, ASSAY_SLICE("a"), now_s) != 0;
}

/* REL-17: a flood of names forgets counters, never grows; it leaves room for who fails after it. */
static void a_full_table_forgets_what_counted_least(void **state)
{
    struct assay_attempts *attempts = small_table();
    (void)state;
    for (uint32_t i = 0; i < 100000; i++) {
        assay_attempts_failed(attempts, assay_slice_of(&i, sizeof(i)), ASSAY_SLICE("a"), 100);
    }
    fail_often(attempts, ASSAY_SLICE("rs1"), 20, 101);
    assert_true(is_limited(attempts, ASSAY_SLICE("rs1"), 101));
}

/* A-AUTH-20: whoever is limited does not get free by failing under many other names. */
static void a_flood_of_names_frees_nobody_from_the_limit(void **state)
{
    struct assay_attempts *attempts = small_table();
    (void)state;
    fail_often(attempts, ASSAY_SLICE("rs1"), 20, 100);
    for (uint32_t i = 0; i < 100000; i++) {
        assay_attempts_failed(attempts, assay_slice_of(&i, sizeof(i)), ASSAY_SLICE("a"), 101);
    }
    assert_true(is_limited(attempts, ASSAY_SLICE("rs1"), 101));
    assert_true(is_limited(attempts, ASSAY_SLICE("rs1"), 159));
    assert_false(is_limited(attempts, ASSAY_SLICE("rs1"), 160));
}

/* Counters whose minute is over go first, however high they were. */
static void a_counter_that_is_over_makes_room_first(void **state)
{
    struct assay_attempts *attempts = small_table();
    (void)state;
    for (uint32_t i = 0; i < 64; i++) {
        fail_often(attempts, assay_slice_of(&i, sizeof(i)), 30, 100);
    }
    fail_often(attempts, ASSAY_SLICE("rs1"), 19, 160);
    for (uint32_t i = 0; i < 3; i++) {
        fail_often(attempts, assay_slice_of(&i, sizeof(i)), 1, 161);
    }
    fail_often(attempts, ASSAY_SLICE("rs1"), 1, 161);
    assert_true(is_limited(attempts, ASSAY_SLICE("rs1"), 161));
}

/* One who has a network of IPv6 has 2^64 addresses in it: they are one source. */
static void addresses_of_one_ipv6_network_are_one_source(void **state)
{
    struct assay_attempts *attempts = small_table();
    uint8_t address[16] = {0x20, 0x01, 0x0d, 0xb8};
    (void)state;
    for (int i = 0; i < 20; i++) {
        address[15] = (uint8_t)i;
        assay_attempts_failed(attempts, ASSAY_SLICE("rs1"), assay_slice_of(address, 16), 100);
    }
    address[15] = 99;
    assert_true(
        assay_attempts_wait_s(attempts, ASSAY_SLICE("rs1"), assay_slice_of(address, 16), 100) > 0);
    address[7] = 1;
    assert_int_equal(
        assay_attempts_wait_s(attempts, ASSAY_SLICE("rs1"), assay_slice_of(address, 16), 100), 0);
}

static void a_verified_secret_is_remembered_for_its_hash_alone(void **state)
{
    static _Alignas(64) uint8_t memory[65536];
    static const uint8_t key[32] = {1};
    uint8_t hash[32] = {5};
    (void)state;
    struct assay_remembered *r = assay_remembered_init(memory, sizeof(memory), key);
    struct assay_slice id = ASSAY_SLICE("rs1");
    assert_false(assay_remembered_knows(r, id, hash, ASSAY_SLICE("secret")));
    assay_remembered_add(r, id, hash, ASSAY_SLICE("secret"));
    assert_true(assay_remembered_knows(r, id, hash, ASSAY_SLICE("secret")));
    assert_false(assay_remembered_knows(r, id, hash, ASSAY_SLICE("secreT")));
    assert_false(assay_remembered_knows(r, ASSAY_SLICE("rs"), hash, ASSAY_SLICE("1secret")));
    hash[0]++;
    assert_false(assay_remembered_knows(r, id, hash, ASSAY_SLICE("secret")));
}

static void metrics_are_prometheus_text(void **state)
{
    static uint8_t room[65536];
    struct assay_buf out;
    struct assay_store_stat stat = {.tokens = 42};
    (void)state;
    struct assay_metrics *metrics = assay_metrics_init(malloc(assay_metrics_size()));
    assay_metrics_request(metrics, ASSAY_ENDPOINT_INTROSPECT, ASSAY_CALLER_RESOURCE_SERVER,
                          ASSAY_OUTCOME_INACTIVE, 15);
    assay_buf_init(&out, room, sizeof(room) - 1);
    assay_metrics_write(metrics, &stat, &out);
    assert_false(out.spent);
    room[out.len] = '\0';
    const char *text = (const char *)room;
    assert_non_null(strstr(text, "assay_requests_total{endpoint=\"introspect\",caller=\"resource_"
                                 "server\",outcome=\"inactive\"} 1\n"));
    assert_non_null(strstr(text, "_bucket{endpoint=\"introspect\",le=\"0.000010\"} 0\n"));
    assert_non_null(strstr(text, "_bucket{endpoint=\"introspect\",le=\"0.000020\"} 1\n"));
    assert_non_null(
        strstr(text, "assay_request_duration_seconds_sum{endpoint=\"introspect\"} 0.000015\n"));
    assert_non_null(strstr(text, "assay_store_tokens 42\n"));
    free(metrics);
}

/* A-SEC-03: what a request left in its arena is wiped. */
static void an_arena_is_wiped_when_cleared(void **state)
{
    struct server_fixture *fx = *state;
    introspect(fx, NULL);
    size_t used = fx->arena.used;
    assay_arena_clear(&fx->arena);
    assert_true(used > 100);
#ifndef ASSAY_ARENA_CHECKED
    for (size_t i = 0; i < used; i++) {
        assert_int_equal(fx->memory[i], 0);
    }
#endif
}

/* The last piece fits without the guard behind it (base/arena.h). */
#ifdef ASSAY_ARENA_CHECKED
#define GUARD_AT_THE_END 16
#else
#define GUARD_AT_THE_END 0
#endif

/* F-44, REL-11: an arena of any size too small ends in an error, never in an answer or a stray
 * write. */
static void a_spent_arena_is_an_error(void **state)
{
    struct server_fixture *fx = *state;
    assert_true(is_active(introspect(fx, NULL)));
    struct assay_request request = fx->exchange.request;
    size_t needed = fx->arena.used - GUARD_AT_THE_END;
    for (size_t size = 0; size < needed; size += 7) {
        struct assay_exchange ex = {.server = &fx->server, .arena = &fx->arena, .request = request};
        enum assay_step step = ASSAY_STEP_LOOKUP;
        assay_arena_clear(&fx->arena);
        assay_arena_init(&fx->arena, fx->memory, size);
        enum assay_status status = assay_exchange_run(&ex, FIXTURE_NOW, &step, NULL);
        if (status == ASSAY_OK && step == ASSAY_STEP_LOOKUP) {
            ex.lookup.caller = &fx->caller;
            ex.lookup.token = ex.lookup.want_token ? &fx->token : NULL;
            ex.lookup.client = &fx->caller;
            status = assay_exchange_run(&ex, FIXTURE_NOW, &step, NULL);
        }
        assert_true(status == ASSAY_ERR_LIMIT || !is_active(ex.reply));
    }
    assay_arena_init(&fx->arena, fx->memory, sizeof(fx->memory));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(cleartext_is_refused_unless_the_operator_says_so),
        TEST(a_token_sent_in_clear_is_revoked_all_the_same),
        TEST(a_revocation_the_store_could_not_commit_is_never_a_success),
        TEST(trouble_is_never_an_answer_about_the_token),
        TEST(exp_counts_to_the_second),
        TEST(nbf_counts_to_the_second),
        TEST(times_past_2038_and_2106_are_told_and_judged),
        TEST(a_text_that_does_not_match_its_record_is_inactive),
        TEST(a_mistyped_text_is_not_looked_up),
        TEST(another_clients_token_is_refused_and_not_touched),
        TEST(a_client_that_changes_meanwhile_is_judged_anew),
        TEST(an_access_token_ends_its_grant_when_configured),
        TEST(the_metadata_path_follows_from_the_issuer),
        TEST(refusals_are_constant),
        TEST(failures_are_counted_by_client_and_source),
        TEST(a_full_table_forgets_what_counted_least),
        TEST(a_flood_of_names_frees_nobody_from_the_limit),
        TEST(a_counter_that_is_over_makes_room_first),
        TEST(addresses_of_one_ipv6_network_are_one_source),
        TEST(a_verified_secret_is_remembered_for_its_hash_alone),
        TEST(metrics_are_prometheus_text),
        TEST(an_arena_is_wiped_when_cleared),
        TEST(a_spent_arena_is_an_error),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
