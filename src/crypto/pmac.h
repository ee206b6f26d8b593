/* AES-PMAC (Black and Rogaway, EUROCRYPT 2002): what stands for a text where only those who have
 * the key can tell which. The guard's cache is searched by it. Its blocks do not wait for each
 * other, so that OpenSSL is called twice for a text of any length; docs/decisions/025 has what that
 * spares. */
#ifndef ASSAY_CRYPTO_PMAC_H
#define ASSAY_CRYPTO_PMAC_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdint.h>

#define ASSAY_PMAC_KEY_LEN 16 /* bytes: AES-128 */
#define ASSAY_PMAC_LEN 16
#define ASSAY_PMAC_MAX 8256 /* bytes of a text: 32 and the longest token, in whole blocks */

/* A key made ready. Opaque; not for two threads at once. */
struct assay_pmac;

/* Fails with ASSAY_ERR_CRYPTO. Close with assay_pmac_close. */
ASSAY_MUST_USE enum assay_status assay_pmac_open(const uint8_t key[ASSAY_PMAC_KEY_LEN],
                                                 struct assay_pmac **ret_pmac,
                                                 struct assay_error *reterr);

/* Wipes and frees; NULL is fine. */
void assay_pmac_close(struct assay_pmac *pmac);

/* The code of `head` and `tail`, one behind the other. Fails with ASSAY_ERR_LIMIT when they are
 * longer than ASSAY_PMAC_MAX together, with ASSAY_ERR_CRYPTO when OpenSSL fails. */
ASSAY_MUST_USE enum assay_status assay_pmac_make(struct assay_pmac *pmac, struct assay_slice head,
                                                 struct assay_slice tail,
                                                 uint8_t ret[ASSAY_PMAC_LEN],
                                                 struct assay_error *reterr);

#endif
