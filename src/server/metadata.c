/* The authorization server's metadata document (RFC 8414). Every URL follows from the configured
 * issuer, nothing from the request. */
#include "base/limits.h"
#include "json/writer.h"
#include "server/flow_priv.h"

static void write_url(struct assay_json_writer *w, struct assay_slice name,
                      struct assay_slice issuer, struct assay_slice path)
{
    uint8_t room[ASSAY_MAX_AUDIENCE + 64];
    struct assay_buf url;
    assay_buf_init(&url, room, sizeof(room));
    if (issuer.len > 0 && issuer.data[issuer.len - 1] == '/') {
        issuer = assay_slice_head(issuer, issuer.len - 1);
    }
    assay_buf_append(&url, issuer);
    assay_buf_append(&url, path);
    assay_json_member_string(w, name, assay_buf_slice(&url));
}

enum assay_status server_metadata(struct assay_exchange *ex, struct assay_error *reterr)
{
    static const size_t size = 8192;
    static const struct assay_slice methods = {
        (const uint8_t *)"client_secret_basic client_secret_post", 38};
    static const struct assay_slice methods_with_none = {
        (const uint8_t *)"client_secret_basic client_secret_post none", 43};
    struct assay_slice issuer = ex->server->issuer;
    struct assay_buf out;
    struct assay_json_writer w;
    uint8_t *room = assay_arena_take(ex->arena, size, 1);
    if (room == NULL) {
        return assay_fail(ASSAY_ERR_LIMIT, "no room for the metadata", reterr);
    }
    assay_buf_init(&out, room, size);
    assay_json_init(&w, &out);
    assay_json_object_open(&w);
    assay_json_member_string(&w, ASSAY_SLICE("issuer"), issuer);
    write_url(&w, ASSAY_SLICE("token_endpoint"), issuer, ASSAY_SLICE("/oauth2/token"));
    write_url(&w, ASSAY_SLICE("introspection_endpoint"), issuer, ASSAY_SLICE("/oauth2/introspect"));
    write_url(&w, ASSAY_SLICE("revocation_endpoint"), issuer, ASSAY_SLICE("/oauth2/revoke"));
    assay_json_member_list(&w, ASSAY_SLICE("grant_types_supported"),
                           ASSAY_SLICE("client_credentials refresh_token"));
    /* Required even where there is no authorization endpoint; "none" is the registered type that
     * gives nothing. */
    assay_json_member_list(&w, ASSAY_SLICE("response_types_supported"), ASSAY_SLICE("none"));
    assay_json_member_list(&w, ASSAY_SLICE("token_endpoint_auth_methods_supported"),
                           methods_with_none);
    assay_json_member_list(&w, ASSAY_SLICE("revocation_endpoint_auth_methods_supported"),
                           methods_with_none);
    assay_json_member_list(&w, ASSAY_SLICE("introspection_endpoint_auth_methods_supported"),
                           methods);
    assay_json_object_close(&w);
    if (out.spent) {
        return assay_fail(ASSAY_ERR_LIMIT, "the metadata does not fit", reterr);
    }
    assay_json_reply(200, assay_buf_slice(&out), &ex->reply);
    ex->reply.no_store = false;
    return ASSAY_OK;
}
