/* Signing (RFC 7518 section 3, RFC 8037), with contexts made once as in crypto/verify.h. */
#ifndef ASSAY_CRYPTO_SIGN_H
#define ASSAY_CRYPTO_SIGN_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"
#include "crypto/pkey.h"
#include "crypto/scheme.h"

#include <stddef.h>
#include <stdint.h>

/* Bytes of the longest signature: RSA with 8192 bits. */
#define ASSAY_MAX_SIGNATURE ASSAY_PKEY_MAX_RSA_LEN

/* Contexts of OpenSSL for one private key and scheme. Opaque; belongs to one thread. */
struct assay_signer;

/* Opens a signer; fails as assay_verifier_open does, and with ASSAY_ERR_SYNTAX for a key that has
 * no private half. */
ASSAY_MUST_USE enum assay_status assay_signer_open(const struct assay_pkey *pkey,
                                                   struct assay_scheme scheme,
                                                   struct assay_signer **ret,
                                                   struct assay_error *reterr);

/* Wipes and frees; NULL is fine. */
void assay_signer_close(struct assay_signer *signer);

/* Signs `message` into `out`. ECDSA draws a fresh number for each signature, mixed with the key and
 * the message (OpenSSL 3.0 has no RFC 6979). Fails with ASSAY_ERR_CRYPTO. */
ASSAY_MUST_USE enum assay_status assay_signer_sign(struct assay_signer *signer,
                                                   struct assay_slice message,
                                                   uint8_t out[ASSAY_MAX_SIGNATURE],
                                                   size_t *ret_len, struct assay_error *reterr);

#endif
