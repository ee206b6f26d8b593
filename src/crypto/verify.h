/* Verifying signatures (RFC 7518 section 3, RFC 8037): everything that one key and one way of
 * signing need is fetched, parsed and allocated once, when a verifier is opened. */
#ifndef ASSAY_CRYPTO_VERIFY_H
#define ASSAY_CRYPTO_VERIFY_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"
#include "crypto/pkey.h"
#include "crypto/scheme.h"

#include <stdbool.h>

/* Contexts of OpenSSL for one key and scheme. Opaque; belongs to one thread. */
struct assay_verifier;

/* Opens a verifier; it keeps what it needs of `pkey`, which may be closed before it (a shared
 * secret, too, is copied). ASSAY_ERR_SYNTAX when the key does not fit the scheme: RSA for RSA, the
 * curve for its hash (RFC 7518 section 3.4), a secret at least as long as its hash (section 3.2).
 * ASSAY_ERR_CRYPTO when OpenSSL could not work. */
ASSAY_MUST_USE enum assay_status assay_verifier_open(const struct assay_pkey *pkey,
                                                     struct assay_scheme scheme,
                                                     struct assay_verifier **ret,
                                                     struct assay_error *reterr);

/* Wipes and frees; NULL is fine. */
void assay_verifier_close(struct assay_verifier *verifier);

/* Is `signature` that of `message`? It must have the one length of its scheme: that of the modulus,
 * twice the width of the curve with r and s in 1 to n - 1, 64 or 114 bytes, the length of the hash.
 * A signature that is not good is a result; ASSAY_ERR_CRYPTO when OpenSSL could not work, as far as
 * it says so: want of memory inside RSA-PSS, EdDSA and the larger curves it may answer with "no".
 */
ASSAY_MUST_USE enum assay_status assay_verifier_check(struct assay_verifier *verifier,
                                                      struct assay_slice message,
                                                      struct assay_slice signature, bool *ret_good,
                                                      struct assay_error *reterr);

#endif
