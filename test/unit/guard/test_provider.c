#include "guard/discovery.h"
#include "guard/provider.h"

#include "support/check.h"

#include <stdio.h>

static uint8_t body_room[32768];
static uint8_t authorization_room[16384];
static struct assay_buf body;
static struct assay_buf authorization;

static struct assay_provider plain(void)
{
    return (struct assay_provider){
        .client_id = ASSAY_SLICE("gate:way"),
        .secret = ASSAY_SLICE("p@ss word"),
        .token_parameter = ASSAY_SLICE("token"),
    };
}

static void ask(const struct assay_provider *provider, const char *token)
{
    assay_buf_init(&body, body_room, sizeof(body_room));
    assay_buf_init(&authorization, authorization_room, sizeof(authorization_room));
    assay_provider_ask(provider, assay_slice_of_text(token), (struct assay_slice){0}, &body,
                       &authorization);
    assert_false(body.spent || authorization.spent);
}

/* R7662-2.1-1 RFC 6749 section 2.3.1: each half encoded before they are joined. */
static void basic_credentials_are_encoded_before_they_are_joined(void **state)
{
    struct assay_provider provider = plain();
    (void)state;
    ask(&provider, "a+b/c=");
    assert_slice_equal(assay_buf_slice(&body), ASSAY_SLICE("token=a%2Bb%2Fc%3D"));
    /* gate%3Away:p%40ss+word */
    assert_slice_equal(assay_buf_slice(&authorization),
                       ASSAY_SLICE("Basic Z2F0ZSUzQXdheTpwJTQwc3Mrd29yZA=="));
}

static void credentials_in_the_body_stand_nowhere_else(void **state)
{
    struct assay_provider provider = plain();
    (void)state;
    provider.auth = ASSAY_GUARD_AUTH_POST;
    ask(&provider, "t");
    assert_slice_equal(assay_buf_slice(&body),
                       ASSAY_SLICE("token=t&client_id=gate%3Away&client_secret=p%40ss+word"));
    assert_int_equal(authorization.len, 0);
}

static void a_token_of_our_own_is_a_bearers(void **state)
{
    struct assay_provider provider = plain();
    struct assay_parameter more[] = {{ASSAY_SLICE("a"), ASSAY_SLICE("b c")}};
    (void)state;
    provider.auth = ASSAY_GUARD_AUTH_BEARER;
    provider.secret = ASSAY_SLICE("own");
    provider.token_parameter = ASSAY_SLICE("tok");
    provider.parameters = more;
    provider.parameter_count = 1;
    ask(&provider, "t");
    assert_slice_equal(assay_buf_slice(&body), ASSAY_SLICE("tok=t&a=b+c"));
    assert_slice_equal(assay_buf_slice(&authorization), ASSAY_SLICE("Bearer own"));
}

static enum assay_reason read_reply(unsigned status, const char *type, const char *text)
{
    static uint8_t memory[16384];
    static uint8_t room[4096];
    struct assay_arena arena;
    struct assay_buf values;
    struct assay_told told;
    struct assay_error error = {0};
    struct assay_digester *digester = NULL;
    struct assay_provider provider = plain();
    struct assay_claims claims = {0};
    struct assay_provider_reply reply = {status, assay_slice_of_text(type),
                                         assay_slice_of_text(text)};
    assay_arena_init(&arena, memory, sizeof(memory));
    assay_buf_init(&values, room, sizeof(room));
    assert_int_equal(assay_digester_open(&digester, NULL), ASSAY_OK);
    enum assay_reason reason =
        assay_provider_read(&provider, &reply, &claims, &arena, &values, digester, &told, &error);
    assert_true((error.what != NULL) == (reason != ASSAY_REASON_OK));
    assay_digester_close(digester);
    assay_arena_release(&arena);
    return reason;
}

/* A-RESP-05 F-61 F-62 P-7662-7 P-7662-8 */
static void each_status_means_what_it_means(void **state)
{
    static const char json[] = "application/json";
    static const char good[] = "{\"active\":true}";
    (void)state;
    assert_int_equal(read_reply(200, json, good), ASSAY_REASON_OK);
    assert_int_equal(read_reply(200, json, "{\"active\":false}"), ASSAY_REASON_OK);
    for (unsigned status = 100; status < 600; status++) {
        enum assay_reason reason = read_reply(status, json, good);
        if (status == 401 || status == 403) {
            assert_int_equal(reason, ASSAY_REASON_AS_REJECTS_US);
        } else if (status == 429 || status >= 500) {
            assert_int_equal(reason, ASSAY_REASON_UNREACHABLE);
        } else {
            assert_int_equal(reason, status == 200 ? ASSAY_REASON_OK : ASSAY_REASON_UNUSABLE);
        }
    }
    assert_int_equal(read_reply(200, "text/html", good), ASSAY_REASON_UNUSABLE);
    assert_int_equal(read_reply(200, "", good), ASSAY_REASON_UNUSABLE);
}

/* What Assay's server adds is understood whole or not at all. */
static void what_a_server_of_ours_tells_is_of_one_form(void **state)
{
    static const char *const wrong[] = {
        "{}",
        "[]",
        "null",
        "{\"log\":\"0123456789abcdef\",\"as_of\":\"1\"}",
        "{\"log\":\"0123456789abcdef\",\"as_of\":1,\"keys\":[null,null,null,null,null,null]}",
        "{\"log\":\"0123456789abcdef\",\"as_of\":\"01\",\"keys\":[null,null,null,null,null,null]}",
        "{\"log\":\"0123456789abcdef\",\"as_of\":\"\",\"keys\":[null,null,null,null,null,null]}",
        "{\"log\":\"0123456789abcdef\",\"as_of\":\"99999999999999999999\",\"keys\":[]}",
        "{\"log\":\"0123456789ABCDEF\",\"as_of\":\"1\",\"keys\":[null,null,null,null,null,null]}",
        "{\"log\":\"0123456789abcdef\",\"as_of\":\"1\",\"keys\":[null,null,null,null,null]}",
        "{\"log\":\"0123456789abcdef\",\"as_of\":\"1\",\"keys\":[0,null,null,null,null,null]}",
    };
    char text[512];
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_true(snprintf(text, sizeof(text), "{\"active\":true,\"assay\":%s}", wrong[i]) > 0);
        assert_int_equal(read_reply(200, "application/json", text), ASSAY_REASON_UNUSABLE);
    }
    assert_int_equal(
        read_reply(200, "application/json",
                   "{\"active\":true,\"assay\":{\"log\":\"0123456789abcdef\",\"as_of\":"
                   "\"1\",\"keys\":[\"0123456789abcdef\",null,null,null,null,null]}}"),
        ASSAY_REASON_OK);
}

/* --- discovery --- */

static struct assay_slice url_of(const char *issuer, enum assay_discovery_place place)
{
    static uint8_t room[512];
    struct assay_buf out;
    assay_buf_init(&out, room, sizeof(room));
    assay_discovery_url(assay_slice_of_text(issuer), place, &out);
    return assay_buf_slice(&out);
}

/* RFC 8414 section 3.1 */
static void metadata_lies_between_host_and_path_or_behind_it(void **state)
{
    (void)state;
    assert_slice_equal(
        url_of("https://as.example.com", ASSAY_DISCOVERY_OAUTH),
        ASSAY_SLICE("https://as.example.com/.well-known/oauth-authorization-server"));
    assert_slice_equal(
        url_of("https://as.example.com/realms/one", ASSAY_DISCOVERY_OAUTH),
        ASSAY_SLICE("https://as.example.com/.well-known/oauth-authorization-server/realms/one"));
    assert_slice_equal(
        url_of("https://as.example.com/realms/one/", ASSAY_DISCOVERY_OPENID),
        ASSAY_SLICE("https://as.example.com/realms/one/.well-known/openid-configuration"));
    assert_slice_equal(
        url_of("https://as.example.com/", ASSAY_DISCOVERY_OAUTH),
        ASSAY_SLICE("https://as.example.com/.well-known/oauth-authorization-server"));
}

/* RFC 8414 section 3.3 */
static void metadata_of_another_issuer_is_none(void **state)
{
    static const struct {
        const char *text;
        enum assay_status status;
        const char *endpoint;
        const char *keys;
    } cases[] = {
        {"{\"issuer\":\"https://as\",\"introspection_endpoint\":\"https://as/i\"}", ASSAY_OK,
         "https://as/i", ""},
        {"{\"issuer\":\"https://as\",\"jwks_uri\":\"https://as/k\",\"introspection_endpoint\":7}",
         ASSAY_OK, "", "https://as/k"},
        {"{\"issuer\":\"https://as\",\"jwks_uri\":[],\"introspection_endpoint\":\"\"}", ASSAY_OK,
         "", ""},
        {"{\"issuer\":\"https://as\"}", ASSAY_OK, "", ""},
        {"{\"issuer\":\"https://as\",\"introspection_endpoint\":\"https://as/i\",\"jwks_uri\":"
         "\"https://as/0123456789012345678901234567890123456789012345678901234567890123456789\"}",
         ASSAY_ERR_LIMIT, "", ""},
        {"{\"issuer\":\"https://as/\",\"introspection_endpoint\":\"https://as/i\"}",
         ASSAY_ERR_SYNTAX, "", ""},
        {"{\"introspection_endpoint\":\"https://as/i\"}", ASSAY_ERR_SYNTAX, "", ""},
        {"{\"issuer\":\"https://as\",\"issuer\":\"https://as\",\"introspection_endpoint\":\"x\"}",
         ASSAY_ERR_SYNTAX, "", ""},
        {"<html>", ASSAY_ERR_SYNTAX, "", ""},
    };
    static uint8_t memory[64];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct assay_arena arena;
        struct assay_discovered said = {0};
        struct assay_error error = {0};
        assay_arena_init(&arena, memory, sizeof(memory));
        assert_int_equal(assay_discovery_read(assay_slice_of_text(cases[i].text),
                                              ASSAY_SLICE("https://as"), &arena, &said, &error),
                         cases[i].status);
        if (cases[i].status == ASSAY_OK) {
            assert_slice_equal(said.introspection_endpoint, assay_slice_of_text(cases[i].endpoint));
            assert_slice_equal(said.jwks_uri, assay_slice_of_text(cases[i].keys));
        }
        assay_arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(basic_credentials_are_encoded_before_they_are_joined),
        cmocka_unit_test(credentials_in_the_body_stand_nowhere_else),
        cmocka_unit_test(a_token_of_our_own_is_a_bearers),
        cmocka_unit_test(each_status_means_what_it_means),
        cmocka_unit_test(what_a_server_of_ours_tells_is_of_one_form),
        cmocka_unit_test(metadata_lies_between_host_and_path_or_behind_it),
        cmocka_unit_test(metadata_of_another_issuer_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
