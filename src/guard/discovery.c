#include "guard/discovery.h"

#include "base/limits.h"
#include "json/reader.h"
#include "oauth/issuer.h"

void assay_discovery_url(struct assay_slice issuer, enum assay_discovery_place place,
                         struct assay_buf *out)
{
    struct assay_slice path = assay_issuer_path(issuer);
    struct assay_slice base = issuer;
    while (base.len > 0 && base.data[base.len - 1] == '/') {
        base = assay_slice_head(base, base.len - 1);
    }
    switch (place) {
    case ASSAY_DISCOVERY_OAUTH: /* between host and path */
        assay_buf_append(out, assay_slice_head(base, base.len - path.len));
        assay_buf_append(out, ASSAY_SLICE("/.well-known/oauth-authorization-server"));
        assay_buf_append(out, path);
        break;
    case ASSAY_DISCOVERY_OPENID: /* behind the path */
        assay_buf_append(out, base);
        assay_buf_append(out, ASSAY_SLICE("/.well-known/openid-configuration"));
        break;
    }
}

/* A member that is no string is as good as none. */
static bool copy_url(const struct assay_json *json, struct assay_slice pointer,
                     struct assay_arena *arena, struct assay_slice *ret)
{
    struct assay_slice url = {0};
    *ret = url;
    return !assay_json_value_string(assay_json_point(json, pointer), &url) || url.len == 0 ||
           assay_arena_copy(arena, url, ret);
}

static enum assay_status read_metadata(const struct assay_json *json, struct assay_slice issuer,
                                       struct assay_arena *arena, struct assay_discovered *ret,
                                       struct assay_error *reterr)
{
    struct assay_slice said;
    if (!assay_json_get_string(json, ASSAY_SLICE("issuer"), &said) ||
        !assay_slice_equal(said, issuer)) {
        return assay_fail(ASSAY_ERR_SYNTAX, "the metadata is of another issuer", reterr);
    }
    return copy_url(json, ASSAY_SLICE("/introspection_endpoint"), arena,
                    &ret->introspection_endpoint) &&
                   copy_url(json, ASSAY_SLICE("/mtls_endpoint_aliases/introspection_endpoint"),
                            arena, &ret->mtls_introspection_endpoint) &&
                   copy_url(json, ASSAY_SLICE("/jwks_uri"), arena, &ret->jwks_uri)
               ? ASSAY_OK
               : assay_fail(ASSAY_ERR_LIMIT, "a URL of the metadata is too long", reterr);
}

enum assay_status assay_discovery_read(struct assay_slice body, struct assay_slice issuer,
                                       struct assay_arena *arena, struct assay_discovered *ret,
                                       struct assay_error *reterr)
{
    struct assay_json *json = NULL;
    enum assay_status status = assay_json_open(body, ASSAY_MAX_ANSWER_DEPTH, &json, reterr);
    if (status == ASSAY_OK) {
        status = read_metadata(json, issuer, arena, ret, reterr);
        assay_json_close(json);
    }
    return status;
}
