/* What the store is asked to list, as plain data. Rows come in order, at most `limit` of them, and
 * fewer when they take long, from one snapshot; the next page starts after the last row of this
 * one. */
#ifndef ASSAY_RECORD_QUERY_H
#define ASSAY_RECORD_QUERY_H

#include "base/slice.h"
#include "record/client_record.h"
#include "record/event.h"
#include "record/grant_record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum assay_query_verb {
    ASSAY_QUERY_CLIENTS,           /* by client_id; rows: `client` */
    ASSAY_QUERY_GRANTS_OF_SUBJECT, /* by grant number; rows: `grant` */
    ASSAY_QUERY_GRANTS,            /* every grant, by grant number */
    ASSAY_QUERY_EVENTS,            /* by number; rows: `event` */
    ASSAY_QUERY_STAT,              /* no rows: `stat` */
};

/* What the store says of itself. */
struct assay_store_stat {
    uint8_t log[16]; /* identity */
    uint64_t seq;    /* last number */
    uint64_t tokens; /* records in the token trees, expired and revoked ones included */
    uint64_t clients;
    uint64_t grants;
    uint64_t cutoffs;
    uint64_t events;
    uint64_t bytes_used;     /* pages in use */
    uint64_t bytes_file;     /* of the data file */
    uint64_t bytes_resident; /* of it in memory, as the system tells, of a large file estimated */
    uint64_t bytes_max;      /* max_size */
    int64_t horizon_s;
    const char *reasons[8]; /* words for /readyz, constant text */
    size_t reason_count;
    bool blocking; /* one of them means: do not send requests here */
};

struct assay_query {
    /* in */
    enum assay_query_verb verb;
    struct assay_slice subject;      /* GRANTS_OF_SUBJECT */
    struct assay_slice after_client; /* CLIENTS: rows behind this id; empty: from the start */
    uint64_t after;                  /* GRANTS*, EVENTS: rows behind this number */
    bool want_resident;              /* STAT: find out how much of the file is in memory */
    size_t limit;                    /* rows, at most ASSAY_MAX_LIST_ROWS */
    /* Called for each row; what it points to ends with the call. Returns false to stop. */
    bool (*row)(struct assay_query *query);
    void *context; /* the asker's own */

    /* out, during row() */
    struct assay_client_record client;
    struct assay_grant_record grant;
    bool grant_cut; /* the grant is cut off: itself, its subject, client, or everything */
    struct assay_event event;

    /* out, at the end */
    bool more;       /* rows remain behind the last one */
    uint64_t as_of;  /* last number in the snapshot */
    uint8_t log[16]; /* identity of the store: numbers of another one mean nothing here */
    bool behind;     /* EVENTS: the log no longer holds, or never held, all that came after `after`:
                        whoever asked starts anew */
    struct assay_store_stat stat;
};

#endif
