/* Tokens: issue, introspect, revoke, and why one is inactive. */
#ifndef ASSAY_ADMIN_TOKEN_H
#define ASSAY_ADMIN_TOKEN_H

#include "admin/step.h"

assay_admin_piece assay_admin_token_issue;
assay_admin_piece assay_admin_token_introspect;
assay_admin_piece assay_admin_token_revoke;
assay_admin_piece assay_admin_token_why;

#endif
