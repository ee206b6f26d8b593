#include "support/server_fixture.h"

#include "support/check.h"

struct server_fixture *server_fixture_open(void)
{
    struct assay_error error = {0};
    struct server_fixture *fx = calloc(1, sizeof(*fx));
    static const uint8_t secret[ASSAY_TOKEN_SECRET_LEN] = {1, 2, 3};
    static const struct assay_address address = {{7}};
    assert_non_null(fx);
    fx->server = (struct assay_server){
        .issuer = ASSAY_SLICE(FIXTURE_ISSUER),
        .token_prefix = ASSAY_SLICE("assay"),
        .access_lifetime_s = 3600,
        .refresh_lifetime_s = 86400,
        .refresh_window_s = 10,
    };
    assert_ok(assay_digester_open(&fx->server.digester, &error), &error);
    fx->caller = (struct assay_client_record){
        .client_id = ASSAY_SLICE("caller"),
        .auth_method = ASSAY_AUTH_SECRET_BASIC,
        .resource_server = true,
        .members = ASSAY_MEMBERS_ALL,
        .audience = ASSAY_SLICE(FIXTURE_AUDIENCE),
        .secret_count = 1,
        .secrets = {{.form = ASSAY_SECRET_SHA256}},
    };
    assert_ok(assay_sha256(fx->server.digester, ASSAY_SLICE("secret"), fx->caller.secrets[0].hash,
                           &error),
              &error);
    fx->token_text = assay_token_text_write(ASSAY_SLICE("assay"), ASSAY_TOKEN_ACCESS, &address,
                                            secret, fx->text);
    fx->token = (struct assay_token_record){
        .id = {.lifetime_class = 3, .seq = 9},
        .kind = ASSAY_TOKEN_ACCESS,
        .issued_at_s = FIXTURE_NOW - 10,
        .expires_at_s = FIXTURE_NOW + 10,
        .client_id = ASSAY_SLICE("caller"),
        .scope = ASSAY_SLICE("read write"),
        .audience = ASSAY_SLICE(FIXTURE_AUDIENCE),
    };
    assert_ok(assay_sha256(fx->server.digester, fx->token_text, fx->token.text_sha256, &error),
              &error);
    fx->now_s = FIXTURE_NOW;
    fx->caller_exists = true;
    fx->token_exists = true;
    return fx;
}

void server_fixture_close(struct server_fixture *fx)
{
    assay_arena_clear(&fx->arena);
    assay_digester_close(fx->server.digester);
    free(fx);
}

static void look_up(struct server_fixture *fx)
{
    struct assay_lookup *lookup = &fx->exchange.lookup;
    lookup->caller = fx->caller_exists ? &fx->caller : NULL;
    lookup->token = lookup->want_token && fx->token_exists ? &fx->token : NULL;
    lookup->client = &fx->caller;
    fx->exchange.store_status = fx->find_status;
}

static void change(struct server_fixture *fx)
{
    fx->changes++;
    if (fx->meanwhile != NULL) {
        fx->meanwhile(fx);
    }
    fx->exchange.change->outcome = fx->outcome;
    fx->exchange.store_status = fx->change_status;
}

struct assay_reply server_fixture_post(struct server_fixture *fx, const char *path,
                                       const char *body, const char *authorization,
                                       void (*adjust)(struct assay_request *request))
{
    struct assay_exchange *ex = &fx->exchange;
    struct assay_error error = {0};
    enum assay_step step = ASSAY_STEP_LOOKUP;
    const char *value = authorization == NULL ? "Basic Y2FsbGVyOnNlY3JldA==" : authorization;
    memset(ex, 0, sizeof(*ex));
    assay_arena_init(&fx->arena, fx->memory, sizeof(fx->memory));
    ex->server = &fx->server;
    ex->arena = &fx->arena;
    ex->request = (struct assay_request){
        .method = ASSAY_SLICE("POST"),
        .path = assay_slice_of_text(path),
        .content_type = ASSAY_SLICE("application/x-www-form-urlencoded"),
        .content_type_count = 1,
        .authorization = assay_slice_of_text(value),
        .authorization_count = value[0] == '\0' ? 0 : 1,
        .body = assay_slice_of_text(body),
        .secure = true,
    };
    if (adjust != NULL) {
        adjust(&ex->request);
    }
    for (int steps = 0; steps < 10; steps++) {
        assert_ok(assay_exchange_run(ex, fx->now_s, &step, &error), &error);
        if (step == ASSAY_STEP_REPLY) {
            return ex->reply;
        }
        assert_true(step == ASSAY_STEP_LOOKUP || step == ASSAY_STEP_CHANGE);
        if (step == ASSAY_STEP_LOOKUP) {
            look_up(fx);
        } else {
            change(fx);
        }
    }
    fail_msg("an exchange that does not end");
    return ex->reply;
}
