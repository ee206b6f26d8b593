#include "guard/provider.h"

#include "base/secret.h"
#include "http/authorization.h"
#include "http/form.h"
#include "http/media_type.h"
#include "oauth/answer.h"

/* --- asking --- */

static void append_parameter(struct assay_buf *out, struct assay_slice name,
                             struct assay_slice value)
{
    if (out->len != 0) {
        assay_buf_append_byte(out, '&');
    }
    assay_form_encode(name, out);
    assay_buf_append_byte(out, '=');
    assay_form_encode(value, out);
}

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/* What shows who asks, if that is in the body (RFC 6749 section 2.3.1, RFC 7523 section 2.2, RFC
 * 8705 section 2). */
static void write_credentials(const struct assay_provider *provider, struct assay_slice assertion,
                              struct assay_buf *body)
{
    switch (provider->auth) {
    case ASSAY_GUARD_AUTH_BASIC:
    case ASSAY_GUARD_AUTH_BEARER:
        break;
    case ASSAY_GUARD_AUTH_POST:
        append_parameter(body, ASSAY_SLICE("client_id"), provider->client_id);
        append_parameter(body, ASSAY_SLICE("client_secret"), provider->secret);
        break;
    case ASSAY_GUARD_AUTH_KEY:
        append_parameter(body, ASSAY_SLICE("client_id"), provider->client_id);
        append_parameter(body, ASSAY_SLICE("client_assertion_type"), ASSAY_SLICE(ASSERTION_TYPE));
        append_parameter(body, ASSAY_SLICE("client_assertion"), assertion);
        break;
    case ASSAY_GUARD_AUTH_TLS:
        append_parameter(body, ASSAY_SLICE("client_id"), provider->client_id);
        break;
    }
}

static void write_body(const struct assay_provider *provider, struct assay_slice token,
                       struct assay_slice assertion, struct assay_buf *body)
{
    append_parameter(body, provider->token_parameter, token);
    for (size_t i = 0; i < provider->parameter_count; i++) {
        append_parameter(body, provider->parameters[i].name, provider->parameters[i].value);
    }
    write_credentials(provider, assertion, body);
}

static void write_basic(const struct assay_provider *provider, struct assay_buf *out)
{
    uint8_t user_room[3 * ASSAY_MAX_CLIENT_ID];
    uint8_t password_room[3 * ASSAY_MAX_CLIENT_SECRET];
    struct assay_buf user;
    struct assay_buf password;
    assay_buf_init(&user, user_room, sizeof(user_room));
    assay_buf_init(&password, password_room, sizeof(password_room));
    assay_form_encode(provider->client_id, &user);
    assay_form_encode(provider->secret, &password);
    out->spent = out->spent || user.spent || password.spent;
    assay_basic_write(assay_buf_slice(&user), assay_buf_slice(&password), out);
    assay_secret_wipe(password_room, sizeof(password_room));
}

void assay_provider_ask(const struct assay_provider *provider, struct assay_slice token,
                        struct assay_slice assertion, struct assay_buf *body,
                        struct assay_buf *authorization)
{
    write_body(provider, token, assertion, body);
    switch (provider->auth) {
    case ASSAY_GUARD_AUTH_BASIC:
        write_basic(provider, authorization);
        break;
    case ASSAY_GUARD_AUTH_POST:
    case ASSAY_GUARD_AUTH_KEY:
    case ASSAY_GUARD_AUTH_TLS:
        break;
    case ASSAY_GUARD_AUTH_BEARER:
        assay_buf_append(authorization, ASSAY_SLICE("Bearer "));
        assay_buf_append(authorization, provider->secret);
        break;
    }
}

/* --- understanding --- */

static enum assay_reason unusable(const char *what, struct assay_error *reterr)
{
    (void)assay_fail(ASSAY_ERR_SYNTAX, what, reterr);
    return ASSAY_REASON_UNUSABLE;
}

/* What the status alone says; ASSAY_REASON_OK when the body is to be read. */
static enum assay_reason judge_status(const struct assay_provider_reply *reply,
                                      struct assay_error *reterr)
{
    if (reply->http_status == 401 || reply->http_status == 403) {
        (void)assay_fail(ASSAY_ERR_SYNTAX,
                         "the authorization server refuses the guard's own credentials", reterr);
        return ASSAY_REASON_AS_REJECTS_US;
    }
    if (reply->http_status == 429 || reply->http_status >= 500) {
        (void)assay_fail(ASSAY_ERR_SYSTEM, "the authorization server says it is in trouble",
                         reterr);
        return ASSAY_REASON_UNREACHABLE;
    }
    if (reply->http_status != 200) {
        return unusable("the answer's status is not 200", reterr);
    }
    if (!assay_media_type_is(reply->content_type, ASSAY_SLICE("application/json"))) {
        return unusable("the answer's media type is not application/json", reterr);
    }
    return ASSAY_REASON_OK;
}

static enum assay_status make_marks(const struct assay_answer *answer,
                                    struct assay_digester *digester, struct assay_told *ret,
                                    struct assay_error *reterr)
{
    enum assay_status status = ASSAY_OK;
    if (answer->subject.len != 0) {
        status =
            assay_mark_make(digester, ASSAY_MARK_SUBJECT, answer->subject, &ret->subject, reterr);
    }
    if (status == ASSAY_OK && answer->client_id.len != 0) {
        status =
            assay_mark_make(digester, ASSAY_MARK_CLIENT, answer->client_id, &ret->client, reterr);
    }
    return status;
}

static enum assay_status take(const struct assay_provider *provider,
                              const struct assay_answer *answer, const struct assay_claims *claims,
                              struct assay_arena *arena, struct assay_buf *out,
                              struct assay_digester *digester, struct assay_told *ret,
                              struct assay_error *reterr)
{
    *ret = (struct assay_told){0};
    enum assay_status status =
        assay_kept_write(answer, claims, provider->issuer, arena, out, &ret->kept, reterr);
    if (status == ASSAY_OK && answer->active) {
        status = assay_freshness_read(answer->json, &ret->freshness, reterr);
    }
    return status == ASSAY_OK ? make_marks(answer, digester, ret, reterr) : status;
}

enum assay_reason assay_provider_read(const struct assay_provider *provider,
                                      const struct assay_provider_reply *reply,
                                      const struct assay_claims *claims, struct assay_arena *arena,
                                      struct assay_buf *out, struct assay_digester *digester,
                                      struct assay_told *ret, struct assay_error *reterr)
{
    struct assay_answer answer;
    enum assay_reason reason = judge_status(reply, reterr);
    if (reason != ASSAY_REASON_OK) {
        return reason;
    }
    if (assay_answer_read(reply->body, arena, &answer, reterr) != ASSAY_OK) {
        return ASSAY_REASON_UNUSABLE;
    }
    enum assay_status status = take(provider, &answer, claims, arena, out, digester, ret, reterr);
    assay_answer_close(&answer);
    if (status == ASSAY_ERR_CRYPTO) {
        return ASSAY_REASON_FAULT;
    }
    return status == ASSAY_OK ? ASSAY_REASON_OK : ASSAY_REASON_UNUSABLE;
}

/* --- names in the cache --- */

#define MARK_ROOM 1024

enum assay_status assay_mark_make(struct assay_digester *digester, enum assay_mark_kind kind,
                                  struct assay_slice id, uint64_t *ret, struct assay_error *reterr)
{
    uint8_t room[MARK_ROOM];
    uint8_t digest[ASSAY_SHA256_LEN];
    struct assay_buf buf;
    assay_buf_init(&buf, room, sizeof(room));
    assay_buf_append_byte(&buf, (uint8_t)kind);
    /* An id that is longer is known by its beginning: a flush then ends a few too many. */
    assay_buf_append(&buf, assay_slice_head(id, id.len < MARK_ROOM - 1 ? id.len : MARK_ROOM - 1));
    enum assay_status status = assay_sha256(digester, assay_buf_slice(&buf), digest, reterr);
    if (status == ASSAY_OK) {
        memcpy(ret, digest, sizeof(*ret));
        *ret = *ret == 0 ? 1 : *ret;
    }
    return status;
}

/* Each part with its length before it, so that none can pass for two. */
static void append_part(struct assay_buf *out, struct assay_slice part)
{
    assay_buf_append_u64(out, part.len);
    assay_buf_append_byte(out, ':');
    assay_buf_append(out, part);
}

static void write_identity(const struct assay_provider *provider, enum assay_told_by by,
                           const struct assay_claims *claims, struct assay_buf *out)
{
    append_part(out, by == ASSAY_TOLD_BY_TOKEN ? ASSAY_SLICE("jwt") : ASSAY_SLICE("introspection"));
    append_part(out, provider->jwt_type);
    append_part(out, provider->jwks_uri);
    assay_buf_append_u64(out, provider->jwt_algorithms);
    append_part(out, provider->name);
    append_part(out, provider->issuer);
    append_part(out, provider->client_id);
    if (provider->auth != ASSAY_GUARD_AUTH_KEY) { /* a new key is of the same client */
        append_part(out, provider->secret);
    }
    append_part(out, provider->token_parameter);
    assay_buf_append_u64(out, (uint64_t)provider->auth);
    for (size_t i = 0; i < provider->endpoint_count; i++) {
        append_part(out, provider->endpoints[i]);
    }
    assay_buf_append_byte(out, '/');
    for (size_t i = 0; i < provider->parameter_count; i++) {
        append_part(out, provider->parameters[i].name);
        append_part(out, provider->parameters[i].value);
    }
    assay_buf_append_byte(out, '/');
    for (size_t i = 0; i < claims->count; i++) {
        append_part(out, claims->pointers[i]);
    }
}

enum assay_status assay_provider_scope(const struct assay_provider *provider, enum assay_told_by by,
                                       const struct assay_claims *claims,
                                       struct assay_digester *digester,
                                       uint8_t ret[ASSAY_SHA256_LEN], struct assay_error *reterr)
{
    uint8_t room[ASSAY_MAX_QUESTION];
    struct assay_buf buf;
    assay_buf_init(&buf, room, sizeof(room));
    write_identity(provider, by, claims, &buf);
    enum assay_status status =
        buf.spent ? assay_fail(ASSAY_ERR_LIMIT, "the provider's configuration is too long", reterr)
                  : assay_sha256(digester, assay_buf_slice(&buf), ret, reterr);
    assay_secret_wipe(room, sizeof(room));
    return status;
}

enum assay_status assay_provider_key(const uint8_t scope[ASSAY_SHA256_LEN],
                                     struct assay_slice token, struct assay_pmac *pmac,
                                     uint8_t ret[ASSAY_TOKEN_KEY_LEN], struct assay_error *reterr)
{
    return assay_pmac_make(pmac, assay_slice_of(scope, ASSAY_SHA256_LEN), token, ret, reterr);
}
