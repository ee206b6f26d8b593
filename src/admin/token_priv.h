/* What introspect, revoke and why share: the token they are about. */
#ifndef ASSAY_ADMIN_TOKEN_PRIV_H
#define ASSAY_ADMIN_TOKEN_PRIV_H

#include "admin/target.h"
#include "admin/token.h"

/* Reads which token is meant into admin->state (struct assay_admin_target), and asks the host for
 * it and for the client `for`; `next` runs inside its done(). */
enum assay_status token_target_find(struct assay_admin *admin, assay_admin_piece *next,
                                    enum assay_step *ret_step, struct assay_error *reterr);

/* The member jti of `target`, unless it has none. */
void token_jti_write(struct assay_json_writer *w, const struct assay_admin_target *target);

/* Why the resource server `rs` would not be told of the live `token`, constant text; NULL: it
 * would. */
const char *token_refuse_for(const struct assay_client_record *rs,
                             const struct assay_token_record *token);

#endif
