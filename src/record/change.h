/* What the store is asked to change, as plain data: the verbs of the domain. The store carries each
 * out wholly or not at all, and re-reads inside its transaction everything a change depends on;
 * what the asker read before was only a reason not to ask. */
#ifndef ASSAY_RECORD_CHANGE_H
#define ASSAY_RECORD_CHANGE_H

#include "base/slice.h"
#include "record/client_record.h"
#include "record/cutoff.h"
#include "record/token_record.h"
#include "record/token_text.h"

#include <stdbool.h>
#include <stdint.h>

enum assay_change_verb {
    ASSAY_CHANGE_ISSUE,         /* new tokens for a client */
    ASSAY_CHANGE_ROTATE,        /* a refresh token for its successor and a fresh access token */
    ASSAY_CHANGE_CUT,           /* end tokens */
    ASSAY_CHANGE_CLIENT_ADD,    /* ASSAY_REFUSED_EXISTS when the id is taken */
    ASSAY_CHANGE_CLIENT_UPDATE, /* replaces the record; ASSAY_REFUSED_STALE unless `version` is
                                   current */
    ASSAY_CHANGE_CLIENT_REMOVE, /* and cuts its tokens off */
    ASSAY_CHANGE_SEAL_ROTATE,   /* a new sealing key becomes the newest; the fifth oldest goes */
    ASSAY_CHANGE_CONSUME_ONCE,  /* remembers a one-time id; ASSAY_REFUSED_EXISTS the second time */
    ASSAY_CHANGE_SWEEP,         /* removes a bounded batch of what has expired */
};

/* How it went, when the store could carry it out (status ASSAY_OK). */
enum assay_change_outcome {
    ASSAY_DONE = 0,
    ASSAY_DONE_NOTHING,   /* it was so already; nothing was written */
    ASSAY_REFUSED_CLIENT, /* the client is gone, disabled, or not allowed the grant */
    ASSAY_REFUSED_PARENT, /* the refresh token, its grant, session, subject or client is dead; for
                             an issue: the session it names */
    ASSAY_REFUSED_SCOPE,  /* the audiences understand nothing of the scope */
    ASSAY_REFUSED_REUSE,  /* a rotated refresh token came back: its grant has been cut off */
    ASSAY_REFUSED_EXISTS,
    ASSAY_REFUSED_ABSENT,
    ASSAY_REFUSED_STALE,
};

/* A token to be made. `record` gives every field but id, generation, text_sha256 and rotation,
 * which the store sets with the number it gives the token. The secret comes from the asker; text
 * comes back. */
struct assay_token_draft {
    struct assay_token_record record;       /* in; slices live until done() */
    uint8_t secret[ASSAY_TOKEN_SECRET_LEN]; /* in: random */
    uint8_t text[ASSAY_MAX_TOKEN_TEXT];     /* out; secret */
    size_t text_len;                        /* out, bytes */
    struct assay_address address;           /* out */
};

/* `client_id` is the client's; `require_grant` bits must all be among its grants (0 for issues by
 * an administrator). `seen_at` is the last number of the snapshot in which the client was seen to
 * be who it says: a cutoff of the client, or of everything, that came after is ASSAY_REFUSED_CLIENT
 * (0 for issues by an administrator, who needs no such sight). A session that has been cut off is
 * ASSAY_REFUSED_PARENT. The scope of the access token, not of the refresh token, is narrowed to
 * what the resource servers of its audiences understand as they are registered now
 * (record/narrowing.h), and access.record.scope then lies in the change; ASSAY_REFUSED_SCOPE when
 * nothing of it remains. With a refresh token, `refresh.record.grant` and `access.record.grant` are
 * set by the store to a new grant. */
struct assay_change_issue {
    struct assay_slice client_id;
    uint64_t seen_at;
    uint32_t require_grant;
    bool with_refresh;
    struct assay_token_draft access;
    struct assay_token_draft refresh;
};

/* `text` is the refresh token as presented, `address` what it says. Refused with
 * ASSAY_REFUSED_PARENT when it is not a live refresh token of `client_id`; with ASSAY_REFUSED_REUSE
 * when it was rotated before, be it expired meanwhile, and this is no safe retry (window over,
 * successor used, clock earlier than the rotation, or another client); a live one presented by
 * another client is ASSAY_REFUSED_PARENT and changes nothing.
 *
 * `access.record` is filled by the asker from the snapshot it saw; the store copies nothing from
 * the parent but checks it. Its scope is narrowed as in an issue; when nothing of it remains,
 * ASSAY_REFUSED_SCOPE, and nothing is rotated. `refresh.record` likewise, but for that; its secret
 * is derived (assay_successor_secret), so `refresh.secret` is ignored. In a safe retry refresh.text
 * is the successor made before. */
struct assay_change_rotate {
    struct assay_slice client_id;
    struct assay_slice text; /* secret */
    struct assay_address address;
    int64_t window_s;             /* of safe retry; 0: none */
    uint8_t salt[ASSAY_SALT_LEN]; /* in: random */
    bool retried;                 /* out: this was a safe retry */
    struct assay_token_draft access;
    struct assay_token_draft refresh;
};

/* For ASSAY_CUTOFF_TOKEN, `token_expires_at_s` bounds how long the cutoff is kept.
 * ASSAY_DONE_NOTHING when a token or grant or session is cut off already: nothing can be made of it
 * any more. A subject, a client, everything can: a second cutoff ends what was issued since, also
 * what leaves no trace in the store (a JWT), and so is always written. `check_client`: refuse
 * with ASSAY_REFUSED_ABSENT unless the client exists (kind CLIENT by an administrator). */
struct assay_change_cut {
    enum assay_cutoff_kind kind;
    struct assay_slice id;
    int64_t token_expires_at_s;
    bool check_client;
    uint64_t seq; /* out: number of the cutoff */
};

/* `record.version` names the version being replaced (update, remove). `cut`: also end every token
 * of the client, in the same transaction; so it is done, whatever `cut` says, when the client is
 * removed, and when it was enabled and is disabled, for it may be enabled again. */
struct assay_change_client {
    struct assay_client_record record; /* in; remove: client_id and version only (version 0: any) */
    bool cut;
    uint64_t version; /* out: of the record that is stored now (add, update) */
};

struct assay_change_seal {
    uint8_t key[ASSAY_SEAL_KEY_LEN]; /* in: random; secret */
};

struct assay_change_once {
    uint8_t id_sha256[ASSAY_SHA256_LEN];
    int64_t keep_until_s;
};

/* Which run of the steady clock a reading is of: the machine's boot. */
#define ASSAY_STEADY_ID_LEN 16

/* Beside the wall clock (`now_s`) goes a reading of one that nobody sets: by the two together a
 * step of the wall clock shows, also one that was made while no process looked. */
struct assay_change_sweep {
    int64_t steady_s; /* in: seconds of a clock that runs on, whatever the wall clock does */
    uint8_t steady_id[ASSAY_STEADY_ID_LEN]; /* in */
    size_t removed;                         /* out, count of entries of any kind */
    bool more;                              /* out: there is more to remove now */
};

/* One change. The asker owns it and keeps it, and all it borrows, until the store has answered. */
struct assay_change {
    enum assay_change_verb verb;
    int64_t now_s; /* wall clock, seconds since the epoch */
    enum assay_change_origin origin;
    struct assay_slice prefix;           /* of token texts: issue and rotate */
    enum assay_change_outcome outcome;   /* out */
    uint8_t scope_room[ASSAY_MAX_SCOPE]; /* the store's: of a narrowed scope */
    union {
        struct assay_change_issue issue;
        struct assay_change_rotate rotate;
        struct assay_change_cut cut;
        struct assay_change_client client;
        struct assay_change_seal seal;
        struct assay_change_once once;
        struct assay_change_sweep sweep;
    } u;
};

/* Wipes the secrets a change holds (draft secrets and texts, salt, key). */
void assay_change_wipe(struct assay_change *change);

/* Sets `*ret` to what revoking `token` cuts off: a refresh token ends with its whole grant, current
 * successor and access tokens included; an access token alone, unless `access_ends_grant`. The id
 * is written into `room`. */
void assay_change_cut_token(const struct assay_token_record *token, bool access_ends_grant,
                            uint8_t room[8], struct assay_change_cut *ret);

#endif
