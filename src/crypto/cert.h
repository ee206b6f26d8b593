/* Certificates of a server: the development one, self-signed, for this machine alone; and a look at
 * one that the operator brought. */
#ifndef ASSAY_CRYPTO_CERT_H
#define ASSAY_CRYPTO_CERT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdint.h>

#define ASSAY_CERT_DAYS 90

/* Makes an ECDSA P-256 key and a certificate for localhost, 127.0.0.1 and ::1, good from an hour
 * before `now_s` (seconds since the epoch) for ASSAY_CERT_DAYS, and appends each as PEM. The
 * certificate signs no other. `*key_pem` then holds a secret: the caller wipes it. Fails with
 * ASSAY_ERR_CRYPTO, ASSAY_ERR_LIMIT when a buffer is too small. */
ASSAY_MUST_USE enum assay_status assay_cert_make(int64_t now_s, struct assay_buf *key_pem,
                                                 struct assay_buf *cert_pem,
                                                 struct assay_error *reterr);

/* Looks whether `key_pem` can serve with `cert_pem`: a private key without a passphrase, of 112
 * bits of strength and more (RSA 2048, any curve in use), and that of the first certificate. Fails
 * with ASSAY_ERR_SYNTAX and what is wrong; the offset is not set. */
ASSAY_MUST_USE enum assay_status assay_cert_check(struct assay_slice cert_pem,
                                                  struct assay_slice key_pem,
                                                  struct assay_error *reterr);

#endif
