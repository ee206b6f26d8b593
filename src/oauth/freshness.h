/* The member `assay` of an active introspection answer: what a guard must know to tell later
 * whether the answer still holds (DESIGN section 5). The server writes it for a guard that asks
 * with the header `Assay-Guard: 1`. */
#ifndef ASSAY_OAUTH_FRESHNESS_H
#define ASSAY_OAUTH_FRESHNESS_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"
#include "crypto/digest.h"
#include "json/reader.h"
#include "json/writer.h"

#include <stdbool.h>
#include <stdint.h>

/* In the order in which they stand there. */
enum assay_freshness_kind {
    ASSAY_FRESHNESS_TOKEN = 0,
    ASSAY_FRESHNESS_GRANT,
    ASSAY_FRESHNESS_SESSION,
    ASSAY_FRESHNESS_SUBJECT,
    ASSAY_FRESHNESS_CLIENT,
    ASSAY_FRESHNESS_KEY, /* that signed it */
};
#define ASSAY_FRESHNESS_KINDS 6

/* `{"log":"…","as_of":"…","keys":["…",null,…]}`: numbers as decimal strings, since 57 bits do not
 * survive in every JSON reader; the log's and the keys' 8 bytes as 16 hexadecimal digits. */
struct assay_freshness {
    uint64_t log;   /* assay_freshness_log */
    uint64_t as_of; /* last number in the snapshot that decided; 0: not told at all */
    uint64_t keys[ASSAY_FRESHNESS_KINDS]; /* of what could end the token; 0: of that kind nothing */
};

/* What a key is: 8 bytes of HMAC-SHA-256 under `receiver` over the kind and the id, as cutoffs have
 * them; never 0. So a guard can tell that something it knows was ended, and two guards cannot
 * compare notes. Fails with ASSAY_ERR_CRYPTO. */
ASSAY_MUST_USE enum assay_status assay_freshness_key(const uint8_t receiver[ASSAY_SHA256_LEN],
                                                     enum assay_freshness_kind kind,
                                                     struct assay_slice id, uint64_t *ret,
                                                     struct assay_error *reterr);

/* The key of one receiver, from the store's identity, which is told to nobody, and the client id.
 * Fails with ASSAY_ERR_CRYPTO. */
ASSAY_MUST_USE enum assay_status assay_freshness_receiver(struct assay_slice log,
                                                          struct assay_slice client_id,
                                                          uint8_t ret[ASSAY_SHA256_LEN],
                                                          struct assay_error *reterr);

/* What the member calls the store: 8 bytes that are no help in finding its identity. Fails with
 * ASSAY_ERR_CRYPTO. */
ASSAY_MUST_USE enum assay_status assay_freshness_log(struct assay_slice log, uint64_t *ret,
                                                     struct assay_error *reterr);

/* Writes the member. */
void assay_freshness_write(const struct assay_freshness *freshness, struct assay_json_writer *w);

/* Reads the member of `answer`; all zeros when there is none. ASSAY_ERR_SYNTAX when it is not of
 * the form above: it is then a server that speaks another language, and not to be understood. */
ASSAY_MUST_USE enum assay_status assay_freshness_read(const struct assay_json *answer,
                                                      struct assay_freshness *ret,
                                                      struct assay_error *reterr);

#endif
