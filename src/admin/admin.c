#include "admin/admin.h"

#include "admin/auth.h"
#include "admin/client.h"
#include "admin/grant.h"
#include "admin/step.h"
#include "admin/token.h"
#include "admin/upkeep.h"
#include "http/media_type.h"

#include <string.h>

#define CLIENT_VALUES                                                                              \
    (ASSAY_IN_NAME | ASSAY_IN_SCOPE | ASSAY_IN_DEFAULT_SCOPE | ASSAY_IN_AUDIENCE |                 \
     ASSAY_IN_DEFAULT_AUDIENCE | ASSAY_IN_GRANT_TYPES | ASSAY_IN_MEMBERS | ASSAY_IN_AUTH_METHOD |  \
     ASSAY_IN_ADMIN | ASSAY_IN_RESOURCE_SERVER | ASSAY_IN_INTROSPECTS_REFRESH |                    \
     ASSAY_IN_ACCESS_LIFETIME | ASSAY_IN_REFRESH_LIFETIME)

#define TOKEN_VALUES                                                                               \
    (ASSAY_IN_SUBJECT | ASSAY_IN_USERNAME | ASSAY_IN_SID | ASSAY_IN_SCOPE | ASSAY_IN_AUDIENCE |    \
     ASSAY_IN_LIFETIME | ASSAY_IN_NOT_BEFORE | ASSAY_IN_REFRESH | ASSAY_IN_REFRESH_LIFETIME)

#define TOKEN_NAMES (ASSAY_IN_JTI | ASSAY_IN_TOKEN)

/* Every verb: its path, the members it takes, those it needs. */
static const struct assay_admin_verb verbs[] = {
    {"/admin/client/add", ASSAY_IN_CLIENT_ID | ASSAY_IN_CLIENT_SECRET | CLIENT_VALUES, 0,
     assay_admin_client_add},
    {"/admin/client/list", ASSAY_IN_AFTER, 0, assay_admin_client_list},
    {"/admin/client/show", ASSAY_IN_CLIENT_ID, ASSAY_IN_CLIENT_ID, assay_admin_client_show},
    {"/admin/client/update", ASSAY_IN_CLIENT_ID | CLIENT_VALUES, ASSAY_IN_CLIENT_ID,
     assay_admin_client_update},
    {"/admin/client/disable", ASSAY_IN_CLIENT_ID, ASSAY_IN_CLIENT_ID, assay_admin_client_disable},
    {"/admin/client/enable", ASSAY_IN_CLIENT_ID, ASSAY_IN_CLIENT_ID, assay_admin_client_enable},
    {"/admin/client/remove", ASSAY_IN_CLIENT_ID, ASSAY_IN_CLIENT_ID, assay_admin_client_remove},
    {"/admin/client/rotate-secret", ASSAY_IN_CLIENT_ID | ASSAY_IN_CLIENT_SECRET | ASSAY_IN_OVERLAP,
     ASSAY_IN_CLIENT_ID, assay_admin_client_rotate_secret},
    {"/admin/token/issue", ASSAY_IN_CLIENT_ID | TOKEN_VALUES, ASSAY_IN_CLIENT_ID,
     assay_admin_token_issue},
    {"/admin/token/introspect", TOKEN_NAMES | ASSAY_IN_FOR, 0, assay_admin_token_introspect},
    {"/admin/token/revoke", TOKEN_NAMES, 0, assay_admin_token_revoke},
    {"/admin/token/why", TOKEN_NAMES | ASSAY_IN_FOR, 0, assay_admin_token_why},
    {"/admin/grant/list", ASSAY_IN_SUBJECT | ASSAY_IN_AFTER, 0, assay_admin_grant_list},
    {"/admin/grant/end", ASSAY_IN_GRANT, ASSAY_IN_GRANT, assay_admin_grant_end},
    {"/admin/subject/end", ASSAY_IN_SUBJECT, ASSAY_IN_SUBJECT, assay_admin_subject_end},
    {"/admin/key/rotate", 0, 0, assay_admin_key_rotate},
    {"/admin/store/stat", 0, 0, assay_admin_store_stat},
};

static const struct assay_admin_verb *find_verb(struct assay_slice path)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (assay_slice_equal(path, assay_slice_of_text(verbs[i].path))) {
            return &verbs[i];
        }
    }
    return NULL;
}

static bool is_json(const struct assay_request *request)
{
    return request->content_type_count == 1 &&
           assay_media_type_is(request->content_type, ASSAY_SLICE("application/json"));
}

/* The request, once it is known who asks: path, method, body, then the verb. */
static enum assay_status run_verb(struct assay_admin *admin, int64_t now_s,
                                  enum assay_step *ret_step, struct assay_error *reterr)
{
    const struct assay_request *request = &admin->ex->request;
    admin->verb = find_verb(assay_path_below_issuer(admin->ex->server, request->path));
    if (admin->verb == NULL) {
        return assay_admin_absent(admin, "there is no such path", ret_step, reterr);
    }
    if (!assay_slice_equal(request->method, ASSAY_SLICE("POST"))) {
        enum assay_status status =
            assay_admin_refuse(admin, 405, "invalid_request", (struct assay_slice){0},
                               "every administrative request is a POST", ret_step, reterr);
        admin->ex->reply.allow = ASSAY_SLICE("POST");
        return status;
    }
    if (request->connection_fields) {
        return assay_admin_refuse(admin, 400, "invalid_request", (struct assay_slice){0},
                                  "the header is malformed", ret_step, reterr);
    }
    if (request->body_too_large) {
        return assay_admin_refuse(admin, 413, "invalid_request", (struct assay_slice){0},
                                  "the body is too large", ret_step, reterr);
    }
    if (!is_json(request) || request->content_encoding.len > 0) {
        return assay_admin_refuse(admin, 415, "invalid_request", (struct assay_slice){0},
                                  "the body must be application/json", ret_step, reterr);
    }
    struct assay_admin_fault fault = {0};
    if (!assay_admin_input_read(request->body, admin->verb->takes, admin->verb->needs,
                                admin->ex->arena, &admin->input, &fault)) {
        return assay_admin_refuse(admin, 400, "invalid_request", fault.member, fault.what, ret_step,
                                  reterr);
    }
    return admin->verb->run(admin, now_s, ret_step, reterr);
}

/* NULL when the arena is spent. */
static struct assay_admin *begin(struct assay_exchange *ex)
{
    struct assay_admin *admin =
        assay_arena_take(ex->arena, sizeof *admin, _Alignof(struct assay_admin));
    if (admin == NULL) {
        return NULL;
    }
    memset(admin, 0, sizeof *admin);
    admin->ex = ex;
    admin->authenticated = run_verb;
    admin->next = ex->trusted ? run_verb : assay_admin_authenticate;
    ex->state = admin;
    ex->endpoint = ASSAY_ENDPOINT_ADMIN;
    return admin;
}

enum assay_status assay_admin_run(struct assay_exchange *ex, int64_t now_s,
                                  enum assay_step *ret_step, struct assay_error *reterr)
{
    struct assay_admin *admin = ex->state == NULL ? begin(ex) : ex->state;
    if (admin == NULL) {
        return assay_fail(ASSAY_ERR_LIMIT, "no room for an administrative request", reterr);
    }
    return admin->next(admin, now_s, ret_step, reterr);
}
