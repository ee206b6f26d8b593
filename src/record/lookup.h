/* What decides about one token, read in one snapshot of the store. */
#ifndef ASSAY_RECORD_LOOKUP_H
#define ASSAY_RECORD_LOOKUP_H

#include "base/slice.h"
#include "record/client_record.h"
#include "record/cutoff.h"
#include "record/token_record.h"
#include "record/token_text.h"

#include <stdbool.h>
#include <stdint.h>

/* One question and its answer. The asker owns it and fills what is marked in; the store fills the
 * rest. Records are gone when the answer has been used: see assay_store_find (store/store.h). */
struct assay_lookup {
    /* in */
    struct assay_slice caller_id; /* a client whose record is wanted; empty: none */
    bool want_token;              /* `address` names a token that is wanted */
    struct assay_address address;

    /* out */
    const struct assay_client_record *caller; /* NULL: no such client */
    bool address_opened;                      /* some sealing key opened `address` */
    struct assay_token_id token_id;           /* what it sealed */
    const struct assay_token_record
        *token; /* NULL: no such token (never was, or expired and swept) */
    const struct assay_client_record *client; /* the client of `token`; NULL: removed */
    bool cut;                                 /* some cutoff is at or above the number of `token` */
    struct assay_cutoff cutoff;               /* the newest of those, when `cut` */
    int64_t horizon_s;                        /* what has exp at or before it is dead */
    uint64_t as_of;                           /* last number in the snapshot */
    const uint8_t *log;                       /* the store's identity, ASSAY_LOG_ID_LEN bytes */
};

enum assay_liveness {
    ASSAY_LIVE = 0,
    ASSAY_DEAD_UNKNOWN, /* no such token, or swept */
    ASSAY_DEAD_TEXT,    /* the text does not match the record at its address */
    ASSAY_DEAD_EXPIRED, /* exp reached by the clock or by the store's horizon */
    ASSAY_DEAD_NOT_YET, /* nbf not reached */
    ASSAY_DEAD_CUT,     /* revoked: see `cutoff` */
    ASSAY_DEAD_CLIENT,  /* its client was removed or is disabled */
    ASSAY_DEAD_ROTATED, /* a refresh token whose successor exists */
};

/* Judges the token of an answered look-up at `now_s`. Does not compare texts: who has one does
 * (assay_token_text_matches). */
enum assay_liveness assay_lookup_judge(const struct assay_lookup *lookup, int64_t now_s);

/* A constant word for `assay why`: "live", "unknown", "expired", ... */
const char *assay_liveness_name(enum assay_liveness liveness);

#endif
