#include "admin/input.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "json/reader.h"

#include <string.h>

enum type {
    TEXT,
    LIST, /* an array of strings */
    SPAN, /* whole seconds, 0 to ASSAY_MAX_LIFETIME_S */
    FLAG,
};

struct member {
    struct assay_slice name;
    uint32_t bit;
    enum type type;
    size_t max_len; /* TEXT and LIST, bytes */
    size_t offset;  /* in struct assay_admin_input */
};

#define ROW(text, bit, type, max_len, field)                                                       \
    {                                                                                              \
        {(const uint8_t *)(text), sizeof(text) - 1}, bit, type, max_len,                           \
            offsetof(struct assay_admin_input, field)                                              \
    }

static const struct member members[] = {
    ROW("client_id", ASSAY_IN_CLIENT_ID, TEXT, ASSAY_MAX_CLIENT_ID, client_id),
    ROW("name", ASSAY_IN_NAME, TEXT, ASSAY_MAX_CLIENT_NAME, name),
    ROW("scope", ASSAY_IN_SCOPE, TEXT, ASSAY_MAX_SCOPE, scope),
    ROW("default_scope", ASSAY_IN_DEFAULT_SCOPE, TEXT, ASSAY_MAX_SCOPE, default_scope),
    ROW("audience", ASSAY_IN_AUDIENCE, LIST, ASSAY_MAX_CLIENT_RECORD, audience),
    ROW("default_audience", ASSAY_IN_DEFAULT_AUDIENCE, LIST, ASSAY_MAX_CLIENT_RECORD,
        default_audience),
    ROW("grant_types", ASSAY_IN_GRANT_TYPES, LIST, ASSAY_MAX_SCOPE, grant_types),
    ROW("introspection_members", ASSAY_IN_MEMBERS, LIST, ASSAY_MAX_SCOPE, members),
    ROW("token_endpoint_auth_method", ASSAY_IN_AUTH_METHOD, TEXT, ASSAY_MAX_CLIENT_NAME,
        auth_method),
    ROW("client_secret", ASSAY_IN_CLIENT_SECRET, TEXT, ASSAY_MAX_CLIENT_SECRET, client_secret),
    ROW("admin", ASSAY_IN_ADMIN, FLAG, 0, admin),
    ROW("resource_server", ASSAY_IN_RESOURCE_SERVER, FLAG, 0, resource_server),
    ROW("introspects_refresh", ASSAY_IN_INTROSPECTS_REFRESH, FLAG, 0, introspects_refresh),
    ROW("access_lifetime", ASSAY_IN_ACCESS_LIFETIME, SPAN, 0, access_lifetime_s),
    ROW("refresh_lifetime", ASSAY_IN_REFRESH_LIFETIME, SPAN, 0, refresh_lifetime_s),
    ROW("overlap", ASSAY_IN_OVERLAP, SPAN, 0, overlap_s),
    ROW("subject", ASSAY_IN_SUBJECT, TEXT, ASSAY_MAX_SUBJECT, subject),
    ROW("username", ASSAY_IN_USERNAME, TEXT, ASSAY_MAX_USERNAME, username),
    ROW("sid", ASSAY_IN_SID, TEXT, ASSAY_MAX_SID, sid),
    ROW("lifetime", ASSAY_IN_LIFETIME, SPAN, 0, lifetime_s),
    ROW("not_before", ASSAY_IN_NOT_BEFORE, SPAN, 0, not_before_s),
    ROW("refresh", ASSAY_IN_REFRESH, FLAG, 0, refresh),
    ROW("jti", ASSAY_IN_JTI, TEXT, ASSAY_MAX_CLIENT_ID, jti),
    ROW("token", ASSAY_IN_TOKEN, TEXT, ASSAY_MAX_TOKEN_PARAM, token),
    ROW("for", ASSAY_IN_FOR, TEXT, ASSAY_MAX_CLIENT_ID, for_client),
    ROW("grant", ASSAY_IN_GRANT, TEXT, 20, grant),
    ROW("after", ASSAY_IN_AFTER, TEXT, ASSAY_MAX_CLIENT_ID, after),
};
#define MEMBERS (sizeof members / sizeof members[0])

struct reading {
    const struct assay_json *json;
    struct assay_arena *arena;
    uint32_t takes;
    struct assay_admin_input *input;
    struct assay_admin_fault *fault;
};

static bool refuse(struct assay_admin_fault *fault, struct assay_slice member, const char *what)
{
    *fault = (struct assay_admin_fault){.member = member, .what = what};
    return false;
}

static bool take_text(struct reading *r, const struct member *m, struct assay_slice text)
{
    if (text.len > m->max_len) {
        return refuse(r->fault, m->name, "is too long");
    }
    if (!assay_utf8_is_text(text)) { /* what ends a line or obeys a terminal stands in no record */
        return refuse(r->fault, m->name, "holds a control character");
    }
    struct assay_slice copy = {0};
    if (!assay_arena_copy(r->arena, text, &copy)) {
        return refuse(r->fault, m->name, "does not fit into memory");
    }
    memcpy((uint8_t *)r->input + m->offset, &copy, sizeof copy);
    return true;
}

static bool read_text(struct reading *r, const struct member *m)
{
    struct assay_slice text;
    if (!assay_json_get_string(r->json, m->name, &text)) {
        return refuse(r->fault, m->name, "must be a string");
    }
    return take_text(r, m, text);
}

static bool read_list(struct reading *r, const struct member *m)
{
    struct assay_slice text;
    if (!assay_json_get_list(r->json, m->name, r->arena, &text)) {
        return refuse(r->fault, m->name, "must be an array of strings without spaces");
    }
    return take_text(r, m, text);
}

static bool read_span(struct reading *r, const struct member *m)
{
    int64_t span_s = 0;
    if (!assay_json_get_i64(r->json, m->name, &span_s) || span_s < 0 ||
        span_s > ASSAY_MAX_LIFETIME_S) {
        return refuse(r->fault, m->name, "must be whole seconds, at most ten years");
    }
    memcpy((uint8_t *)r->input + m->offset, &span_s, sizeof span_s);
    return true;
}

static bool read_flag(struct reading *r, const struct member *m)
{
    bool flag = false;
    if (!assay_json_get_bool(r->json, m->name, &flag)) {
        return refuse(r->fault, m->name, "must be true or false");
    }
    memcpy((uint8_t *)r->input + m->offset, &flag, sizeof flag);
    return true;
}

static bool read_member(struct reading *r, const struct member *m)
{
    switch (m->type) {
    case TEXT:
        return read_text(r, m);
    case LIST:
        return read_list(r, m);
    case SPAN:
        return read_span(r, m);
    case FLAG:
        return read_flag(r, m);
    }
    return false;
}

/* An unknown name is refused and not repeated: it may be anything. */
static bool take_member(void *context, struct assay_slice name, enum assay_json_type type)
{
    struct reading *r = context;
    (void)type;
    for (size_t i = 0; i < MEMBERS; i++) {
        if (assay_slice_equal(name, members[i].name)) {
            if ((r->takes & members[i].bit) == 0) {
                return refuse(r->fault, members[i].name, "has no meaning here");
            }
            r->input->given |= members[i].bit;
            return read_member(r, &members[i]);
        }
    }
    return refuse(r->fault, (struct assay_slice){0}, "a member is unknown");
}

static bool check_needs(const struct assay_admin_input *input, uint32_t needs,
                        struct assay_admin_fault *ret_fault)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        if ((needs & ~input->given & members[i].bit) != 0) {
            return refuse(ret_fault, members[i].name, "is missing");
        }
    }
    return true;
}

bool assay_admin_input_read(struct assay_slice body, uint32_t takes, uint32_t needs,
                            struct assay_arena *arena, struct assay_admin_input *ret,
                            struct assay_admin_fault *ret_fault)
{
    memset(ret, 0, sizeof *ret);
    if (body.len > 0) {
        struct assay_json *json = NULL;
        if (assay_json_open(body, ASSAY_MAX_JSON_DEPTH, &json, NULL) != ASSAY_OK) {
            return refuse(ret_fault, (struct assay_slice){0}, "the body is no JSON object");
        }
        struct reading r = {
            .json = json, .arena = arena, .takes = takes, .input = ret, .fault = ret_fault};
        bool ok = assay_json_each(json, take_member, &r);
        assay_json_close(json);
        if (!ok) {
            return false;
        }
    }
    return check_needs(ret, needs, ret_fault);
}
