/* The decision about one request: let it through, refuse it, or ask the authorization server first.
 * No I/O: who holds it asks, and runs it again. The guard of a location and the judge endpoint are
 * this one path. */
#ifndef ASSAY_GUARD_DECIDE_H
#define ASSAY_GUARD_DECIDE_H

#include "guard/cache.h"
#include "guard/local.h"
#include "guard/provider.h"
#include "guard/rule.h"
#include "http/bearer.h"
#include "http/challenge.h"

#include <stdbool.h>
#include <stdint.h>

/* Is a signed token, once it was judged here, asked about as well? */
enum assay_introspect_jwt {
    ASSAY_INTROSPECT_NEVER = 0,
    ASSAY_INTROSPECT_WHEN_DOUBTFUL, /* where it cannot be judged here, for want of keys */
    ASSAY_INTROSPECT_ALWAYS,
};

/* What holds at a location; made when the configuration is read, and the same object wherever the
 * same holds. */
struct assay_policy {
    const struct assay_provider *provider;
    uint8_t scope[ASSAY_TOLD_BY_KINDS][ASSAY_SHA256_LEN]; /* assay_provider_scope */
    const struct assay_claims *claims;
    struct assay_rules rules;
    struct assay_bearer_sources sources;
    struct assay_slice realm;
    bool optional;        /* who brings no token passes, without identity */
    bool allow_preflight; /* the host lets those of CORS pass: one more thing that tells policies
                           * apart */
    int64_t max_age_ms;   /* of the provider, or less; 0: asks every time */
    enum assay_introspect_jwt introspect_jwt;
    bool own_max_age; /* the location says so itself: then no older answer will do, ever */
};

enum assay_decide_step {
    ASSAY_DECIDE_DONE,  /* `reason` tells */
    ASSAY_DECIDE_ASK,   /* ask about op->token, then assay_decide_told or assay_decide_trouble */
    ASSAY_DECIDE_JUDGE, /* call assay_decide_judge, with the issuer's keys */
    ASSAY_DECIDE_KEYS,  /* have the keys fetched, then call that again */
};

/* Where an answer came from. */
enum assay_decide_source {
    ASSAY_SOURCE_NONE = 0, /* none was wanted */
    ASSAY_SOURCE_HIT,
    ASSAY_SOURCE_MISS,   /* asked for this request */
    ASSAY_SOURCE_SHARED, /* asked for another one that came at about the same time */
    ASSAY_SOURCE_STALE,  /* the server cannot be asked */
    ASSAY_SOURCE_LOCAL,  /* judged here, by the issuer's keys */
};

/* The name in capitals, as $assay_cache_status has it. Constant text. */
struct assay_slice assay_source_name(enum assay_decide_source source);

/* One request. The caller owns it; it borrows from the request while it is decided, and keeps
 * nothing of the token afterwards but the code that `key` is. One `room` may do for many: what
 * `kept` borrows from it is copied when a step is over. */
struct assay_decide {
    const struct assay_policy *policy;
    struct assay_cache *cache; /* NULL: none */
    int64_t entered_us;        /* CLOCK_BOOTTIME in microseconds, read when the request came in */
    struct assay_slice certificate; /* in: thumbprint of the client's; empty: it showed none */
    struct assay_slice token;       /* out: what to ask about */
    uint8_t key[ASSAY_TOKEN_KEY_LEN];
    enum assay_told_by told_by; /* what `key` is about */
    uint64_t keys_version;      /* in: of the issuer's keys: a judgement by others is none */

    enum assay_reason reason; /* out */
    enum assay_decide_source source;
    enum assay_jose_fault fault; /* of a signed token; for a log */
    const struct assay_rule *failed;
    bool has_token;
    bool known;                /* `kept` is what the decision rests on */
    struct assay_kept kept;    /* borrows from `room` or from the answer */
    struct assay_cached *room; /* in: what an answer of the cache is read to */
};

/* Finds the token of `request` and what is known of it, and decides if that is enough. `now_s` is
 * the wall clock, read for this request. */
enum assay_decide_step assay_decide_begin(struct assay_decide *op,
                                          const struct assay_bearer_request *request,
                                          struct assay_arena *arena, struct assay_pmac *pmac,
                                          int64_t now_s);

/* What the host knows of the issuer's keys. */
struct assay_decide_keys {
    const struct assay_jwks *known; /* NULL: none */
    uint64_t version;               /* of these */
    bool may_fetch;  /* they have not been fetched since the request came in, and may be now */
    bool fetched;    /* they have been: what is not among them does not exist */
    bool in_trouble; /* the last time it was in vain */
};

/* What whoever decides lends. `values` is where what a token says is written to: copy it when a
 * step is over. */
struct assay_decide_host {
    struct assay_digester *digester;
    struct assay_pmac *pmac;
    const struct assay_process *me;
    struct assay_buf *values;
};

/* Judges the signed token op->token. JUDGE is never returned; KEYS only if they may be fetched. */
enum assay_decide_step assay_decide_judge(struct assay_decide *op,
                                          const struct assay_decide_keys *keys,
                                          const struct assay_decide_host *host, int64_t now_s);

/* May the answer to a question that was sent at `asked_us` be used for `op`? One that was sent
 * before it came may, as far as the location allows answers to be old. */
bool assay_decide_accepts(const struct assay_decide *op, bool active, int64_t asked_us);

/* Decides by `kept`, which must live as long as `op`. */
void assay_decide_told(struct assay_decide *op, const struct assay_kept *kept,
                       enum assay_decide_source source, int64_t now_s);

/* Looks in the cache again, for an answer that another worker has got meanwhile. */
enum assay_decide_step assay_decide_again(struct assay_decide *op, int64_t now_s);

/* No answer could be had, `why`: decides by one that is older, if the provider's staleness allows
 * that, else refuses. */
void assay_decide_trouble(struct assay_decide *op, enum assay_reason why, int64_t now_s);

/* --- what a refusal says --- */

/* The HTTP status for op->reason: 401, 403, 400 or 503. */
unsigned assay_decide_status(const struct assay_decide *op);

/* Appends the WWW-Authenticate value that goes with it; nothing for 503. */
void assay_decide_challenge(const struct assay_decide *op, struct assay_buf *out);

/* --- answers that come --- */

/* Makes of what was told, asked at `asked_us` (CLOCK_BOOTTIME, microseconds), what the cache keeps.
 * `server_now_s` is the server's clock in that answer, or ours where it did not say. False when it
 * does not fit. */
bool assay_decide_keep(const struct assay_told *told, int64_t asked_us, int64_t server_now_s,
                       struct assay_cached *ret);

#endif
