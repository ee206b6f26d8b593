/* Client authentication by secret (RFC 6749 section 2.3.1, RFC 7617). No I/O: the host of the
 * exchange looks the client up; here the credentials are read and held against its record. */
#ifndef ASSAY_OAUTH_CLIENT_AUTH_H
#define ASSAY_OAUTH_CLIENT_AUTH_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"
#include "crypto/digest.h"
#include "http/form.h"
#include "http/message.h"
#include "record/client_record.h"

#include <stdbool.h>
#include <stdint.h>

/* The credentials of one request. Slices borrow from the arena or the request. */
struct assay_credentials {
    enum assay_auth_method method; /* NONE: at most a client_id */
    struct assay_slice client_id;  /* decoded; empty: none at all */
    struct assay_slice secret;     /* decoded as forms are; secret */
    struct assay_slice secret_raw; /* Basic: as it stood before form-decoding, when that differs */
    struct assay_slice client_id_raw;        /* likewise */
    bool hashed;                             /* `secret_sha256` is set */
    uint8_t secret_sha256[ASSAY_SHA256_LEN]; /* of `secret` */
};

enum assay_credentials_result {
    ASSAY_CREDENTIALS_OK = 0,
    ASSAY_CREDENTIALS_NONE,      /* no credentials and no client_id: 401 invalid_client */
    ASSAY_CREDENTIALS_MALFORMED, /* Basic that cannot be read, over a limit: 401 invalid_client */
    ASSAY_CREDENTIALS_TWO,       /* two methods at once: 400 invalid_request */
    ASSAY_CREDENTIALS_CONFLICT, /* client_id in the body names another client: 401 invalid_client */
};

/* Does the body of `form` name a client, a secret or an assertion? */
bool assay_credentials_in_body(const struct assay_form *form);

/* Reads the credentials of `request`, whose body is `form`. Fails with ASSAY_ERR_LIMIT when the
 * arena is spent. */
ASSAY_MUST_USE enum assay_status
assay_credentials_read(const struct assay_request *request, const struct assay_form *form,
                       struct assay_arena *arena, struct assay_credentials *ret,
                       enum assay_credentials_result *ret_result, struct assay_error *reterr);

enum assay_auth_result {
    ASSAY_AUTH_OK = 0,
    ASSAY_AUTH_FAILED,
    ASSAY_AUTH_NEEDS_SCRYPT, /* `*ret_secret` is a scrypt secret to be held against */
};

/* Holds `credentials` against `record` (NULL: no such client, for which the same work is done) at
 * `now_s`: the registered method, not disabled, one of the live secrets. `*ret_secret` is the index
 * of a scrypt secret when the result is NEEDS_SCRYPT. Sets credentials->secret_sha256 unless it is
 * set. Fails with ASSAY_ERR_CRYPTO. */
ASSAY_MUST_USE enum assay_status
assay_credentials_check(struct assay_credentials *credentials,
                        const struct assay_client_record *record, int64_t now_s,
                        struct assay_digester *digester, enum assay_auth_result *ret_result,
                        size_t *ret_secret, struct assay_error *reterr);

#endif
