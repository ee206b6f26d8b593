#include "oauth/error.h"

struct row {
    unsigned http_status;
    struct assay_slice body;
};

#define TEXT(literal)                                                                              \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }
#define ERROR(name, what) TEXT("{\"error\":\"" name "\",\"error_description\":\"" what "\"}")

static const struct row rows[] = {
    [ASSAY_ERROR_REQUEST] = {400, ERROR("invalid_request",
                                        "a parameter is missing, repeated or malformed")},
    [ASSAY_ERROR_TWO_METHODS] = {400, ERROR("invalid_request",
                                            "more than one way to authenticate in one request")},
    [ASSAY_ERROR_CLEARTEXT] = {400, ERROR("invalid_request", "use https")},
    [ASSAY_ERROR_MEDIA] = {415,
                           ERROR(
                               "invalid_request",
                               "the body must be application/x-www-form-urlencoded, not encoded")},
    [ASSAY_ERROR_METHOD] = {405, ERROR("invalid_request", "use POST")},
    [ASSAY_ERROR_METHOD_GET] = {405, ERROR("invalid_request", "use GET")},
    [ASSAY_ERROR_TOO_LARGE] = {413, ERROR("invalid_request", "the body is too large")},
    [ASSAY_ERROR_CLIENT] = {401, ERROR("invalid_client", "client authentication failed")},
    [ASSAY_ERROR_NO_CLIENT] = {400, ERROR("invalid_client", "client authentication is required")},
    [ASSAY_ERROR_LIMITED] = {429, ERROR("invalid_client",
                                        "too many failed authentications; try again later")},
    [ASSAY_ERROR_NOT_ALLOWED] = {403, ERROR("unauthorized_client",
                                            "this client is not a resource server: it may not "
                                            "introspect")},
    [ASSAY_ERROR_FORBIDDEN] = {403, ERROR("access_denied", "this is for administrators")},
    [ASSAY_ERROR_UNAUTHORIZED] = {400, ERROR("unauthorized_client",
                                             "this client may not use this grant type")},
    [ASSAY_ERROR_GRANT] = {400, ERROR("invalid_grant",
                                      "the token is invalid, expired, revoked, or issued to "
                                      "another client")},
    [ASSAY_ERROR_GRANT_TYPE] = {400, ERROR("unsupported_grant_type",
                                           "this grant type is not supported")},
    [ASSAY_ERROR_SCOPE] = {400,
                           ERROR("invalid_scope",
                                 "the scope is malformed, unknown, or more than may be granted")},
    [ASSAY_ERROR_TARGET] = {400,
                            ERROR("invalid_target",
                                  "the resource is malformed, unknown, or not for this client")},
    [ASSAY_ERROR_NOT_FOUND] = {404, ERROR("not_found", "there is no such path")},
    [ASSAY_ERROR_SERVER] = {500, ERROR("server_error", "the request could not be carried out")},
    [ASSAY_ERROR_UNAVAILABLE] = {503, ERROR("temporarily_unavailable",
                                            "the store could not answer; try again")},
};

void assay_json_reply(unsigned http_status, struct assay_slice body, struct assay_reply *reply)
{
    *reply = (struct assay_reply){
        .http_status = http_status,
        .content_type = ASSAY_SLICE("application/json"),
        .body = body,
        .no_store = true,
    };
}

void assay_oauth_error_reply(enum assay_oauth_error error, struct assay_reply *reply)
{
    const struct row *row = &rows[error];
    assay_json_reply(row->http_status, row->body, reply);
    if (row->http_status == 401) {
        reply->www_authenticate = ASSAY_SLICE("Basic realm=\"assay\"");
    } else if (row->http_status == 503) {
        reply->retry_after_s = 1;
    } else if (error == ASSAY_ERROR_METHOD) {
        reply->allow = ASSAY_SLICE("POST");
    } else if (error == ASSAY_ERROR_METHOD_GET) {
        reply->allow = ASSAY_SLICE("GET, HEAD");
    }
}
