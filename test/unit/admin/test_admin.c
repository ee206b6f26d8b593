/* The administrative verbs step by step: the store's answers are put in by hand. */
#include "admin/admin.h"

#include "support/check.h"

#include <openssl/evp.h>

#include <stdio.h>

#define NOW 1800000000

struct fixture {
    uint8_t room[1 << 18];
    struct assay_arena arena;
    struct assay_server server;
    struct assay_exchange ex;
    enum assay_step step;
    struct assay_error error;
    struct assay_client_record client;
    struct assay_token_record token;
};

static int set_up(void **state)
{
    static struct fixture fx;
    memset(&fx, 0, sizeof fx);
    assay_arena_init(&fx.arena, fx.room, sizeof fx.room);
    if (assay_digester_open(&fx.server.digester, &fx.error) != ASSAY_OK) {
        return -1;
    }
    fx.server.token_prefix = ASSAY_SLICE("assay");
    fx.server.access_lifetime_s = 3600;
    fx.server.refresh_lifetime_s = 86400;
    fx.client = (struct assay_client_record){
        .client_id = ASSAY_SLICE("robot"),
        .version = 7,
        .auth_method = ASSAY_AUTH_SECRET_BASIC,
        .grants = ASSAY_GRANT_CLIENT_CREDENTIALS,
        .scope = ASSAY_SLICE("read write"),
        .default_scope = ASSAY_SLICE("read"),
        .audience = ASSAY_SLICE("https://a https://b"),
        .default_audience = ASSAY_SLICE("https://a"),
        .secrets = {{.form = ASSAY_SECRET_SHA256, .hash = {1}}},
        .secret_count = 1,
    };
    fx.token = (struct assay_token_record){
        .id = {.lifetime_class = 3, .seq = 100},
        .kind = ASSAY_TOKEN_ACCESS,
        .issued_at_s = NOW - 10,
        .expires_at_s = NOW + 10,
        .client_id = ASSAY_SLICE("robot"),
        .audience = ASSAY_SLICE("https://a"),
    };
    *state = &fx;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;
    assay_digester_close(fx->server.digester);
    assay_arena_release(&fx->arena);
    return 0;
}

static void start(struct fixture *fx, const char *path, const char *body)
{
    assay_arena_clear(&fx->arena);
    fx->ex = (struct assay_exchange){
        .server = &fx->server,
        .arena = &fx->arena,
        .request = {.method = ASSAY_SLICE("POST"),
                    .path = assay_slice_of_text(path),
                    .content_type = ASSAY_SLICE("application/json"),
                    .content_type_count = 1,
                    .body = assay_slice_of_text(body),
                    .secure = true},
        .trusted = true,
    };
}

static void go_on(struct fixture *fx)
{
    assert_ok(assay_admin_run(&fx->ex, NOW, &fx->step, &fx->error), &fx->error);
}

static void begin(struct fixture *fx, const char *path, const char *body)
{
    start(fx, path, body);
    go_on(fx);
}

static bool replied(const struct fixture *fx, const char *text)
{
    static char body[ASSAY_MAX_REPLY + 1];
    memcpy(body, fx->ex.reply.body.data, fx->ex.reply.body.len);
    body[fx->ex.reply.body.len] = '\0';
    return fx->step == ASSAY_STEP_REPLY && strstr(body, text) != NULL;
}

static void assert_reply(const struct fixture *fx, unsigned http_status, const char *text)
{
    assert_int_equal(fx->step, ASSAY_STEP_REPLY);
    assert_int_equal(fx->ex.reply.http_status, http_status);
    assert_true(fx->ex.reply.no_store);
    assert_true(replied(fx, text));
}

/* Nobody who is not trusted gets past the door without credentials, whatever the request. */
static void stranger_is_told_nothing_but_401(void **state)
{
    struct fixture *fx = *state;
    static const char *const paths[] = {"/admin/client/list", "/admin/nosuch", "/admin/"};
    for (size_t i = 0; i < 3; i++) {
        start(fx, paths[i], "{");
        fx->ex.trusted = false;
        go_on(fx);
        assert_reply(fx, 401, "invalid_client");
        assert_slice_equal(fx->ex.reply.www_authenticate, ASSAY_SLICE("Basic realm=\"assay\""));
    }
}

/* A request of the client `ops` with `secret`, up to its look-up. */
static void knock(struct fixture *fx, const char *secret)
{
    static char value[256];
    char pair[128];
    snprintf(pair, sizeof pair, "ops:%s", secret);
    memcpy(value, "Basic ", 6);
    EVP_EncodeBlock((unsigned char *)value + 6, (const unsigned char *)pair, (int)strlen(pair));
    start(fx, "/admin/client/show", "{\"client_id\":\"robot\"}");
    fx->ex.trusted = false;
    fx->ex.request.authorization = assay_slice_of_text(value);
    fx->ex.request.authorization_count = 1;
    go_on(fx);
}

static void register_ops(struct fixture *fx, const char *secret)
{
    fx->client.client_id = ASSAY_SLICE("ops");
    fx->client.admin = true;
    assert_ok(assay_sha256(fx->server.digester, assay_slice_of_text(secret),
                           fx->client.secrets[0].hash, &fx->error),
              &fx->error);
}

static void administrator_is_let_in_with_the_right_secret_alone(void **state)
{
    struct fixture *fx = *state;
    register_ops(fx, "right-right-right");
    knock(fx, "right-right-right");
    assert_int_equal(fx->step, ASSAY_STEP_LOOKUP);
    assert_slice_equal(fx->ex.lookup.caller_id, ASSAY_SLICE("ops"));
    fx->ex.lookup.caller = &fx->client;
    go_on(fx);
    assert_int_equal(fx->step, ASSAY_STEP_LOOKUP); /* the verb's own */
    assert_slice_equal(fx->ex.lookup.caller_id, ASSAY_SLICE("robot"));
    assert_slice_equal(fx->ex.client_id, ASSAY_SLICE("ops"));

    static const char *const wrong[] = {"", "right-right-righ", "right-right-right2", "RIGHT"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        knock(fx, wrong[i]);
        if (fx->step == ASSAY_STEP_LOOKUP) {
            fx->ex.lookup.caller = &fx->client;
            go_on(fx);
        }
        assert_reply(fx, 401, "invalid_client");
    }
    knock(fx, "right-right-right");
    fx->ex.lookup.caller = NULL;
    go_on(fx);
    assert_reply(fx, 401, "invalid_client");
}

static void right_secret_of_somebody_else_is_not_enough(void **state)
{
    struct fixture *fx = *state;
    register_ops(fx, "right-right-right");
    fx->client.admin = false;
    knock(fx, "right-right-right");
    fx->ex.lookup.caller = &fx->client;
    go_on(fx);
    assert_reply(fx, 403, "unauthorized_client");

    register_ops(fx, "right-right-right");
    fx->client.disabled = true;
    knock(fx, "right-right-right");
    fx->ex.lookup.caller = &fx->client;
    go_on(fx);
    assert_reply(fx, 401, "invalid_client");

    register_ops(fx, "right-right-right");
    fx->client.disabled = false;
    fx->client.secrets[0].expires_at_s = NOW;
    knock(fx, "right-right-right");
    fx->ex.lookup.caller = &fx->client;
    go_on(fx);
    assert_reply(fx, 401, "invalid_client");
}

/* A public client is known by its id alone: that opens no door, should it ever have `admin`. */
static void public_client_is_no_administrator(void **state)
{
    struct fixture *fx = *state;
    register_ops(fx, "right-right-right");
    fx->client.auth_method = ASSAY_AUTH_NONE;
    static const char *const tried[] = {"", "right-right-right"};
    for (size_t i = 0; i < 2; i++) {
        knock(fx, tried[i]);
        if (fx->step == ASSAY_STEP_LOOKUP) {
            fx->ex.lookup.caller = &fx->client;
            go_on(fx);
        }
        assert_reply(fx, 401, "invalid_client");
    }
}

static void scrypt_secret_must_still_be_registered_when_it_is_verified(void **state)
{
    struct fixture *fx = *state;
    register_ops(fx, "unused");
    fx->client.secrets[0].form = ASSAY_SECRET_SCRYPT;
    for (int gone = 0; gone < 2; gone++) {
        knock(fx, "right-right-right");
        fx->ex.lookup.caller = &fx->client;
        go_on(fx);
        assert_int_equal(fx->step, ASSAY_STEP_SCRYPT);
        memcpy(fx->ex.kdf_out, fx->client.secrets[0].hash, sizeof fx->ex.kdf_out);
        go_on(fx);
        assert_int_equal(fx->step, ASSAY_STEP_LOOKUP);
        fx->client.secret_count = gone ? 0 : 1;
        fx->ex.lookup.caller = &fx->client;
        go_on(fx);
        if (gone) {
            assert_reply(fx, 401, "invalid_client");
        } else {
            assert_slice_equal(fx->ex.lookup.caller_id, ASSAY_SLICE("robot"));
        }
    }
}

static void cleartext_from_elsewhere_is_refused_before_the_store_is_asked(void **state)
{
    struct fixture *fx = *state;
    start(fx, "/admin/client/list", "{}");
    fx->ex.trusted = false;
    fx->ex.request.secure = false;
    go_on(fx);
    assert_reply(fx, 400, "use https");
}

static void request_that_is_no_json_post_is_refused(void **state)
{
    struct fixture *fx = *state;
    begin(fx, "/admin/client/nosuch", "{}");
    assert_reply(fx, 404, "not_found");

    start(fx, "/admin/client/list", "");
    fx->ex.request.method = ASSAY_SLICE("GET");
    go_on(fx);
    assert_reply(fx, 405, "POST");
    assert_slice_equal(fx->ex.reply.allow, ASSAY_SLICE("POST"));

    start(fx, "/admin/client/list", "");
    fx->ex.request.content_type = ASSAY_SLICE("application/x-www-form-urlencoded");
    go_on(fx);
    assert_reply(fx, 415, "application/json");

    start(fx, "/admin/client/list", "");
    fx->ex.request.content_type_count = 2;
    go_on(fx);
    assert_reply(fx, 415, "application/json");

    start(fx, "/admin/client/list", "");
    fx->ex.request.content_encoding = ASSAY_SLICE("gzip");
    go_on(fx);
    assert_reply(fx, 415, "application/json");

    start(fx, "/admin/client/list", "");
    fx->ex.request.body_too_large = true;
    go_on(fx);
    assert_reply(fx, 413, "too large");

    begin(fx, "/admin/client/show", "{\"client_id\":\"a\",\"admin\":true}");
    assert_reply(fx, 400, "admin has no meaning here");

    start(fx, "/admin/client/list", "");
    fx->ex.request.content_type = ASSAY_SLICE("Application/JSON ; charset=utf-8");
    go_on(fx);
    assert_int_equal(fx->step, ASSAY_STEP_QUERY);
}

/* REL-05: trouble of the store is 503, never an answer. */
static void store_that_does_not_answer_is_503(void **state)
{
    struct fixture *fx = *state;
    static const char *const bodies[][2] = {
        {"/admin/client/show", "{\"client_id\":\"robot\"}"},
        {"/admin/client/list", "{}"},
        {"/admin/client/update", "{\"client_id\":\"robot\"}"},
        {"/admin/client/disable", "{\"client_id\":\"robot\"}"},
        {"/admin/client/remove", "{\"client_id\":\"robot\"}"},
        {"/admin/client/rotate-secret", "{\"client_id\":\"robot\"}"},
        {"/admin/client/add", "{\"client_id\":\"robot\",\"admin\":true}"},
        {"/admin/token/issue", "{\"client_id\":\"robot\"}"},
        {"/admin/token/introspect", "{\"jti\":\"AAAAAAAAAAAAAAAAAAAAAA\"}"},
        {"/admin/token/revoke", "{\"jti\":\"AAAAAAAAAAAAAAAAAAAAAA\"}"},
        {"/admin/token/why", "{\"jti\":\"AAAAAAAAAAAAAAAAAAAAAA\"}"},
        {"/admin/grant/list", "{}"},
        {"/admin/grant/end", "{\"grant\":\"5\"}"},
        {"/admin/subject/end", "{\"subject\":\"alice\"}"},
        {"/admin/key/rotate", "{}"},
        {"/admin/store/stat", "{}"},
    };
    static const enum assay_status trouble[] = {ASSAY_ERR_STORE, ASSAY_ERR_FULL, ASSAY_ERR_CORRUPT,
                                                ASSAY_ERR_CRYPTO};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        for (size_t j = 0; j < sizeof trouble / sizeof trouble[0]; j++) {
            begin(fx, bodies[i][0], bodies[i][1]);
            assert_int_not_equal(fx->step, ASSAY_STEP_REPLY);
            fx->ex.store_status = trouble[j];
            go_on(fx);
            assert_reply(fx, 503, "temporarily_unavailable");
            assert_int_equal(fx->ex.reply.retry_after_s, 1);
        }
    }
}

static void change_that_meets_another_is_tried_anew_and_then_given_up(void **state)
{
    struct fixture *fx = *state;
    begin(fx, "/admin/client/disable", "{\"client_id\":\"robot\"}");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fx->step, ASSAY_STEP_LOOKUP);
        assert_slice_equal(fx->ex.lookup.caller_id, ASSAY_SLICE("robot"));
        fx->ex.lookup.caller = &fx->client;
        go_on(fx);
        assert_int_equal(fx->step, ASSAY_STEP_CHANGE);
        assert_int_equal(fx->ex.change->verb, ASSAY_CHANGE_CLIENT_UPDATE);
        assert_int_equal(fx->ex.change->u.client.record.version, 7);
        assert_true(fx->ex.change->u.client.record.disabled);
        assert_true(fx->ex.change->u.client.cut);
        fx->ex.change->outcome = ASSAY_REFUSED_STALE;
        go_on(fx);
    }
    assert_reply(fx, 409, "conflict");
}

static void enabling_cuts_nothing_and_changes_nothing_twice(void **state)
{
    struct fixture *fx = *state;
    begin(fx, "/admin/client/enable", "{\"client_id\":\"robot\"}");
    fx->ex.lookup.caller = &fx->client;
    go_on(fx);
    assert_reply(fx, 200, "\"changed\":false");

    fx->client.disabled = true;
    begin(fx, "/admin/client/enable", "{\"client_id\":\"robot\"}");
    fx->ex.lookup.caller = &fx->client;
    go_on(fx);
    assert_int_equal(fx->step, ASSAY_STEP_CHANGE);
    assert_false(fx->ex.change->u.client.record.disabled);
    assert_false(fx->ex.change->u.client.cut);
}

static void generated_secret_is_kept_as_its_hash_alone(void **state)
{
    struct fixture *fx = *state;
    begin(fx, "/admin/client/add", "{\"client_id\":\"x\",\"audience\":[\"https://a\"]}");
    assert_int_equal(fx->step, ASSAY_STEP_CHANGE);
    struct assay_client_record *record = &fx->ex.change->u.client.record;
    assert_int_equal(record->secret_count, 1);
    assert_int_equal(record->secrets[0].form, ASSAY_SECRET_SHA256);
    uint8_t hash[ASSAY_SHA256_LEN];
    memcpy(hash, record->secrets[0].hash, sizeof hash);
    fx->ex.change->outcome = ASSAY_DONE;
    go_on(fx);
    assert_reply(fx, 200, "\"client_secret\":\"");

    const char *at = strstr((const char *)fx->ex.reply.body.data, "\"client_secret\":\"") + 17;
    uint8_t again[ASSAY_SHA256_LEN];
    assert_ok(assay_sha256(fx->server.digester, assay_slice_of(at, 43), again, &fx->error),
              &fx->error);
    assert_memory_equal(hash, again, sizeof hash);
    assert_int_equal(at[43], '"');
}

static void own_secret_goes_through_scrypt_and_never_comes_back(void **state)
{
    struct fixture *fx = *state;
    begin(fx, "/admin/client/add",
          "{\"client_id\":\"x\",\"admin\":true,\"client_secret\":\"CANARY-9876\"}");
    assert_int_equal(fx->step, ASSAY_STEP_SCRYPT);
    assert_slice_equal(fx->ex.kdf_secret, ASSAY_SLICE("CANARY-9876"));
    memset(fx->ex.kdf_out, 0xAB, sizeof fx->ex.kdf_out);
    go_on(fx);
    assert_int_equal(fx->step, ASSAY_STEP_CHANGE);
    const struct assay_client_secret *secret = &fx->ex.change->u.client.record.secrets[0];
    assert_int_equal(secret->form, ASSAY_SECRET_SCRYPT);
    assert_int_equal(secret->hash[31], 0xAB);
    assert_memory_equal(secret->salt, fx->ex.kdf_salt, sizeof secret->salt);
    assert_int_equal(fx->ex.kdf_out[0], 0); /* wiped */
    fx->ex.change->outcome = ASSAY_DONE;
    go_on(fx);
    assert_reply(fx, 200, "\"form\":\"scrypt\"");
    assert_false(replied(fx, "CANARY"));
    assert_false(replied(fx, "client_secret\":"));
}

static void failed_scrypt_makes_no_client(void **state)
{
    struct fixture *fx = *state;
    begin(fx, "/admin/client/add",
          "{\"client_id\":\"x\",\"admin\":true,\"client_secret\":\"CANARY-9876\"}");
    fx->ex.kdf_failed = true;
    assert_int_equal(assay_admin_run(&fx->ex, NOW, &fx->step, &fx->error), ASSAY_ERR_CRYPTO);
}

/* The audience that nobody named is that of the only resource server, and of none when there are
 * two or more. */
static void audience_is_taken_from_the_only_resource_server(void **state)
{
    struct fixture *fx = *state;
    for (int servers = 0; servers < 3; servers++) {
        begin(fx, "/admin/client/add", "{\"client_id\":\"x\"}");
        assert_int_equal(fx->step, ASSAY_STEP_QUERY);
        fx->ex.query.client = fx->client; /* not a resource server: passed over */
        assert_true(fx->ex.query.row(&fx->ex.query));
        for (int i = 0; i < servers; i++) {
            fx->ex.query.client = fx->client;
            fx->ex.query.client.resource_server = true;
            assert_int_equal(fx->ex.query.row(&fx->ex.query), i == 0);
        }
        go_on(fx);
        assert_int_equal(fx->step, ASSAY_STEP_CHANGE);
        assert_slice_equal(fx->ex.change->u.client.record.audience,
                           servers == 1 ? fx->client.audience : ASSAY_SLICE(""));
    }
}

static void rotation_keeps_the_old_secret_for_the_overlap_alone(void **state)
{
    struct fixture *fx = *state;
    begin(fx, "/admin/client/rotate-secret", "{\"client_id\":\"robot\",\"overlap\":60}");
    fx->ex.lookup.caller = &fx->client;
    go_on(fx);
    const struct assay_client_record *record = &fx->ex.change->u.client.record;
    assert_int_equal(record->secret_count, 2);
    assert_int_equal(record->secrets[0].expires_at_s, 0);
    assert_int_equal(record->secrets[1].expires_at_s, NOW + 60);
    assert_int_equal(record->secrets[1].hash[0], 1);

    /* one that was to end sooner does not live longer for it */
    fx->client.secrets[0].expires_at_s = NOW + 5;
    begin(fx, "/admin/client/rotate-secret", "{\"client_id\":\"robot\"}");
    fx->ex.lookup.caller = &fx->client;
    go_on(fx);
    assert_int_equal(fx->ex.change->u.client.record.secrets[1].expires_at_s, NOW + 5);

    begin(fx, "/admin/client/rotate-secret", "{\"client_id\":\"robot\",\"overlap\":0}");
    fx->ex.lookup.caller = &fx->client;
    go_on(fx);
    assert_int_equal(fx->ex.change->u.client.record.secret_count, 1);
}

static void issue_takes_what_the_client_is_registered_for(void **state)
{
    struct fixture *fx = *state;
    begin(fx, "/admin/token/issue", "{\"client_id\":\"robot\",\"subject\":\"alice\"}");
    fx->ex.lookup.caller = &fx->client;
    go_on(fx);
    assert_int_equal(fx->step, ASSAY_STEP_CHANGE);
    const struct assay_change_issue *issue = &fx->ex.change->u.issue;
    assert_slice_equal(issue->access.record.scope, ASSAY_SLICE("read"));
    assert_slice_equal(issue->access.record.audience, ASSAY_SLICE("https://a"));
    assert_int_equal(issue->access.record.expires_at_s, NOW + 3600);
    assert_int_equal(issue->require_grant, 0);
    assert_false(issue->with_refresh);

    static const char *const wrong[] = {
        "{\"client_id\":\"robot\",\"scope\":\"read admin\"}",
        "{\"client_id\":\"robot\",\"audience\":[\"https://c\"]}",
        "{\"client_id\":\"robot\",\"audience\":[]}",
        "{\"client_id\":\"robot\",\"scope\":\"a  b\"}",
        "{\"client_id\":\"robot\",\"lifetime\":0}",
        "{\"client_id\":\"robot\",\"username\":\"alice\"}",
        "{\"client_id\":\"robot\",\"refresh\":true,\"subject\":\"alice\"}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        begin(fx, "/admin/token/issue", wrong[i]);
        fx->ex.lookup.caller = &fx->client;
        go_on(fx);
        assert_reply(fx, 400, "invalid_request");
    }
    fx->client.disabled = true;
    begin(fx, "/admin/token/issue", "{\"client_id\":\"robot\"}");
    fx->ex.lookup.caller = &fx->client;
    go_on(fx);
    assert_reply(fx, 400, "disabled");
}

static void two_tokens_of_one_issue_share_no_secret(void **state)
{
    struct fixture *fx = *state;
    fx->client.grants |= ASSAY_GRANT_REFRESH_TOKEN;
    begin(fx, "/admin/token/issue",
          "{\"client_id\":\"robot\",\"subject\":\"alice\",\"refresh\":true}");
    fx->ex.lookup.caller = &fx->client;
    go_on(fx);
    const struct assay_change_issue *issue = &fx->ex.change->u.issue;
    assert_true(issue->with_refresh);
    assert_memory_not_equal(issue->access.secret, issue->refresh.secret, ASSAY_TOKEN_SECRET_LEN);
    assert_int_equal(issue->refresh.record.expires_at_s, NOW + 86400);
}

static void revoke_finds(struct fixture *fx)
{
    begin(fx, "/admin/token/revoke", "{\"jti\":\"AAAAAAAAAAAAAAAAAAAAAA\"}");
    assert_int_equal(fx->step, ASSAY_STEP_LOOKUP);
    assert_true(fx->ex.lookup.want_token);
    fx->ex.lookup.token = &fx->token;
    fx->ex.lookup.client = &fx->client;
    go_on(fx);
}

static void revoking_cuts_the_token_or_for_a_refresh_token_its_grant(void **state)
{
    struct fixture *fx = *state;
    static const uint8_t token_number[8] = {0, 0, 0, 0, 0, 0, 0, 100};
    static const uint8_t grant_number[8] = {0, 0, 0, 0, 0, 0, 0, 90};
    revoke_finds(fx);
    assert_int_equal(fx->step, ASSAY_STEP_CHANGE);
    assert_int_equal(fx->ex.change->u.cut.kind, ASSAY_CUTOFF_TOKEN);
    assert_slice_equal(fx->ex.change->u.cut.id, assay_slice_of(token_number, 8));
    assert_int_equal(fx->ex.change->u.cut.token_expires_at_s, NOW + 10);

    fx->token.grant = 90;
    revoke_finds(fx);
    assert_int_equal(fx->ex.change->u.cut.kind, ASSAY_CUTOFF_TOKEN);
    fx->token.kind = ASSAY_TOKEN_REFRESH;
    revoke_finds(fx);
    assert_int_equal(fx->ex.change->u.cut.kind, ASSAY_CUTOFF_GRANT);
    assert_slice_equal(fx->ex.change->u.cut.id, assay_slice_of(grant_number, 8));
    fx->token.kind = ASSAY_TOKEN_ACCESS;
    fx->server.revoke_access_ends_grant = true;
    revoke_finds(fx);
    assert_int_equal(fx->ex.change->u.cut.kind, ASSAY_CUTOFF_GRANT);
}

static void rotated_refresh_token_still_ends_its_grant(void **state)
{
    struct fixture *fx = *state;
    fx->token.grant = 90;
    fx->token.kind = ASSAY_TOKEN_REFRESH;
    fx->token.rotation.rotated_at_s = NOW - 5;
    revoke_finds(fx);
    assert_int_equal(fx->step, ASSAY_STEP_CHANGE);
    assert_int_equal(fx->ex.change->u.cut.kind, ASSAY_CUTOFF_GRANT);
}

static void token_is_named_exactly_once(void **state)
{
    struct fixture *fx = *state;
    begin(fx, "/admin/token/why", "{}");
    assert_reply(fx, 400, "exactly one");
    begin(fx, "/admin/token/why", "{\"jti\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"token\":\"x\"}");
    assert_reply(fx, 400, "exactly one");
}

static void text_with_a_wrong_secret_is_not_the_token_at_its_address(void **state)
{
    struct fixture *fx = *state;
    uint8_t text[ASSAY_MAX_TOKEN_TEXT];
    uint8_t secret[ASSAY_TOKEN_SECRET_LEN] = {9};
    struct assay_address address = {{1, 2, 3}};
    struct assay_slice token =
        assay_token_text_write(ASSAY_SLICE("assay"), ASSAY_TOKEN_ACCESS, &address, secret, text);
    char body[256];
    snprintf(body, sizeof body, "{\"token\":\"%.*s\"}", (int)token.len, (const char *)token.data);
    static const char *const paths[] = {"/admin/token/introspect", "/admin/token/why",
                                        "/admin/token/revoke"};
    static const char *const answers[] = {"{\"active\":false}", "wrong secret", "not_found"};
    for (size_t i = 0; i < 3; i++) {
        begin(fx, paths[i], body);
        assert_memory_equal(fx->ex.lookup.address.bytes, address.bytes, ASSAY_ADDRESS_LEN);
        fx->ex.lookup.token = &fx->token;
        fx->ex.lookup.client = &fx->client;
        go_on(fx);
        assert_true(replied(fx, answers[i]));
        assert_false(replied(fx, "https://a"));
    }
}

static void grant_that_is_not_there_is_not_ended(void **state)
{
    struct fixture *fx = *state;
    begin(fx, "/admin/grant/end", "{\"grant\":\"5\"}");
    assert_int_equal(fx->step, ASSAY_STEP_QUERY);
    assert_int_equal(fx->ex.query.after, 4);
    fx->ex.query.grant.grant = 6; /* the next one that is there */
    assert_false(fx->ex.query.row(&fx->ex.query));
    go_on(fx);
    assert_reply(fx, 404, "not_found");

    static const char *const wrong[] = {
        "", "0", "05", "-1", "x", "1x", "144115188075855872", "99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char body[64];
        snprintf(body, sizeof body, "{\"grant\":\"%s\"}", wrong[i]);
        begin(fx, "/admin/grant/end", body);
        assert_reply(fx, 400, "invalid_request");
    }
}

/* A page ends before the reply is full, and the next one starts behind its last row. */
static void listing_stops_before_the_reply_is_full(void **state)
{
    struct fixture *fx = *state;
    begin(fx, "/admin/client/list", "{}");
    char id[16];
    char last[16] = "";
    fx->ex.query.client = fx->client;
    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof id, "c%06d", i);
        fx->ex.query.client.client_id = assay_slice_of_text(id);
        if (!fx->ex.query.row(&fx->ex.query)) {
            break;
        }
        memcpy(last, id, sizeof last);
    }
    go_on(fx);
    char next[64];
    snprintf(next, sizeof next, "],\"next\":\"%s\"}", last);
    assert_reply(fx, 200, next);
}

static void arena_that_is_spent_is_an_error_not_a_crash(void **state)
{
    struct fixture *fx = *state;
    for (size_t size = 0; size < 40000; size += 97) {
        start(fx, "/admin/client/show", "{\"client_id\":\"robot\"}");
        assay_arena_init(&fx->arena, fx->room, size);
        enum assay_status status = assay_admin_run(&fx->ex, NOW, &fx->step, &fx->error);
        if (status == ASSAY_OK && fx->step == ASSAY_STEP_LOOKUP) {
            fx->ex.lookup.caller = &fx->client;
            status = assay_admin_run(&fx->ex, NOW, &fx->step, &fx->error);
        }
        assert_true(status == ASSAY_OK || status == ASSAY_ERR_LIMIT);
        assay_arena_release(&fx->arena);
        assay_arena_init(&fx->arena, fx->room, sizeof fx->room);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stranger_is_told_nothing_but_401),
        TEST(administrator_is_let_in_with_the_right_secret_alone),
        TEST(right_secret_of_somebody_else_is_not_enough),
        TEST(public_client_is_no_administrator),
        TEST(scrypt_secret_must_still_be_registered_when_it_is_verified),
        TEST(cleartext_from_elsewhere_is_refused_before_the_store_is_asked),
        TEST(request_that_is_no_json_post_is_refused),
        TEST(store_that_does_not_answer_is_503),
        TEST(change_that_meets_another_is_tried_anew_and_then_given_up),
        TEST(enabling_cuts_nothing_and_changes_nothing_twice),
        TEST(generated_secret_is_kept_as_its_hash_alone),
        TEST(own_secret_goes_through_scrypt_and_never_comes_back),
        TEST(failed_scrypt_makes_no_client),
        TEST(audience_is_taken_from_the_only_resource_server),
        TEST(rotation_keeps_the_old_secret_for_the_overlap_alone),
        TEST(issue_takes_what_the_client_is_registered_for),
        TEST(two_tokens_of_one_issue_share_no_secret),
        TEST(revoking_cuts_the_token_or_for_a_refresh_token_its_grant),
        TEST(rotated_refresh_token_still_ends_its_grant),
        TEST(token_is_named_exactly_once),
        TEST(text_with_a_wrong_secret_is_not_the_token_at_its_address),
        TEST(grant_that_is_not_there_is_not_ended),
        TEST(listing_stops_before_the_reply_is_full),
        TEST(arena_that_is_spent_is_an_error_not_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
