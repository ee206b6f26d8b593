#include "admin/client_json.h"

#include "oauth/resource.h"
#include "oauth/scope.h"

/* A word of JSON and the bits it stands for. */
struct word {
    struct assay_slice text;
    uint32_t bits;
};

#define WORD(text, bits)                                                                           \
    {                                                                                              \
        {(const uint8_t *)(text), sizeof(text) - 1}, bits                                          \
    }

static const struct word grant_words[] = {
    WORD("client_credentials", ASSAY_GRANT_CLIENT_CREDENTIALS),
    WORD("refresh_token", ASSAY_GRANT_REFRESH_TOKEN),
};

static const struct word member_words[] = {
    WORD("scope", ASSAY_MEMBER_SCOPE),
    WORD("client_id", ASSAY_MEMBER_CLIENT_ID),
    WORD("username", ASSAY_MEMBER_USERNAME),
    WORD("token_type", ASSAY_MEMBER_TOKEN_TYPE),
    WORD("exp", ASSAY_MEMBER_EXP),
    WORD("iat", ASSAY_MEMBER_IAT),
    WORD("nbf", ASSAY_MEMBER_NBF),
    WORD("sub", ASSAY_MEMBER_SUB),
    WORD("aud", ASSAY_MEMBER_AUD),
    WORD("iss", ASSAY_MEMBER_ISS),
    WORD("jti", ASSAY_MEMBER_JTI),
    WORD("sid", ASSAY_MEMBER_SID),
    WORD("cnf", ASSAY_MEMBER_CNF),
    WORD("acr", ASSAY_MEMBER_ACR),
    WORD("auth_time", ASSAY_MEMBER_AUTH_TIME),
    WORD("authorization_details", ASSAY_MEMBER_AUTHORIZATION_DETAILS),
    WORD("extra", ASSAY_MEMBER_EXTRA),
    WORD("all", ASSAY_MEMBERS_ALL),
    WORD("default", ASSAY_MEMBERS_DEFAULT),
    WORD("none", 0),
};

static const struct word method_words[] = {
    WORD("none", ASSAY_AUTH_NONE),
    WORD("client_secret_basic", ASSAY_AUTH_SECRET_BASIC),
    WORD("client_secret_post", ASSAY_AUTH_SECRET_POST),
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct word *find_word(const struct word *words, size_t count, struct assay_slice text)
{
    for (size_t i = 0; i < count; i++) {
        if (assay_slice_equal(words[i].text, text)) {
            return &words[i];
        }
    }
    return NULL;
}

/* The bits of all words of `list`. */
static bool read_words(const struct word *words, size_t count, struct assay_slice list,
                       uint32_t *ret)
{
    uint32_t bits = 0;
    struct assay_slice rest = list;
    while (rest.len > 0) {
        const struct word *word = find_word(words, count, assay_slice_cut(&rest, ' '));
        if (word == NULL) {
            return false;
        }
        bits |= word->bits;
    }
    *ret = bits;
    return true;
}

static bool refuse(struct assay_admin_fault *fault, const char *member, const char *what)
{
    *fault = (struct assay_admin_fault){.member = assay_slice_of_text(member), .what = what};
    return false;
}

/* --- reading --- */

static bool check_audience(struct assay_slice list, size_t max)
{
    size_t count = 0;
    struct assay_slice rest = list;
    while (rest.len > 0) {
        if (!assay_resource_valid(assay_slice_cut(&rest, ' ')) || ++count > max) {
            return false;
        }
    }
    return true;
}

/* The defaults follow what they are part of, unless they are given or were narrower before. */
static void apply_scope(const struct assay_admin_input *in, struct assay_client_record *record)
{
    bool whole = assay_slice_equal(record->scope, record->default_scope);
    if ((in->given & ASSAY_IN_SCOPE) != 0) {
        record->scope = in->scope;
        record->default_scope = whole ? in->scope : record->default_scope;
    }
    if ((in->given & ASSAY_IN_DEFAULT_SCOPE) != 0) {
        record->default_scope = in->default_scope;
    }
}

static void apply_audience(const struct assay_admin_input *in, struct assay_client_record *record)
{
    bool whole = assay_slice_equal(record->audience, record->default_audience);
    if ((in->given & ASSAY_IN_AUDIENCE) != 0) {
        record->audience = in->audience;
        record->default_audience = whole ? in->audience : record->default_audience;
    }
    if ((in->given & ASSAY_IN_DEFAULT_AUDIENCE) != 0) {
        record->default_audience = in->default_audience;
    }
}

static void apply_plain(const struct assay_admin_input *in, struct assay_client_record *record)
{
    if ((in->given & ASSAY_IN_NAME) != 0) {
        record->name = in->name;
    }
    if ((in->given & ASSAY_IN_ADMIN) != 0) {
        record->admin = in->admin;
    }
    if ((in->given & ASSAY_IN_RESOURCE_SERVER) != 0) {
        record->resource_server = in->resource_server;
    }
    if ((in->given & ASSAY_IN_INTROSPECTS_REFRESH) != 0) {
        record->introspects_refresh = in->introspects_refresh;
    }
    if ((in->given & ASSAY_IN_ACCESS_LIFETIME) != 0) {
        record->access_lifetime_s = in->access_lifetime_s;
    }
    if ((in->given & ASSAY_IN_REFRESH_LIFETIME) != 0) {
        record->refresh_lifetime_s = in->refresh_lifetime_s;
    }
}

static bool apply_words(const struct assay_admin_input *in, struct assay_client_record *record,
                        struct assay_admin_fault *fault)
{
    if ((in->given & ASSAY_IN_GRANT_TYPES) != 0 &&
        !read_words(grant_words, COUNT(grant_words), in->grant_types, &record->grants)) {
        return refuse(fault, "grant_types", "are client_credentials and refresh_token");
    }
    if ((in->given & ASSAY_IN_MEMBERS) != 0 &&
        !read_words(member_words, COUNT(member_words), in->members, &record->members)) {
        return refuse(fault, "introspection_members",
                      "are scope, client_id, username, token_type, exp, iat, nbf, sub, aud, iss, "
                      "jti, sid, cnf, acr, auth_time, authorization_details, extra; or all, "
                      "default, none");
    }
    if ((in->given & ASSAY_IN_AUTH_METHOD) != 0) {
        const struct word *method = find_word(method_words, COUNT(method_words), in->auth_method);
        if (method == NULL) {
            return refuse(fault, "token_endpoint_auth_method",
                          "is client_secret_basic, client_secret_post or none");
        }
        record->auth_method = (enum assay_auth_method)method->bits;
    }
    return true;
}

static bool check_values(const struct assay_client_record *record, struct assay_admin_fault *fault)
{
    if (!assay_scope_valid(record->scope)) {
        return refuse(fault, "scope", "is no list of scope tokens separated by single spaces");
    }
    if (!assay_scope_valid(record->default_scope) ||
        !assay_scope_contains(record->scope, record->default_scope)) {
        return refuse(fault, "default_scope", "is no part of scope");
    }
    if (!check_audience(record->audience, ASSAY_MAX_CLIENT_AUDIENCES)) {
        return refuse(fault, "audience",
                      "holds something other than absolute URIs without fragment, or too many");
    }
    if (!check_audience(record->default_audience, ASSAY_MAX_AUDIENCES) ||
        !assay_scope_contains(record->audience, record->default_audience)) {
        return refuse(fault, "default_audience", "is no part of audience, or holds too many");
    }
    return true;
}

/* What each value allows, but all together would not. */
static bool check_whole(const struct assay_client_record *record, struct assay_admin_fault *fault)
{
    bool public = record->auth_method == ASSAY_AUTH_NONE;
    if (public && (record->grants & ASSAY_GRANT_CLIENT_CREDENTIALS) != 0) {
        return refuse(fault, "grant_types",
                      "holds client_credentials, which a client without a secret cannot use");
    }
    if (public && (record->admin || record->resource_server)) {
        return refuse(fault, "token_endpoint_auth_method",
                      "is none, but an administrator or resource server needs a secret");
    }
    if (record->resource_server && record->audience.len == 0) {
        return refuse(fault, "audience",
                      "is missing: which API does the resource server answer to?");
    }
    return true;
}

bool assay_admin_client_apply(const struct assay_admin_input *input,
                              struct assay_client_record *record,
                              struct assay_admin_fault *ret_fault)
{
    apply_plain(input, record);
    apply_scope(input, record);
    apply_audience(input, record);
    return apply_words(input, record, ret_fault) && check_values(record, ret_fault) &&
           check_whole(record, ret_fault);
}

static bool is_letter_or_digit(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool assay_admin_client_id_valid(struct assay_slice client_id)
{
    if (client_id.len == 0 || client_id.len > ASSAY_MAX_CLIENT_ID ||
        !is_letter_or_digit(client_id.data[0])) {
        return false;
    }
    for (size_t i = 0; i < client_id.len; i++) {
        uint8_t c = client_id.data[i];
        if (!is_letter_or_digit(c) && c != '-' && c != '.' && c != '_') {
            return false;
        }
    }
    return true;
}

/* --- writing --- */

/* The single words of `bits`; the words for several at once are only read. */
static void write_words(struct assay_json_writer *w, struct assay_slice name,
                        const struct word *words, size_t count, uint32_t bits)
{
    assay_json_name(w, name);
    assay_json_array_open(w);
    for (size_t i = 0; i < count; i++) {
        bool single = words[i].bits != 0 && (words[i].bits & (words[i].bits - 1)) == 0;
        if (single && (bits & words[i].bits) != 0) {
            assay_json_string(w, words[i].text);
        }
    }
    assay_json_array_close(w);
}

static void write_secrets(struct assay_json_writer *w, const struct assay_client_record *record)
{
    assay_json_name(w, ASSAY_SLICE("secrets"));
    assay_json_array_open(w);
    for (size_t i = 0; i < record->secret_count; i++) {
        assay_json_object_open(w);
        assay_json_member_string(w, ASSAY_SLICE("form"),
                                 record->secrets[i].form == ASSAY_SECRET_SCRYPT
                                     ? ASSAY_SLICE("scrypt")
                                     : ASSAY_SLICE("sha256"));
        assay_json_member_i64(w, ASSAY_SLICE("created_at"), record->secrets[i].created_at_s);
        if (record->secrets[i].expires_at_s != 0) {
            assay_json_member_i64(w, ASSAY_SLICE("expires_at"), record->secrets[i].expires_at_s);
        }
        assay_json_object_close(w);
    }
    assay_json_array_close(w);
}

static void write_roles(struct assay_json_writer *w, const struct assay_client_record *record)
{
    assay_json_member_bool(w, ASSAY_SLICE("disabled"), record->disabled);
    assay_json_member_bool(w, ASSAY_SLICE("admin"), record->admin);
    assay_json_member_bool(w, ASSAY_SLICE("resource_server"), record->resource_server);
    if (record->resource_server) {
        assay_json_member_bool(w, ASSAY_SLICE("introspects_refresh"), record->introspects_refresh);
        write_words(w, ASSAY_SLICE("introspection_members"), member_words, COUNT(member_words),
                    record->members);
    }
    assay_json_member_string(w, ASSAY_SLICE("token_endpoint_auth_method"),
                             method_words[record->auth_method].text);
    write_words(w, ASSAY_SLICE("grant_types"), grant_words, COUNT(grant_words), record->grants);
}

void assay_admin_client_write(struct assay_json_writer *w, const struct assay_client_record *record,
                              struct assay_slice secret)
{
    assay_json_member_string(w, ASSAY_SLICE("client_id"), record->client_id);
    assay_json_member_text(w, ASSAY_SLICE("client_secret"), secret);
    assay_json_member_text(w, ASSAY_SLICE("name"), record->name);
    write_roles(w, record);
    assay_json_member_text(w, ASSAY_SLICE("scope"), record->scope);
    assay_json_member_text(w, ASSAY_SLICE("default_scope"), record->default_scope);
    assay_json_member_list(w, ASSAY_SLICE("audience"), record->audience);
    assay_json_member_list(w, ASSAY_SLICE("default_audience"), record->default_audience);
    if (record->access_lifetime_s != 0) {
        assay_json_member_i64(w, ASSAY_SLICE("access_lifetime"), record->access_lifetime_s);
    }
    if (record->refresh_lifetime_s != 0) {
        assay_json_member_i64(w, ASSAY_SLICE("refresh_lifetime"), record->refresh_lifetime_s);
    }
    assay_json_member_i64(w, ASSAY_SLICE("created_at"), record->created_at_s);
    write_secrets(w, record);
}

bool assay_admin_client_copy(const struct assay_client_record *record, struct assay_arena *arena,
                             struct assay_client_record *ret)
{
    *ret = *record;
    return assay_arena_copy(arena, record->client_id, &ret->client_id) &&
           assay_arena_copy(arena, record->name, &ret->name) &&
           assay_arena_copy(arena, record->scope, &ret->scope) &&
           assay_arena_copy(arena, record->default_scope, &ret->default_scope) &&
           assay_arena_copy(arena, record->audience, &ret->audience) &&
           assay_arena_copy(arena, record->default_audience, &ret->default_audience);
}
