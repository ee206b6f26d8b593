/* Administrative requests carried out on a store of this machine. */
#ifndef ASSAY_TOOL_LOCAL_H
#define ASSAY_TOOL_LOCAL_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>

/* An open store. Opaque. */
struct assay_local;

/* Opens the store in the directory `path`. `token_prefix` is that of its server. Fails as
 * assay_lmdb_open does. Close with assay_local_close. */
ASSAY_MUST_USE enum assay_status assay_local_open(const char *path, const char *token_prefix,
                                                  bool read_only, struct assay_local **ret,
                                                  struct assay_error *reterr);
void assay_local_close(struct assay_local *local);

/* Carries out `POST path` with the JSON `body`. The answer borrows from `local` until its next
 * request. Fails when there is no answer at all: ASSAY_ERR_LIMIT, CRYPTO, SYSTEM. */
ASSAY_MUST_USE enum assay_status assay_local_send(struct assay_local *local, const char *path,
                                                  struct assay_slice body,
                                                  unsigned *ret_http_status,
                                                  struct assay_slice *ret_body,
                                                  struct assay_error *reterr);

#endif
