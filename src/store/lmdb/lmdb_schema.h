/* The databases of the embedded engine. Numbers written as bytes are big-endian, ‖ joins.
 *
 *   (unnamed)      "header" -> header_record
 *   tNN            number -> token_record; one tree for each lifetime class, always appended
 *   cutoff         kind ‖ id -> cutoff
 *   client         client_id -> client_record
 *   audience       first 16 bytes of SHA-256 of an audience ‖ client_id of its server -> nothing
 *   key            generation (1 byte) -> key_record
 *   grant          number -> grant_record
 *   grant_subject  length of subject (1) ‖ subject ‖ number (8) -> nothing
 *   event          number -> event
 *   once           SHA-256 of a one-time id -> once_record
 *   ends           kind (1) ‖ until (8) ‖ number (8) -> end_record
 *
 * The header record lies in the unnamed database, where LMDB keeps the roots of the named ones:
 * what every snapshot reads is on the pages it must touch anyway. */
#ifndef ASSAY_STORE_LMDB_LMDB_SCHEMA_H
#define ASSAY_STORE_LMDB_LMDB_SCHEMA_H

#include "record/end_record.h"
#include "record/header_record.h"
#include "record/once_record.h"
#include "record/token_id.h"

#include <lmdb.h>

/* The databases that are not token trees. */
enum lmdb_db {
    LMDB_DB_CUTOFF = 0,
    LMDB_DB_CLIENT,
    LMDB_DB_KEY,
    LMDB_DB_GRANT,
    LMDB_DB_GRANT_SUBJECT,
    LMDB_DB_EVENT,
    LMDB_DB_ONCE,
    LMDB_DB_ENDS,
    LMDB_DB_AUDIENCE,
};
#define LMDB_DBS 9
#define LMDB_AUDIENCE_PREFIX 16 /* bytes of a key that stand for the audience */
#define LMDB_MAX_KEY 511        /* bytes: LMDB's own bound, which every key of ours keeps */
_Static_assert(ASSAY_CUTOFF_KEY_SIZE <= LMDB_MAX_KEY, "a cutoff's key fits");
_Static_assert(1 + ASSAY_MAX_SUBJECT + 8 <= LMDB_MAX_KEY, "a subject's key fits");

struct lmdb_dbis {
    MDB_dbi header; /* the unnamed one */
    MDB_dbi db[LMDB_DBS];
    MDB_dbi tokens[ASSAY_LIFETIME_CLASSES];
};

#endif
