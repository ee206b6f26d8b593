#include "oauth/introspection.h"

#include "json/writer.h"

static const char inactive_text[] = "{\"active\":false}";
const struct assay_slice assay_introspection_inactive = {(const uint8_t *)inactive_text,
                                                         sizeof(inactive_text) - 1};

/* One member's bit, and whether the token has a value for it. */
static bool shown(const struct assay_introspection_view *view, uint32_t member, bool has)
{
    return has && (view->members & member) != 0;
}

static void write_time(struct assay_json_writer *w, const struct assay_introspection_view *view,
                       uint32_t member, struct assay_slice key, int64_t time_s)
{
    if (shown(view, member, time_s != 0)) {
        assay_json_key(w, key);
        assay_json_i64(w, time_s);
    }
}

static void write_text(struct assay_json_writer *w, const struct assay_introspection_view *view,
                       uint32_t member, struct assay_slice key, struct assay_slice text)
{
    if (shown(view, member, text.len != 0)) {
        assay_json_key(w, key);
        assay_json_string(w, text);
    }
}

static void write_raw(struct assay_json_writer *w, const struct assay_introspection_view *view,
                      uint32_t member, struct assay_slice key, struct assay_slice json)
{
    if (shown(view, member, json.len != 0)) {
        assay_json_key(w, key);
        assay_json_raw(w, json);
    }
}

/* One audience is a string, several are an array (RFC 7519 section 4.1.3). */
static void write_audience(struct assay_json_writer *w, const struct assay_introspection_view *view)
{
    struct assay_slice rest = view->audience;
    if (!shown(view, ASSAY_MEMBER_AUD, rest.len != 0)) {
        return;
    }
    struct assay_slice first = assay_slice_cut(&rest, ' ');
    if (rest.data == NULL) {
        assay_json_member_string(w, ASSAY_SLICE("aud"), first);
    } else {
        assay_json_member_list(w, ASSAY_SLICE("aud"), view->audience);
    }
}

void assay_introspection_write(const struct assay_token_record *token,
                               const struct assay_introspection_view *view, struct assay_buf *out)
{
    struct assay_json_writer w;
    /* A token of client_credentials has no user: its subject is the client itself (RFC 9068 2.2).
     */
    struct assay_slice subject = token->subject.len != 0 ? token->subject : token->client_id;
    struct assay_slice type =
        token->kind == ASSAY_TOKEN_ACCESS ? ASSAY_SLICE("Bearer") : (struct assay_slice){0};

    assay_json_init(&w, out);
    assay_json_object_open(&w);
    assay_json_member_bool(&w, ASSAY_SLICE("active"), true);
    write_text(&w, view, ASSAY_MEMBER_SCOPE, ASSAY_JSON_KEY("scope"), view->scope);
    write_text(&w, view, ASSAY_MEMBER_CLIENT_ID, ASSAY_JSON_KEY("client_id"), token->client_id);
    write_text(&w, view, ASSAY_MEMBER_USERNAME, ASSAY_JSON_KEY("username"), token->username);
    write_time(&w, view, ASSAY_MEMBER_EXP, ASSAY_JSON_KEY("exp"), token->expires_at_s);
    write_time(&w, view, ASSAY_MEMBER_IAT, ASSAY_JSON_KEY("iat"), token->issued_at_s);
    write_text(&w, view, ASSAY_MEMBER_TOKEN_TYPE, ASSAY_JSON_KEY("token_type"), type);
    write_time(&w, view, ASSAY_MEMBER_NBF, ASSAY_JSON_KEY("nbf"), token->not_before_s);
    write_text(&w, view, ASSAY_MEMBER_SUB, ASSAY_JSON_KEY("sub"), subject);
    write_audience(&w, view);
    write_text(&w, view, ASSAY_MEMBER_ISS, ASSAY_JSON_KEY("iss"), view->issuer);
    write_text(&w, view, ASSAY_MEMBER_JTI, ASSAY_JSON_KEY("jti"), view->jti);
    write_text(&w, view, ASSAY_MEMBER_SID, ASSAY_JSON_KEY("sid"), token->session);
    write_raw(&w, view, ASSAY_MEMBER_CNF, ASSAY_JSON_KEY("cnf"), token->confirmation);
    write_text(&w, view, ASSAY_MEMBER_ACR, ASSAY_JSON_KEY("acr"), token->acr);
    write_time(&w, view, ASSAY_MEMBER_AUTH_TIME, ASSAY_JSON_KEY("auth_time"), token->auth_time_s);
    write_raw(&w, view, ASSAY_MEMBER_AUTHORIZATION_DETAILS, ASSAY_JSON_KEY("authorization_details"),
              token->authorization_details);
    if (shown(view, ASSAY_MEMBER_EXTRA, token->extra.len != 0)) {
        assay_json_raw(&w, token->extra);
    }
    if (view->freshness != NULL) {
        assay_freshness_write(view->freshness, &w);
    }
    assay_json_object_close(&w);
}
