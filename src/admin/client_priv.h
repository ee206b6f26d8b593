/* What the verbs about clients share: the client on its way, its new secret, the reply. */
#ifndef ASSAY_ADMIN_CLIENT_PRIV_H
#define ASSAY_ADMIN_CLIENT_PRIV_H

#include "admin/client.h"
#include "admin/client_json.h"

/* A client on its way. Lives in the arena. */
struct client_op {
    struct assay_client_record record;
    struct assay_slice secret; /* a generated one, shown in the reply; secret */
    struct assay_client_secret hashed;
    struct assay_slice only_audience; /* of the only resource server; data NULL: none seen */
    bool several;                     /* there is more than one */
};

/* A zeroed one from the arena, which becomes admin->state. NULL when that is spent. */
struct client_op *client_op_begin(struct assay_admin *admin);

/* 400 with that fault. */
enum assay_status client_op_wrong(struct assay_admin *admin, const struct assay_admin_fault *fault,
                                  enum assay_step *ret_step, struct assay_error *reterr);

/* The reply: the client as it is now, its new secret if there is one, and whether something changed
 * (NULL: not said). */
enum assay_status client_op_reply(struct assay_admin *admin, const struct client_op *op,
                                  const bool *changed, enum assay_step *ret_step,
                                  struct assay_error *reterr);

/* Makes a secret and its hash. 256 random bits need no slow hash: one SHA-256 gives nothing to
 * guess. */
enum assay_status client_op_generate_secret(struct assay_admin *admin, struct client_op *op,
                                            int64_t now_s, struct assay_error *reterr);

/* Asks the host to hash the operator's own secret, which may be short: slowly, off its loop. Then
 * runs `next`, which takes the hash. */
enum assay_status client_op_hash_own_secret(struct assay_admin *admin, assay_admin_piece *next,
                                            enum assay_step *ret_step, struct assay_error *reterr);
enum assay_status client_op_take_own_secret(struct assay_admin *admin, struct client_op *op,
                                            int64_t now_s, struct assay_error *reterr);

#endif
