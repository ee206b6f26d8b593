/* Random bytes from OpenSSL's generator. */
#ifndef ASSAY_CRYPTO_RANDOM_H
#define ASSAY_CRYPTO_RANDOM_H

#include "base/attr.h"
#include "base/status.h"

#include <stddef.h>

/* Fills `len` bytes at `out`. Fails with ASSAY_ERR_CRYPTO when the generator cannot; `out` is then
 * not to be used: whoever wanted a secret has none. */
ASSAY_MUST_USE enum assay_status assay_random(void *out, size_t len, struct assay_error *reterr);

#endif
