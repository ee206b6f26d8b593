#include "admin/target.h"

#include "base/secret.h"
#include "crypto/digest.h"

#include <string.h>

bool assay_admin_target_read(const struct assay_admin *admin, struct assay_admin_target *ret)
{
    const struct assay_admin_input *in = &admin->input;
    memset(ret, 0, sizeof *ret);
    if (((in->given & ASSAY_IN_JTI) != 0) == ((in->given & ASSAY_IN_TOKEN) != 0)) {
        return false;
    }
    if ((in->given & ASSAY_IN_JTI) != 0) {
        ret->malformed = assay_jti_parse(in->jti, &ret->address, NULL) != ASSAY_OK;
        return true;
    }
    struct assay_token_text text;
    ret->by_text = true;
    ret->malformed = !assay_token_text_parse(in->token, admin->ex->server->token_prefix, &text);
    if (!ret->malformed) {
        ret->kind = text.kind;
        ret->address = text.address;
    }
    return true;
}

enum assay_status assay_admin_target_find(struct assay_admin *admin,
                                          const struct assay_admin_target *target,
                                          struct assay_slice caller_id, assay_admin_piece *next,
                                          enum assay_step *ret_step)
{
    admin->ex->lookup = (struct assay_lookup){
        .caller_id = caller_id,
        .want_token = !target->malformed,
        .address = target->address,
    };
    admin->next = next;
    *ret_step = ASSAY_STEP_LOOKUP;
    return ASSAY_OK;
}

enum assay_status assay_admin_target_judge(const struct assay_admin *admin,
                                           const struct assay_admin_target *target, int64_t now_s,
                                           enum assay_liveness *ret, struct assay_error *reterr)
{
    const struct assay_lookup *lookup = &admin->ex->lookup;
    *ret = assay_lookup_judge(lookup, now_s);
    if (lookup->token == NULL || !target->by_text) {
        return ASSAY_OK;
    }
    uint8_t sha256[ASSAY_SHA256_LEN];
    enum assay_status status =
        assay_sha256(admin->ex->server->digester, admin->input.token, sha256, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    if (lookup->token->kind != target->kind ||
        !assay_secret_equal(assay_slice_of(sha256, sizeof sha256),
                            assay_slice_of(lookup->token->text_sha256, ASSAY_SHA256_LEN))) {
        *ret = ASSAY_DEAD_TEXT;
    }
    return ASSAY_OK;
}
