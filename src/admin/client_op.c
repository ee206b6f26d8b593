#include "admin/client_priv.h"

#include "admin/generate.h"
#include "base/secret.h"
#include "crypto/digest.h"
#include "crypto/random.h"

#include <string.h>

#define MIN_OWN_SECRET 8 /* characters */

struct client_op *client_op_begin(struct assay_admin *admin)
{
    struct client_op *op =
        assay_arena_take(admin->ex->arena, sizeof *op, _Alignof(struct client_op));
    if (op != NULL) {
        memset(op, 0, sizeof *op);
        admin->state = op;
    }
    return op;
}

enum assay_status client_op_wrong(struct assay_admin *admin, const struct assay_admin_fault *fault,
                                  enum assay_step *ret_step, struct assay_error *reterr)
{
    return assay_admin_refuse(admin, 400, "invalid_request", fault->member, fault->what, ret_step,
                              reterr);
}

enum assay_status client_op_reply(struct assay_admin *admin, const struct client_op *op,
                                  const bool *changed, enum assay_step *ret_step,
                                  struct assay_error *reterr)
{
    enum assay_status status = assay_admin_open(admin, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    assay_admin_client_write(&admin->w, &op->record, op->secret);
    if (changed != NULL) {
        assay_json_member_bool(&admin->w, ASSAY_SLICE("changed"), *changed);
    }
    return assay_admin_close(admin, ret_step, reterr);
}

/* Visible ASCII and space (RFC 6749 appendix A.2). */
static bool own_secret_valid(struct assay_slice secret)
{
    for (size_t i = 0; i < secret.len; i++) {
        if (secret.data[i] < 0x20 || secret.data[i] > 0x7E) {
            return false;
        }
    }
    return secret.len >= MIN_OWN_SECRET;
}

enum assay_status client_op_generate_secret(struct assay_admin *admin, struct client_op *op,
                                            int64_t now_s, struct assay_error *reterr)
{
    enum assay_status status =
        assay_admin_generate(admin->ex->arena, ASSAY_GENERATED_SECRET_LEN, &op->secret, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    op->hashed = (struct assay_client_secret){.form = ASSAY_SECRET_SHA256, .created_at_s = now_s};
    return assay_sha256(admin->ex->server->digester, op->secret, op->hashed.hash, reterr);
}

enum assay_status client_op_hash_own_secret(struct assay_admin *admin, assay_admin_piece *next,
                                            enum assay_step *ret_step, struct assay_error *reterr)
{
    struct assay_exchange *ex = admin->ex;
    if (!own_secret_valid(admin->input.client_secret)) {
        return assay_admin_wrong(admin, "client_secret must be 8 or more visible ASCII characters",
                                 ret_step, reterr);
    }
    enum assay_status status = assay_random(ex->kdf_salt, sizeof ex->kdf_salt, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    ex->kdf_secret = admin->input.client_secret;
    admin->next = next;
    *ret_step = ASSAY_STEP_SCRYPT;
    return ASSAY_OK;
}

enum assay_status client_op_take_own_secret(struct assay_admin *admin, struct client_op *op,
                                            int64_t now_s, struct assay_error *reterr)
{
    struct assay_exchange *ex = admin->ex;
    if (ex->kdf_failed) {
        return assay_fail(ASSAY_ERR_CRYPTO, "scrypt failed", reterr);
    }
    op->hashed = (struct assay_client_secret){.form = ASSAY_SECRET_SCRYPT, .created_at_s = now_s};
    memcpy(op->hashed.hash, ex->kdf_out, sizeof op->hashed.hash);
    memcpy(op->hashed.salt, ex->kdf_salt, sizeof op->hashed.salt);
    assay_secret_wipe(ex->kdf_out, sizeof ex->kdf_out);
    return ASSAY_OK;
}
