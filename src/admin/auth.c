#include "admin/auth.h"

#include "server/caller.h"

#include <string.h>

static enum assay_status replied(enum assay_step *ret_step)
{
    *ret_step = ASSAY_STEP_REPLY;
    return ASSAY_OK;
}

static enum assay_status let_in(struct assay_admin *admin, int64_t now_s, enum assay_step *ret_step,
                                struct assay_error *reterr)
{
    const struct assay_client_record *record = admin->ex->lookup.caller;
    if (record->auth_method == ASSAY_AUTH_NONE) { /* whose id is all it has to know */
        assay_caller_refuse(admin->ex, admin->state, now_s);
        return replied(ret_step);
    }
    if (!record->admin) {
        return assay_admin_refuse(admin, 403, "unauthorized_client", (struct assay_slice){0},
                                  "the client is no administrator", ret_step, reterr);
    }
    return admin->authenticated(admin, now_s, ret_step, reterr);
}

/* scrypt is done: what was verified must still be registered when the client is looked up anew. */
static enum assay_status hashed(struct assay_admin *admin, int64_t now_s, enum assay_step *ret_step,
                                struct assay_error *reterr);

static enum assay_status found(struct assay_admin *admin, int64_t now_s, enum assay_step *ret_step,
                               struct assay_error *reterr)
{
    if (admin->ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    enum assay_caller_verdict verdict = ASSAY_CALLER_REFUSED;
    enum assay_status status = assay_caller_judge(admin->ex, admin->state, now_s, &verdict, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    switch (verdict) {
    case ASSAY_CALLER_KNOWN:
        return let_in(admin, now_s, ret_step, reterr);
    case ASSAY_CALLER_REFUSED:
        return replied(ret_step);
    case ASSAY_CALLER_SCRYPT:
        admin->next = hashed;
        *ret_step = ASSAY_STEP_SCRYPT;
        return ASSAY_OK;
    }
    return replied(ret_step);
}

static enum assay_status hashed(struct assay_admin *admin, int64_t now_s, enum assay_step *ret_step,
                                struct assay_error *reterr)
{
    (void)now_s;
    (void)reterr;
    admin->next = found;
    *ret_step = ASSAY_STEP_LOOKUP;
    return ASSAY_OK;
}

enum assay_status assay_admin_authenticate(struct assay_admin *admin, int64_t now_s,
                                           enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    struct assay_exchange *ex = admin->ex;
    if (!ex->request.secure && !ex->request.loopback && !ex->server->allow_cleartext) {
        return assay_admin_wrong(admin, "use https", ret_step, reterr);
    }
    struct assay_caller *caller =
        assay_arena_take(ex->arena, sizeof *caller, _Alignof(struct assay_caller));
    if (caller == NULL) {
        return assay_fail(ASSAY_ERR_LIMIT, "no room for an administrative request", reterr);
    }
    memset(caller, 0, sizeof *caller);
    enum assay_caller_verdict verdict = ASSAY_CALLER_REFUSED;
    enum assay_status status = assay_caller_start(ex, NULL, caller, &verdict, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    if (verdict != ASSAY_CALLER_KNOWN) {
        return replied(ret_step);
    }
    admin->state = caller;
    admin->next = found;
    *ret_step = ASSAY_STEP_LOOKUP;
    return ASSAY_OK;
}
