/* What a workload was told, kept outside the store: each thing it was given or that it ended, the
 * mark at which it had the answer, and the number the store gave it. What an image of the store
 * must hold follows from this and from the last number in the image's header alone. */
#ifndef ASSAY_TEST_CRASH_LEDGER_H
#define ASSAY_TEST_CRASH_LEDGER_H

#include "record/change.h"
#include "record/cutoff.h"
#include "record/header_record.h"
#include "record/token_text.h"

#include <stdbool.h>
#include <stdint.h>

#define LEDGER_CLIENTS 4
#define LEDGER_SUBJECTS 8
#define LEDGER_SESSIONS 4
#define LEDGER_MAX_TOKENS 8192
#define LEDGER_MAX_CUTOFFS 4096
#define LEDGER_MAX_CHANGES 512
#define LEDGER_MAX_ID 16

struct ledger_token {
    uint32_t ack;
    uint8_t kind;       /* enum assay_token_kind */
    uint8_t generation; /* of the sealing key */
    uint8_t client;
    uint8_t subject; /* LEDGER_SUBJECTS: none */
    uint8_t session; /* LEDGER_SESSIONS: none */
    struct assay_token_id id;
    uint64_t grant;
    uint64_t successor; /* number of the refresh token that took its place, or 0 */
    uint64_t cut_at;    /* number of the first cutoff that ended it, or UINT64_MAX */
    int64_t issued_at_s;
    int64_t expires_at_s;
    int64_t rotated_at_s;
    struct assay_address address;
    uint8_t text[ASSAY_MAX_TOKEN_TEXT];
    uint8_t text_len;
};

struct ledger_cutoff {
    uint32_t ack;
    uint8_t kind; /* enum assay_cutoff_kind */
    uint8_t id[LEDGER_MAX_ID];
    uint8_t id_len;
    uint64_t seq;
    int64_t made_at_s;
};

/* A client as of a number; the newest at or below a snapshot's number counts. Whoever is disabled
 * or removed is cut off in the same change. */
struct ledger_client {
    uint32_t ack;
    uint8_t client;
    bool present;
    bool disabled;
    uint64_t seq;
};

struct ledger_once {
    uint32_t ack;
    uint8_t id_sha256[ASSAY_SHA256_LEN];
    int64_t keep_until_s;
};

/* A moment: with the answer `ack` the clock read now_s, the horizon was moved to `horizon_s` and
 * there were so many sealing keys. */
struct ledger_step {
    uint32_t ack;
    int64_t horizon_s;
    uint32_t seal_rotations;
};

/* A copy of the store, whole from its answer on: file backup-<number>. */
struct ledger_copy {
    uint32_t ack;
    uint32_t holds; /* the last answer before it was begun: the copy holds at least that */
};

struct ledger {
    uint32_t acks;    /* marks made */
    uint32_t created; /* the mark of the store's creation */
    uint32_t token_count;
    uint32_t cutoff_count;
    uint32_t client_count;
    uint32_t once_count;
    uint32_t step_count;
    uint32_t copy_count;
    uint32_t restored; /* the mark of a restore of backup-1, or 0 */
    uint8_t log_id[16];
    int64_t start_s; /* clock at the start and at the end */
    int64_t now_s;
    struct ledger_token tokens[LEDGER_MAX_TOKENS];
    struct ledger_cutoff cutoffs[LEDGER_MAX_CUTOFFS];
    struct ledger_client clients[LEDGER_MAX_CHANGES];
    struct ledger_once onces[LEDGER_MAX_CHANGES];
    struct ledger_step steps[LEDGER_MAX_CHANGES];
    struct ledger_copy copies[LEDGER_MAX_CHANGES];
};

/* LEDGER_CLIENTS: one that comes and goes, and that no token is of. */
struct assay_slice ledger_client_id(unsigned client);
struct assay_slice ledger_subject_id(unsigned subject);
struct assay_slice ledger_session_id(unsigned session);

/* Works out `cut_at` of every token, when all cutoffs are known. */
void ledger_settle(struct ledger *ledger);

/* The number of the first change that ended it, cutoff or rotation; UINT64_MAX: none. */
uint64_t ledger_ended_at(const struct ledger_token *token);

/* What is known of a client in the state with last number `seq`; NULL: nothing yet. */
const struct ledger_client *ledger_client_at(const struct ledger *ledger, unsigned client,
                                             uint64_t seq);

/* What becomes of a token in a state of the store: its last number, newest sealing key, horizon. */
enum ledger_fate {
    LEDGER_LIVES,
    LEDGER_ENDED,
    LEDGER_EXPIRED,
    LEDGER_UNKNOWN, /* not yet made, or its sealing key is gone */
};
enum ledger_fate ledger_fate_of(const struct ledger_token *token,
                                const struct assay_header_record *header, int64_t now_s);

/* The smallest last number a store may have that holds all that was answered up to `ack`. */
uint64_t ledger_seq_at(const struct ledger *ledger, uint32_t ack);

/* To and from a file; they end the process when that fails. */
void ledger_save(const struct ledger *ledger, const char *path);
struct ledger *ledger_load(const char *path);

/* Random numbers of a seed (xorshift64*): the same ones everywhere. */
struct dice {
    uint64_t state;
};
struct dice dice_of(uint64_t seed, uint64_t what);
uint64_t dice_next(struct dice *dice);
uint64_t dice_below(struct dice *dice, uint64_t bound);

#endif
