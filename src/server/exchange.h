/* One request at the authorization server, from the message to the reply, without I/O: it says what
 * it needs, the host fetches it, it is run again. Endpoints are in introspect.c, revoke.c, issue.c,
 * metadata.c, metrics.c; admin/admin.c plugs into the same steps. */
#ifndef ASSAY_SERVER_EXCHANGE_H
#define ASSAY_SERVER_EXCHANGE_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/log.h"
#include "base/status.h"
#include "crypto/digest.h"
#include "crypto/kdf.h"
#include "http/message.h"
#include "record/change.h"
#include "record/lookup.h"
#include "record/query.h"

#include <stdbool.h>
#include <stdint.h>

struct assay_metrics;
struct assay_attempts;
struct assay_remembered;
struct assay_recent;

/* What the server is, the same for all requests of a worker. The host owns it. */
struct assay_server {
    struct assay_slice issuer;       /* URL, without trailing slash unless configured so */
    struct assay_slice token_prefix; /* of token texts: "assay" */
    int64_t access_lifetime_s;       /* default of clients */
    int64_t refresh_lifetime_s;
    int64_t refresh_window_s;            /* safe retry; 0: none */
    bool revoke_access_ends_grant;       /* C-2: revoking an access token also ends its grant */
    bool allow_cleartext;                /* the operator said so in so many words */
    bool open_metrics;                   /* likewise: /metrics not only for this machine */
    struct assay_digester *digester;     /* of this thread */
    struct assay_metrics *metrics;       /* per host: shared memory */
    struct assay_attempts *attempts;     /* per host: shared memory; failed authentications */
    struct assay_remembered *remembered; /* per host: shared memory; verified scrypt secrets */
    struct assay_recent *recent;         /* of this worker; NULL: none */
    struct assay_log *log;
};

enum assay_endpoint {
    ASSAY_ENDPOINT_NONE = 0,
    ASSAY_ENDPOINT_INTROSPECT,
    ASSAY_ENDPOINT_REVOKE,
    ASSAY_ENDPOINT_TOKEN,
    ASSAY_ENDPOINT_METADATA,
    ASSAY_ENDPOINT_HEALTHZ,
    ASSAY_ENDPOINT_READYZ,
    ASSAY_ENDPOINT_METRICS,
    ASSAY_ENDPOINT_ADMIN, /* any path under /admin/ */
};
#define ASSAY_ENDPOINTS 9

enum assay_step {
    ASSAY_STEP_LOOKUP, /* answer ex->lookup in one snapshot, run again INSIDE done() */
    ASSAY_STEP_CHANGE, /* carry ex->change out, run again */
    ASSAY_STEP_QUERY,  /* answer ex->query (its row() is set), run again when it is done */
    ASSAY_STEP_SCRYPT, /* off the loop: assay_scrypt(ex->kdf_secret, ex->kdf_salt, ex->kdf_out), set
                          ex->kdf_failed if it fails, run again */
    ASSAY_STEP_REPLY,  /* ex->reply is ready; the exchange is over */
};

/* One request. The host zeroes it (up to `query`), fills what is marked in, and keeps it (and the
 * arena) until ASSAY_STEP_REPLY. If a change may outlive the request, the exchange must as well. */
struct assay_exchange {
    /* in, at start */
    struct assay_server *server;
    struct assay_arena *arena;
    struct assay_request request;
    bool trusted; /* no authentication: the command on a local store. Only /admin honours it */

    /* in, after a step the store could not do: its status, else ASSAY_OK */
    enum assay_status store_status;

    /* what a step is about */
    struct assay_lookup lookup;
    struct assay_change *change; /* from the arena */
    struct assay_slice kdf_secret;
    uint8_t kdf_salt[ASSAY_SCRYPT_SALT_LEN];
    uint8_t kdf_out[ASSAY_SCRYPT_LEN];
    bool kdf_failed;

    /* in, where the host knows it already (assay_endpoint_of); else out */
    enum assay_endpoint endpoint;

    /* out */
    struct assay_reply reply;
    unsigned caller_role;         /* enum assay_caller_role (server/metrics.h) */
    bool inactive;                /* introspection answered {"active":false} */
    struct assay_slice client_id; /* who authenticated; empty: nobody. For the host's log */

    /* out, for the host's log: credentials that were refused. Bytes of the client's choosing */
    const char *refused;                /* constant text, why; NULL: none were */
    struct assay_slice refused_id;      /* whose they claimed to be; empty: not said */
    struct assay_slice refused_body_id; /* whom the body named instead; empty: nobody */

    /* private to the endpoints */
    int progress;
    void *state;

    /* What ASSAY_STEP_QUERY is about. Last, large and rarely used: set whole by who asks, so that
     * the host need not zero it. */
    struct assay_query query;
};

/* What stands in `path` behind the path of the issuer; all of `path` when that is not before it, as
 * behind a proxy that takes it off. */
struct assay_slice assay_path_below_issuer(const struct assay_server *server,
                                           struct assay_slice path);

/* The endpoint of `path` (exact; the metadata path follows from the issuer, RFC 8414 section 3.1).
 */
enum assay_endpoint assay_endpoint_of(const struct assay_server *server, struct assay_slice path);

/* Carries `ex` as far as it goes without I/O; `*ret_step` says what the host owes it next. Handles
 * every endpoint but ASSAY_ENDPOINT_ADMIN (see assay_admin_run). `now_s` is seconds since the
 * epoch.
 *
 * Never fails a request silently: what cannot be answered gets a reply with its status (400, 401,
 * 405, 413, 415, 429, 503, ...; RFC 6749 section 5.2 form). Fails with ASSAY_ERR_LIMIT when the
 * arena is spent, ASSAY_ERR_CRYPTO when OpenSSL fails: the host then answers 500 by
 * assay_exchange_fail. */
ASSAY_MUST_USE enum assay_status assay_exchange_run(struct assay_exchange *ex, int64_t now_s,
                                                    enum assay_step *ret_step,
                                                    struct assay_error *reterr);

/* Makes ex->reply a 500 or 503 of constant text without using the arena. */
void assay_exchange_fail(struct assay_exchange *ex, unsigned http_status);

/* Counts the finished exchange: endpoint, outcome, time. `took_us` is microseconds from the end of
 * the request to the reply. */
void assay_exchange_count(const struct assay_exchange *ex, uint64_t took_us);

#endif
