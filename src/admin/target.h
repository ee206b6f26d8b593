/* The token that a request is about: named by its jti, or by its whole text. */
#ifndef ASSAY_ADMIN_TARGET_H
#define ASSAY_ADMIN_TARGET_H

#include "admin/step.h"
#include "base/attr.h"
#include "record/lookup.h"
#include "record/token_text.h"

#include <stdbool.h>

struct assay_admin_target {
    bool malformed; /* neither a jti nor a token of ours: there is nothing to look up */
    bool by_text;
    enum assay_token_kind kind; /* as the text says, when by_text */
    struct assay_address address;
};

/* Reads `jti` or `token` of the request, of which exactly one must stand: else false. */
ASSAY_MUST_USE bool assay_admin_target_read(const struct assay_admin *admin,
                                            struct assay_admin_target *ret);

/* Asks the host for the target, and for the client `caller_id` when it is not empty, in one
 * snapshot; `next` runs inside its done(). */
enum assay_status assay_admin_target_find(struct assay_admin *admin,
                                          const struct assay_admin_target *target,
                                          struct assay_slice caller_id, assay_admin_piece *next,
                                          enum assay_step *ret_step);

/* How the target of an answered look-up stands at `now_s`, its text held against the record when it
 * was named by that. Fails with ASSAY_ERR_CRYPTO. */
ASSAY_MUST_USE enum assay_status assay_admin_target_judge(const struct assay_admin *admin,
                                                          const struct assay_admin_target *target,
                                                          int64_t now_s, enum assay_liveness *ret,
                                                          struct assay_error *reterr);

#endif
