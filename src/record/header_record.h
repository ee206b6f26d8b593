/* What a store says of itself: one record, rewritten by every commit. */
#ifndef ASSAY_RECORD_HEADER_RECORD_H
#define ASSAY_RECORD_HEADER_RECORD_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"
#include "record/change.h"
#include "record/cutoff.h"

#include <stdbool.h>
#include <stdint.h>

#define ASSAY_LOG_ID_LEN 16
#define ASSAY_HEADER_LEN                                                                           \
    (1 + ASSAY_LOG_ID_LEN + (16 + ASSAY_CUTOFF_KINDS) * 8 + ASSAY_STEADY_ID_LEN + 4)

struct assay_header_record {
    uint8_t log[ASSAY_LOG_ID_LEN];              /* identity: new at creation and restore */
    uint64_t seq;                               /* last number given */
    uint64_t newest_cutoff[ASSAY_CUTOFF_KINDS]; /* number of the newest cutoff of each kind, or 0 */
    uint64_t clients_seq;                       /* number of the newest change of a client */
    uint64_t keys_seq;                          /* number of the newest change of a sealing key */
    uint64_t newest_generation;                 /* of the sealing keys */
    uint64_t events_from;                       /* the event log holds every event above this */
    int64_t longest_lifetime_s;                 /* of any token ever issued here */
    int64_t latest_expiry_s;                    /* exp of the token that expires last, of all */
    int64_t horizon_s;                          /* what has exp at or before it is dead */
    int64_t hold_until_s;    /* the horizon stands still until then; 0: it moves */
    int64_t stepped_until_s; /* the same, because the clock was set; or 0 */
    int64_t kept_until_s;    /* tokens that a restore kept may live until then; or 0 */
    int64_t clock_s;         /* the clock at the last sweep that was noted, or 0 */
    int64_t steady_s;        /* and the steady clock then, */
    uint8_t steady_id[ASSAY_STEADY_ID_LEN]; /* of this run */
    uint64_t snapshot;                      /* the engine's number of the commit that wrote this */
    uint64_t vital_count;  /* entries of what decides over life and death, in the engine's words, */
    uint64_t vital_digest; /* and a sum over them: none can be lost unnoticed */
};

void assay_header_write(const struct assay_header_record *header, uint8_t out[ASSAY_HEADER_LEN]);

/* ASSAY_ERR_CORRUPT when the check fails or the version is unknown; of a newer version it says so,
 * before it looks at a check that may be another one by then. */
ASSAY_MUST_USE enum assay_status assay_header_parse(struct assay_slice bytes,
                                                    struct assay_header_record *ret,
                                                    struct assay_error *reterr);

#endif
