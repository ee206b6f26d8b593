#include "oauth/client_auth.h"

#include "base/secret.h"
#include "base/utf8.h"
#include "http/authorization.h"

/* One half of Basic credentials: form-decoded, and as it stood when that differs. */
static bool decode_half(struct assay_slice text, struct assay_arena *arena, struct assay_slice *ret,
                        struct assay_slice *ret_raw, enum assay_status *ret_status)
{
    enum assay_status status = assay_form_decode(text, arena, ret, NULL);
    if (status == ASSAY_ERR_LIMIT) {
        *ret_status = status;
        return false;
    }
    if (status != ASSAY_OK || !assay_utf8_is_text(*ret)) {
        return false;
    }
    bool plain = assay_slice_equal(*ret, text);
    *ret_raw = assay_slice_of(plain ? NULL : text.data, plain ? 0 : text.len);
    return true;
}

static enum assay_credentials_result read_basic(struct assay_slice rest, struct assay_arena *arena,
                                                struct assay_credentials *ret,
                                                enum assay_status *ret_status)
{
    struct assay_slice user;
    struct assay_slice password;
    enum assay_status status = assay_basic_parse(rest, arena, &user, &password, NULL);
    if (status == ASSAY_ERR_LIMIT) {
        *ret_status = status;
    }
    if (status != ASSAY_OK ||
        !decode_half(user, arena, &ret->client_id, &ret->client_id_raw, ret_status) ||
        !decode_half(password, arena, &ret->secret, &ret->secret_raw, ret_status)) {
        return ASSAY_CREDENTIALS_MALFORMED;
    }
    ret->method = ASSAY_AUTH_SECRET_BASIC;
    return ASSAY_CREDENTIALS_OK;
}

/* What the body says of who asks. */
struct body_part {
    struct assay_slice client_id;
    struct assay_slice secret;
    bool assertion;
};

static struct body_part read_body(const struct assay_form *form)
{
    struct body_part part = {.client_id = {0}};
    struct assay_slice assertion = {0};
    struct assay_slice type = {0};
    if (form == NULL) {
        return part;
    }
    (void)assay_form_find(form, ASSAY_SLICE("client_id"), &part.client_id);
    (void)assay_form_find(form, ASSAY_SLICE("client_secret"), &part.secret);
    (void)assay_form_find(form, ASSAY_SLICE("client_assertion"), &assertion);
    (void)assay_form_find(form, ASSAY_SLICE("client_assertion_type"), &type);
    part.assertion = assertion.len != 0 || type.len != 0;
    return part;
}

bool assay_credentials_in_body(const struct assay_form *form)
{
    struct body_part part = read_body(form);
    return part.client_id.len != 0 || part.secret.len != 0 || part.assertion;
}

static bool within_limits(const struct assay_credentials *credentials)
{
    return credentials->client_id.len <= ASSAY_MAX_CLIENT_ID &&
           credentials->secret.len <= ASSAY_MAX_CLIENT_SECRET &&
           assay_utf8_is_text(credentials->client_id) && assay_utf8_is_text(credentials->secret);
}

/* The credentials that only the body holds. Assertions are for a later delivery: nobody is
 * registered for them, so they authenticate nobody. */
static enum assay_credentials_result take_body(const struct body_part *body,
                                               struct assay_credentials *ret)
{
    if (body->assertion) {
        return ASSAY_CREDENTIALS_MALFORMED;
    }
    if (body->client_id.len == 0) {
        return body->secret.len == 0 ? ASSAY_CREDENTIALS_NONE : ASSAY_CREDENTIALS_MALFORMED;
    }
    ret->client_id = body->client_id;
    ret->secret = body->secret;
    ret->method = body->secret.len == 0 ? ASSAY_AUTH_NONE : ASSAY_AUTH_SECRET_POST;
    return ASSAY_CREDENTIALS_OK;
}

enum assay_status assay_credentials_read(const struct assay_request *request,
                                         const struct assay_form *form, struct assay_arena *arena,
                                         struct assay_credentials *ret,
                                         enum assay_credentials_result *ret_result,
                                         struct assay_error *reterr)
{
    struct assay_slice rest;
    struct body_part body = read_body(form);
    enum assay_status status = ASSAY_OK;
    enum assay_auth_scheme scheme = assay_authorization_scheme(request->authorization, &rest);
    *ret = (struct assay_credentials){.method = ASSAY_AUTH_NONE};

    int methods = (scheme != ASSAY_SCHEME_NONE) + (body.secret.len != 0) + body.assertion;
    if (methods > 1) {
        *ret_result = ASSAY_CREDENTIALS_TWO;
        return ASSAY_OK;
    }
    switch (scheme) {
    case ASSAY_SCHEME_NONE:
        *ret_result = take_body(&body, ret);
        break;
    case ASSAY_SCHEME_BASIC:
        *ret_result = read_basic(rest, arena, ret, &status);
        break;
    case ASSAY_SCHEME_BEARER:
    case ASSAY_SCHEME_OTHER:
        *ret_result = ASSAY_CREDENTIALS_MALFORMED;
        break;
    }
    if (status != ASSAY_OK) {
        return assay_fail(status, "credentials are too long", reterr);
    }
    if (*ret_result == ASSAY_CREDENTIALS_OK && (ret->client_id.len == 0 || !within_limits(ret))) {
        *ret_result = ASSAY_CREDENTIALS_MALFORMED;
    } else if (*ret_result == ASSAY_CREDENTIALS_OK && body.client_id.len != 0 &&
               !assay_slice_equal(body.client_id, ret->client_id)) {
        *ret_result = ASSAY_CREDENTIALS_CONFLICT;
    }
    return ASSAY_OK;
}

static bool is_live(const struct assay_client_secret *secret, int64_t now_s)
{
    return secret->expires_at_s == 0 || now_s < secret->expires_at_s;
}

/* A client with a secret may always use Basic (RFC 6749 section 2.3.1 says servers must take it);
 * the body is for those that were registered for it. */
static bool method_fits(enum assay_auth_method used, const struct assay_client_record *record)
{
    return record->auth_method == used ||
           (used == ASSAY_AUTH_SECRET_BASIC && record->auth_method == ASSAY_AUTH_SECRET_POST);
}

/* SHA-256 of the secret, computed once. */
static enum assay_status hash_secret(struct assay_credentials *credentials,
                                     struct assay_digester *digester, struct assay_error *reterr)
{
    if (credentials->hashed) {
        return ASSAY_OK;
    }
    enum assay_status status =
        assay_sha256(digester, credentials->secret, credentials->secret_sha256, reterr);
    credentials->hashed = status == ASSAY_OK;
    return status;
}

enum assay_status assay_credentials_check(struct assay_credentials *credentials,
                                          const struct assay_client_record *record, int64_t now_s,
                                          struct assay_digester *digester,
                                          enum assay_auth_result *ret_result, size_t *ret_secret,
                                          struct assay_error *reterr)
{
    static const struct assay_client_record nobody = {.auth_method = ASSAY_AUTH_SECRET_BASIC,
                                                      .disabled = true,
                                                      .secret_count = 1,
                                                      .secrets = {{.form = ASSAY_SECRET_SHA256}}};
    const struct assay_client_record *against = record == NULL ? &nobody : record;
    bool scrypt = false;
    bool matches = false;

    /* The same work for a client that is not there as for one that is. */
    enum assay_status status = hash_secret(credentials, digester, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    for (size_t i = 0; i < against->secret_count; i++) {
        const struct assay_client_secret *secret = &against->secrets[i];
        if (secret->form == ASSAY_SECRET_SCRYPT) {
            if (!scrypt && is_live(secret, now_s)) {
                scrypt = true;
                *ret_secret = i;
            }
            continue;
        }
        bool same = assay_secret_equal(assay_slice_of(credentials->secret_sha256, ASSAY_SHA256_LEN),
                                       assay_slice_of(secret->hash, ASSAY_SHA256_LEN));
        matches |= same && is_live(secret, now_s);
    }
    if (credentials->method == ASSAY_AUTH_NONE) {
        matches = against->auth_method == ASSAY_AUTH_NONE;
        scrypt = false;
    }
    if (against->disabled || !method_fits(credentials->method, against)) {
        *ret_result = ASSAY_AUTH_FAILED;
    } else if (matches) {
        *ret_result = ASSAY_AUTH_OK;
    } else {
        *ret_result = scrypt ? ASSAY_AUTH_NEEDS_SCRYPT : ASSAY_AUTH_FAILED;
    }
    return ASSAY_OK;
}
