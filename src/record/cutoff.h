/* What ends tokens: (kind, id) -> number. A token is dead if any of its cutoffs is at or above its
 * own number (DESIGN section 4). */
#ifndef ASSAY_RECORD_CUTOFF_H
#define ASSAY_RECORD_CUTOFF_H

#include "base/attr.h"
#include "base/limits.h"
#include "base/slice.h"
#include "base/status.h"
#include "record/token_record.h"

#include <stdint.h>

enum assay_cutoff_kind {
    ASSAY_CUTOFF_TOKEN = 0,      /* id: the token's number, 8 bytes big-endian */
    ASSAY_CUTOFF_GRANT = 1,      /* id: the grant's number, 8 bytes big-endian */
    ASSAY_CUTOFF_SESSION = 2,    /* id: sid */
    ASSAY_CUTOFF_SUBJECT = 3,    /* id: sub, bytes as they are */
    ASSAY_CUTOFF_CLIENT = 4,     /* id: client_id */
    ASSAY_CUTOFF_KEY = 5,        /* id: kid of a signing key */
    ASSAY_CUTOFF_EVERYTHING = 6, /* id: empty */
};
#define ASSAY_CUTOFF_KINDS 7

/* Who or what asked for a change, for `assay why` and the event log. */
enum assay_change_origin {
    ASSAY_BY_CLIENT = 1,  /* RFC 7009 revocation */
    ASSAY_BY_ADMIN = 2,   /* the command or /admin */
    ASSAY_BY_REUSE = 3,   /* a rotated refresh token came back */
    ASSAY_BY_RESTORE = 4, /* store restore */
};

struct assay_cutoff {
    enum assay_cutoff_kind kind;
    struct assay_slice id; /* at most ASSAY_MAX_CUTOFF_ID bytes */
    uint64_t seq;
    int64_t made_at_s;
    int64_t keep_until_s; /* all it could concern has expired by then, slack included */
    enum assay_change_origin origin;
};

/* Bytes of a cutoff value, and the longest key. */
#define ASSAY_CUTOFF_VALUE_LEN 32
#define ASSAY_CUTOFF_KEY_SIZE (1 + ASSAY_MAX_CUTOFF_ID)

/* The key of (kind, id): one byte of kind, then the id as it is. Returns its length, 0 when the id
 * is too long. */
size_t assay_cutoff_key(enum assay_cutoff_kind kind, struct assay_slice id,
                        uint8_t out[ASSAY_CUTOFF_KEY_SIZE]);

/* A number as an id: 8 bytes big-endian into `out`, which the slice borrows. */
struct assay_slice assay_cutoff_number_id(uint64_t number, uint8_t out[8]);

/* Value to bytes and back; the check covers key and value. ASSAY_ERR_CORRUPT as for records. */
void assay_cutoff_write(const struct assay_cutoff *cutoff, uint8_t out[ASSAY_CUTOFF_VALUE_LEN]);
ASSAY_MUST_USE enum assay_status assay_cutoff_parse(struct assay_slice key,
                                                    struct assay_slice bytes,
                                                    struct assay_cutoff *ret,
                                                    struct assay_error *reterr);

/* The (kind, id) pairs that can end `token`, in the order token, grant, session, subject, client,
 * everything; those that do not apply to it are left out (client_credentials tokens: no grant, no
 * session, no subject). Returns how many; ids borrow from `token` and from `*room`. */
struct assay_cutoff_name {
    enum assay_cutoff_kind kind;
    struct assay_slice id;
};
struct assay_cutoff_room {
    uint8_t token[8];
    uint8_t grant[8];
};
size_t assay_cutoff_names(const struct assay_token_record *token, struct assay_cutoff_room *room,
                          struct assay_cutoff_name ret[ASSAY_CUTOFF_KINDS]);

#endif
