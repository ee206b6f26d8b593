/* One authorization server as the guard sees it: where to ask, with what credentials, and what its
 * answers mean (RFC 7662). */
#ifndef ASSAY_GUARD_PROVIDER_H
#define ASSAY_GUARD_PROVIDER_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"
#include "base/status.h"
#include "crypto/pmac.h"
#include "crypto/digest.h"
#include "guard/kept.h"
#include "guard/rule.h"
#include "oauth/freshness.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the guard authenticates itself at the introspection endpoint. */
enum assay_guard_auth {
    ASSAY_GUARD_AUTH_BASIC = 0, /* client_secret_basic */
    ASSAY_GUARD_AUTH_POST,      /* client_secret_post */
    ASSAY_GUARD_AUTH_BEARER,    /* an access token of the guard's own */
    ASSAY_GUARD_AUTH_KEY,       /* private_key_jwt: an assertion for each question */
    ASSAY_GUARD_AUTH_TLS,       /* tls_client_auth, self_signed_tls_client_auth (RFC 8705) */
};

/* Which tokens are judged here, by the issuer's keys, and which are asked about. */
enum assay_guard_mode {
    ASSAY_GUARD_MODE_OPAQUE = 0, /* all are asked about */
    ASSAY_GUARD_MODE_JWT,        /* signed tokens are judged here; there are no others */
    ASSAY_GUARD_MODE_AUTO,       /* signed tokens are judged here, others asked about */
};

struct assay_parameter {
    struct assay_slice name;
    struct assay_slice value;
};

/* As configured; borrows from the configuration. */
struct assay_provider {
    struct assay_slice name;   /* in this configuration */
    struct assay_slice issuer; /* empty: not known, and `iss` is not compared */
    struct assay_slice endpoints[ASSAY_MAX_ENDPOINTS]; /* of introspection; tried in turn */
    size_t endpoint_count;                             /* 0: discovered from the issuer */
    enum assay_guard_auth auth;
    struct assay_slice client_id;
    struct assay_slice secret;          /* or the access token, or the private key, as a JWK */
    bool may_ask;                       /* it has credentials: else nobody is asked */
    struct assay_slice token_parameter; /* "token" */
    const struct assay_parameter *parameters; /* sent besides */
    size_t parameter_count;
    enum assay_guard_mode mode;
    struct assay_slice jwks_uri; /* empty: discovered from the issuer */
    struct assay_slice jwt_type; /* what `typ` a signed token must have; "at+jwt" */
    uint32_t jwt_algorithms;     /* that are allowed, as ASSAY_ALG_BIT */
    int64_t max_age_ms;          /* how old an answer may be that is used without asking */
    int64_t staleness_ms;        /* and while the server cannot be asked; at least max_age_ms */
    int64_t inactive_age_ms;     /* how long an inactive answer is remembered */
    int64_t leeway_s;            /* for nbf */
};

/* Appends the body of the introspection request for `token` (RFC 7662 section 2.1), and the value
 * of its Authorization field; nothing to the latter where the credentials are in the body or
 * elsewhere. `assertion` is one for this question alone (guard/assertion.h), for
 * ASSAY_GUARD_AUTH_KEY. Look at `spent` of both; wipe both, which hold secrets. */
void assay_provider_ask(const struct assay_provider *provider, struct assay_slice token,
                        struct assay_slice assertion, struct assay_buf *body,
                        struct assay_buf *authorization);

/* What came back, read by whoever fetched it. */
struct assay_provider_reply {
    unsigned http_status; /* 0: nothing came back */
    struct assay_slice content_type;
    struct assay_slice body;
};

/* What an introspection told. */
struct assay_told {
    struct assay_kept kept;           /* its values borrow from where they were written */
    struct assay_freshness freshness; /* all zeros unless the server is Assay's */
    uint64_t subject;                 /* what a flush by subject or client compares: as */
    uint64_t client;                  /* assay_mark_make has it; 0: the answer names none */
};

/* Reads the reply to an introspection: ASSAY_REASON_OK and `*ret` for an answer that can be
 * believed, active or not; else why there is none (`reterr` says more). Only 200 with JSON is an
 * answer (RFC 7662 section 2.2); 401 and 403 are about the guard itself (section 2.3). The values
 * of `claims` go into `*out`. */
enum assay_reason assay_provider_read(const struct assay_provider *provider,
                                      const struct assay_provider_reply *reply,
                                      const struct assay_claims *claims, struct assay_arena *arena,
                                      struct assay_buf *out, struct assay_digester *digester,
                                      struct assay_told *ret, struct assay_error *reterr);

/* What stands for a subject or client among the cached answers: 8 bytes of a hash, never 0. Fails
 * with ASSAY_ERR_CRYPTO. */
enum assay_mark_kind {
    ASSAY_MARK_SUBJECT = 1,
    ASSAY_MARK_CLIENT = 2,
};
ASSAY_MUST_USE enum assay_status assay_mark_make(struct assay_digester *digester,
                                                 enum assay_mark_kind kind, struct assay_slice id,
                                                 uint64_t *ret, struct assay_error *reterr);

/* Where the answers about `token` are kept: a code over all that decides what an answer means here,
 * by a key that the host drew. `scope` is that of the provider and its configuration, made once by
 * assay_provider_scope. Fail with ASSAY_ERR_CRYPTO, and assay_provider_key with ASSAY_ERR_LIMIT for
 * what is longer than any token. */
#define ASSAY_TOKEN_KEY_LEN ASSAY_PMAC_LEN

/* What told of a token; no entry of one kind is found for the other. */
enum assay_told_by {
    ASSAY_TOLD_BY_SERVER = 0,
    ASSAY_TOLD_BY_TOKEN, /* itself, signed */
};
#define ASSAY_TOLD_BY_KINDS 2

ASSAY_MUST_USE enum assay_status
assay_provider_scope(const struct assay_provider *provider, enum assay_told_by by,
                     const struct assay_claims *claims, struct assay_digester *digester,
                     uint8_t ret[ASSAY_SHA256_LEN], struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status assay_provider_key(const uint8_t scope[ASSAY_SHA256_LEN],
                                                    struct assay_slice token,
                                                    struct assay_pmac *pmac,
                                                    uint8_t ret[ASSAY_TOKEN_KEY_LEN],
                                                    struct assay_error *reterr);

#endif
