/* What the files of this folder share. */
#ifndef ASSAY_CRYPTO_CRYPTO_PRIV_H
#define ASSAY_CRYPTO_CRYPTO_PRIV_H

#include "base/attr.h"
#include "base/status.h"

/* ASSAY_ERR_CRYPTO. What OpenSSL has to say goes no further: it keeps that for the thread, and a
 * host would take it for what its next handshake died of. */
ASSAY_MUST_USE enum assay_status assay_crypto_fail(const char *what, struct assay_error *reterr);

#endif
