/* What the files of crypto/ share. */
#ifndef ASSAY_CRYPTO_CRYPTO_PRIV_H
#define ASSAY_CRYPTO_CRYPTO_PRIV_H

#include "base/attr.h"
#include "base/status.h"

#include <stdbool.h>

/* ASSAY_ERR_CRYPTO, with OpenSSL's own queue of errors emptied: it belongs to the host's thread. */
ASSAY_MUST_USE enum assay_status assay_crypto_fail(const char *what, struct assay_error *reterr);

/* Empties the queue, and tells whether memory was what failed: OpenSSL answers "no" to a question
 * as well when it could not work on it. */
ASSAY_MUST_USE bool assay_crypto_lacked_memory(void);

#endif
