/* The databases of the embedded engine. Numbers written as bytes are big-endian, ‖ joins.
 *
 *   (unnamed)      "header" -> header_record
 *   tNN            number -> token_record; one tree for each lifetime class, always appended
 *   cutoff         kind ‖ id -> cutoff
 *   client         client_id -> client_record
 *   key            generation (1 byte) -> key_record
 *   grant          number -> grant_record
 *   grant_subject  length of subject (1) ‖ subject ‖ number (8) -> nothing
 *   event          number -> event
 *   once           SHA-256 of a one-time id -> nothing
 *   ends           until (8) ‖ number (8) -> what to look at then (enum lmdb_end)
 *
 * The header record lies in the unnamed database, where LMDB keeps the roots of the named ones:
 * what every snapshot reads is on the pages it must touch anyway. */
#ifndef ASSAY_STORE_LMDB_LMDB_SCHEMA_H
#define ASSAY_STORE_LMDB_LMDB_SCHEMA_H

#include "record/header_record.h"
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
};
#define LMDB_DBS 8

struct lmdb_dbis {
    MDB_dbi header; /* the unnamed one */
    MDB_dbi db[LMDB_DBS];
    MDB_dbi tokens[ASSAY_LIFETIME_CLASSES];
};

/* What an entry of `ends` asks to look at. */
enum lmdb_end {
    LMDB_END_CUTOFF = 'c', /* then: the cutoff's key */
    LMDB_END_GRANT = 'g',  /* then: grant number, 8 bytes big-endian */
    LMDB_END_SALT = 's',   /* then: class (1 byte) and number (8) of a rotated refresh token */
    LMDB_END_ONCE = 'o',   /* then: the one-time id */
};
#define LMDB_END_KEY_LEN 16
#define LMDB_END_VALUE_SIZE (1 + ASSAY_CUTOFF_KEY_SIZE)

#endif
