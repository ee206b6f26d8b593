/* What is kept of a token. docs/record-format.md describes the bytes. */
#ifndef ASSAY_RECORD_TOKEN_RECORD_H
#define ASSAY_RECORD_TOKEN_RECORD_H

#include "base/attr.h"
#include "base/limits.h"
#include "base/slice.h"
#include "base/status.h"
#include "crypto/digest.h"
#include "record/token_id.h"
#include "record/token_text.h"

#include <stdbool.h>
#include <stdint.h>

#define ASSAY_SALT_LEN 16

/* How a refresh token was rotated (DESIGN section 4, safe retry). */
struct assay_rotation {
    int64_t rotated_at_s;            /* seconds since the epoch; 0 while it was not rotated */
    struct assay_token_id successor; /* the refresh token that took its place */
    uint8_t successor_generation;    /* sealing key of the successor's address */
    bool salted;                     /* `salt` is still there: a retry can be answered */
    uint8_t salt[ASSAY_SALT_LEN];    /* wiped after the window */
};

/* One token. Slices borrow from whoever made the record: from the store's map when it was parsed,
 * in which case they end with the snapshot. Times are seconds since the epoch, 0 when absent (but
 * iat and exp are always there). Text fields are UTF-8 without control characters; empty when
 * absent. */
struct assay_token_record {
    struct assay_token_id id;
    enum assay_token_kind kind;
    uint8_t generation;                    /* sealing key of its address */
    uint8_t text_sha256[ASSAY_SHA256_LEN]; /* of the whole text, prefix included */
    int64_t issued_at_s;                   /* iat */
    int64_t expires_at_s;                  /* exp: from this second on the token is dead */
    int64_t not_before_s;                  /* nbf, or 0 */
    int64_t auth_time_s;                   /* auth_time, or 0 */
    uint64_t grant;                        /* id of its grant; 0 for client_credentials */
    struct assay_slice client_id;
    struct assay_slice subject; /* sub */
    struct assay_slice username;
    struct assay_slice scope;    /* scope tokens separated by single spaces */
    struct assay_slice audience; /* audiences separated by single spaces (no audience has one) */
    struct assay_slice session;  /* sid */
    struct assay_slice confirmation; /* cnf, a JSON object */
    struct assay_slice acr;
    struct assay_slice authorization_details; /* a JSON array */
    struct assay_slice extra;       /* further members, the inside of a JSON object: "a":1,"b":2 */
    struct assay_rotation rotation; /* refresh tokens only */
};

/* Writes `record` to `out` (`size` bytes of room) and its length to `*ret_len`. ASSAY_ERR_LIMIT
 * when a field is over its limit or the room is too small. */
ASSAY_MUST_USE enum assay_status assay_token_record_write(const struct assay_token_record *record,
                                                          uint8_t *out, size_t size,
                                                          size_t *ret_len,
                                                          struct assay_error *reterr);

/* Reads the bytes that were stored under `id`; `*ret` borrows from `bytes`. ASSAY_ERR_CORRUPT when
 * the check over id and bytes fails or the version is unknown: never a record that was not written
 * so. */
ASSAY_MUST_USE enum assay_status assay_token_record_parse(struct assay_token_id id,
                                                          struct assay_slice bytes,
                                                          struct assay_token_record *ret,
                                                          struct assay_error *reterr);

#endif
