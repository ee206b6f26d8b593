/* What Basic credentials said lately, so that the same header need not be decoded and its secret
 * hashed again: in memory it is given, of one worker. It holds results of computing, no decisions:
 * whoever uses one holds it against the client's record as ever. The header itself is kept nowhere.
 */
#ifndef ASSAY_SERVER_RECENT_H
#define ASSAY_SERVER_RECENT_H

#include "base/limits.h"
#include "base/slice.h"
#include "crypto/digest.h"

#include <stdint.h>

#define ASSAY_RECENT_SLOTS 256 /* headers kept; two that meet in a slot take turns */

struct assay_recent_entry {
    uint8_t header_sha256[ASSAY_SHA256_LEN]; /* of the Authorization header's value */
    uint8_t secret_sha256[ASSAY_SHA256_LEN]; /* of the secret in it, decoded */
    uint8_t client_id[ASSAY_MAX_CLIENT_ID];  /* decoded */
    size_t client_id_len;                    /* bytes; 0: an empty slot */
};

/* The caller zeroes it. */
struct assay_recent {
    struct assay_recent_entry slots[ASSAY_RECENT_SLOTS];
};

/* What is known of the header with that digest; NULL: nothing. Compared in constant time. Valid
 * until the next assay_recent_note. */
const struct assay_recent_entry *assay_recent_find(const struct assay_recent *recent,
                                                   const uint8_t header_sha256[ASSAY_SHA256_LEN]);

/* Notes what the header with that digest says. An id over the limit is not noted. */
void assay_recent_note(struct assay_recent *recent, const uint8_t header_sha256[ASSAY_SHA256_LEN],
                       struct assay_slice client_id, const uint8_t secret_sha256[ASSAY_SHA256_LEN]);

#endif
