/* Who asks: client authentication as the endpoints and /admin share it. The exchange's look-up
 * brings the caller's record; here it is held against the credentials, failures are limited, and
 * scrypt is asked for where it must be. */
#ifndef ASSAY_SERVER_CALLER_H
#define ASSAY_SERVER_CALLER_H

#include "oauth/client_auth.h"
#include "oauth/error.h"
#include "server/exchange.h"

/* One authentication. Lives in the exchange's arena. */
struct assay_caller {
    struct assay_credentials credentials;
    const struct assay_form *form; /* NULL: Basic alone */
    bool recent; /* `credentials` are as remembered (server/recent.h): not decoded until they must
                    be */
    struct assay_slice header; /* then: what they were remembered for */
    bool header_hashed;
    uint8_t header_sha256[ASSAY_SHA256_LEN];

    size_t candidate; /* which secret and spelling scrypt was asked for */
    bool scrypt_asked;
    bool scrypt_matched;
    uint8_t matched_hash[ASSAY_SCRYPT_LEN]; /* the stored hash that it matched */
};

/* How an authentication goes on. */
enum assay_caller_verdict {
    ASSAY_CALLER_KNOWN,   /* it is the client ex->lookup.caller */
    ASSAY_CALLER_REFUSED, /* ex->reply is set */
    ASSAY_CALLER_SCRYPT,  /* ex->kdf_* is set: do that step, then look up and judge again */
};

/* Reads the credentials (`form` may be NULL: Basic alone) and sets ex->lookup.caller_id. KNOWN here
 * means: go and look up. Fails as assay_credentials_read does. */
ASSAY_MUST_USE enum assay_status assay_caller_start(struct assay_exchange *ex,
                                                    const struct assay_form *form,
                                                    struct assay_caller *caller,
                                                    enum assay_caller_verdict *ret,
                                                    struct assay_error *reterr);

/* Judges them by ex->lookup.caller, inside the look-up's done(). Fails with ASSAY_ERR_CRYPTO. */
ASSAY_MUST_USE enum assay_status assay_caller_judge(struct assay_exchange *ex,
                                                    struct assay_caller *caller, int64_t now_s,
                                                    enum assay_caller_verdict *ret,
                                                    struct assay_error *reterr);

/* The credentials are good but not enough (a public client where none may be): counts and refuses
 * as a wrong secret would be. */
void assay_caller_refuse(struct assay_exchange *ex, struct assay_caller *caller, int64_t now_s);

#endif
