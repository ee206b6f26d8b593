/* Ids and secrets made here: letters and digits alone, which every client encodes alike. */
#ifndef ASSAY_ADMIN_GENERATE_H
#define ASSAY_ADMIN_GENERATE_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"

#include <stddef.h>

#define ASSAY_GENERATED_ID_LEN 22     /* characters: 131 bits */
#define ASSAY_GENERATED_SECRET_LEN 43 /* characters: 256 bits */

/* `len` characters of a-z, A-Z, 0-9, each equally likely, into the arena. Fails with
 * ASSAY_ERR_CRYPTO, ASSAY_ERR_LIMIT when the arena is spent. */
ASSAY_MUST_USE enum assay_status assay_admin_generate(struct assay_arena *arena, size_t len,
                                                      struct assay_slice *ret,
                                                      struct assay_error *reterr);

#endif
