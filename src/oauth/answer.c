#include "oauth/answer.h"

#include "base/limits.h"

static enum assay_status wrong(const char *what, struct assay_error *reterr)
{
    return assay_fail(ASSAY_ERR_SYNTAX, what, reterr);
}

/* Seconds since the epoch: an integer, not negative. */
static bool read_time(const struct assay_json *json, struct assay_slice name, int64_t *ret)
{
    *ret = 0;
    return assay_json_type(json, name) == ASSAY_JSON_ABSENT ||
           (assay_json_get_i64(json, name, ret) && *ret >= 0);
}

static bool read_times(const struct assay_json *json, struct assay_answer *ret)
{
    return read_time(json, ASSAY_SLICE("exp"), &ret->expires_at_s) &&
           read_time(json, ASSAY_SLICE("nbf"), &ret->not_before_s) &&
           read_time(json, ASSAY_SLICE("iat"), &ret->issued_at_s) &&
           /* A token that says it ends at the very beginning of time has ended; 0 means unsaid. */
           (ret->expires_at_s != 0 ||
            assay_json_type(json, ASSAY_SLICE("exp")) == ASSAY_JSON_ABSENT);
}

/* A member for people or for the back end; some servers write null for what they have not. */
static bool read_text(const struct assay_json *json, struct assay_slice name,
                      struct assay_slice *ret)
{
    enum assay_json_type type = assay_json_type(json, name);
    *ret = (struct assay_slice){0};
    return type == ASSAY_JSON_ABSENT || type == ASSAY_JSON_NULL ||
           assay_json_get_string(json, name, ret);
}

static bool read_texts(const struct assay_json *json, struct assay_answer *ret)
{
    return read_text(json, ASSAY_SLICE("client_id"), &ret->client_id) &&
           read_text(json, ASSAY_SLICE("username"), &ret->username) &&
           read_text(json, ASSAY_SLICE("token_type"), &ret->token_type) &&
           read_text(json, ASSAY_SLICE("sub"), &ret->subject) &&
           read_text(json, ASSAY_SLICE("iss"), &ret->issuer) &&
           read_text(json, ASSAY_SLICE("jti"), &ret->jti);
}

/* RFC 6749 section 3.3: characters of a scope, and spaces between them. */
static bool is_scope(struct assay_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c < 0x20 || c > 0x7E || c == '"' || c == '\\') {
            return false;
        }
    }
    return true;
}

static bool read_scope(const struct assay_json *json, struct assay_answer *ret)
{
    struct assay_slice name = ASSAY_SLICE("scope");
    return assay_json_type(json, name) == ASSAY_JSON_ABSENT ||
           (assay_json_get_string(json, name, &ret->scope) && is_scope(ret->scope));
}

static bool has_space(struct assay_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == ' ') {
            return true;
        }
    }
    return false;
}

/* A string or an array of strings (RFC 7519 section 4.1.3). One with a space would be two here. */
static bool read_audience(const struct assay_json *json, struct assay_arena *arena,
                          struct assay_answer *ret)
{
    struct assay_slice name = ASSAY_SLICE("aud");
    enum assay_json_type type = assay_json_type(json, name);
    ret->has_audience = type != ASSAY_JSON_ABSENT;
    if (type == ASSAY_JSON_STRING) {
        return assay_json_get_string(json, name, &ret->audience) && !has_space(ret->audience);
    }
    return type == ASSAY_JSON_ABSENT || assay_json_get_list(json, name, arena, &ret->audience);
}

static bool read_confirmation(const struct assay_json *json, struct assay_answer *ret)
{
    enum assay_json_type type = assay_json_type(json, ASSAY_SLICE("cnf"));
    ret->confirmed = type != ASSAY_JSON_ABSENT;
    return type == ASSAY_JSON_ABSENT || type == ASSAY_JSON_OBJECT;
}

static enum assay_status read_active(struct assay_arena *arena, struct assay_answer *ret,
                                     struct assay_error *reterr)
{
    const struct assay_json *json = ret->json;
    if (!read_times(json, ret)) {
        return wrong("the answer has a time that is no whole number of seconds", reterr);
    }
    if (!read_scope(json, ret)) {
        return wrong("the answer has a scope that is none", reterr);
    }
    if (!read_audience(json, arena, ret)) {
        return wrong("the answer has an audience that is none", reterr);
    }
    if (!read_texts(json, ret)) {
        return wrong("the answer has a member of the wrong type", reterr);
    }
    return read_confirmation(json, ret) ? ASSAY_OK
                                        : wrong("the answer has a cnf that is none", reterr);
}

enum assay_status assay_answer_read(struct assay_slice body, struct assay_arena *arena,
                                    struct assay_answer *ret, struct assay_error *reterr)
{
    struct assay_slice active = ASSAY_SLICE("active");
    *ret = (struct assay_answer){0};
    enum assay_status status = assay_json_open(body, ASSAY_MAX_ANSWER_DEPTH, &ret->json, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    if (assay_json_type(ret->json, active) == ASSAY_JSON_ABSENT) {
        status = wrong("the answer does not say whether the token is active", reterr);
    } else if (assay_json_get_bool(ret->json, active, &ret->active) && ret->active) {
        status = read_active(arena, ret, reterr);
    }
    if (status != ASSAY_OK) {
        assay_answer_close(ret);
    }
    return status;
}

void assay_answer_close(struct assay_answer *answer)
{
    assay_json_close(answer->json);
    *answer = (struct assay_answer){0};
}

bool assay_answer_is_current(const struct assay_answer *answer, int64_t now_s)
{
    return answer->active && (answer->expires_at_s == 0 || now_s < answer->expires_at_s) &&
           now_s >= answer->not_before_s;
}
