/* What is kept of a client or resource server. */
#ifndef ASSAY_RECORD_CLIENT_RECORD_H
#define ASSAY_RECORD_CLIENT_RECORD_H

#include "base/attr.h"
#include "base/limits.h"
#include "base/slice.h"
#include "base/status.h"
#include "crypto/digest.h"
#include "crypto/kdf.h"

#include <stdbool.h>
#include <stdint.h>

/* How a client proves who it is (RFC 7591 token_endpoint_auth_method). */
enum assay_auth_method {
    ASSAY_AUTH_NONE = 0,         /* public client */
    ASSAY_AUTH_SECRET_BASIC = 1, /* client_secret_basic */
    ASSAY_AUTH_SECRET_POST = 2,  /* client_secret_post */
};

/* What a client may do; bits of assay_client_record.grants. */
#define ASSAY_GRANT_CLIENT_CREDENTIALS 1u
#define ASSAY_GRANT_REFRESH_TOKEN 2u

enum assay_secret_form {
    ASSAY_SECRET_SHA256 = 1, /* generated here, 256 random bits: one SHA-256 is right */
    ASSAY_SECRET_SCRYPT = 2, /* brought by the operator */
};

struct assay_client_secret {
    enum assay_secret_form form;
    uint8_t hash[ASSAY_SHA256_LEN];      /* SHA-256 or scrypt of the secret */
    uint8_t salt[ASSAY_SCRYPT_SALT_LEN]; /* scrypt only */
    int64_t created_at_s;
    int64_t expires_at_s; /* 0: never; from this second on it is refused */
};

/* Members of an introspection answer that a resource server may be shown; bits of
 * assay_client_record.members. `active` is always shown. */
#define ASSAY_MEMBER_SCOPE (1u << 0)
#define ASSAY_MEMBER_CLIENT_ID (1u << 1)
#define ASSAY_MEMBER_USERNAME (1u << 2)
#define ASSAY_MEMBER_TOKEN_TYPE (1u << 3)
#define ASSAY_MEMBER_EXP (1u << 4)
#define ASSAY_MEMBER_IAT (1u << 5)
#define ASSAY_MEMBER_NBF (1u << 6)
#define ASSAY_MEMBER_SUB (1u << 7)
#define ASSAY_MEMBER_AUD (1u << 8)
#define ASSAY_MEMBER_ISS (1u << 9)
#define ASSAY_MEMBER_JTI (1u << 10)
#define ASSAY_MEMBER_SID (1u << 11)
#define ASSAY_MEMBER_CNF (1u << 12)
#define ASSAY_MEMBER_ACR (1u << 13)
#define ASSAY_MEMBER_AUTH_TIME (1u << 14)
#define ASSAY_MEMBER_AUTHORIZATION_DETAILS (1u << 15)
#define ASSAY_MEMBER_EXTRA (1u << 16)
#define ASSAY_MEMBERS_ALL ((1u << 17) - 1)
/* What the operator did not think of is shown only where he says so (RFC 7662 section 5): extra
 * claims are not in the default, nor is sid. `username` is: leave it out with a list of members. */
#define ASSAY_MEMBERS_DEFAULT (ASSAY_MEMBERS_ALL & ~(ASSAY_MEMBER_EXTRA | ASSAY_MEMBER_SID))

/* One client. Slices borrow as in assay_token_record. Lists are one slice, separated by single
 * spaces. */
struct assay_client_record {
    struct assay_slice client_id; /* at most ASSAY_MAX_CLIENT_ID bytes */
    struct assay_slice name;      /* for people */
    uint64_t version;             /* number of the change that wrote this record */
    int64_t created_at_s;
    bool disabled;            /* cannot authenticate; its tokens were cut off when it was set */
    bool admin;               /* may use /admin */
    bool resource_server;     /* may introspect */
    bool introspects_refresh; /* a resource server that may also be told of refresh tokens */
    enum assay_auth_method auth_method;
    uint32_t grants;  /* ASSAY_GRANT_* */
    uint32_t members; /* ASSAY_MEMBER_*, resource servers only */
    /* A client: scopes it may ask for. A resource server: scopes it understands, which the scope it
     * is shown is cut to; empty means every scope of a token for its audience. */
    struct assay_slice scope;
    struct assay_slice default_scope; /* granted when a request names none; part of `scope` */
    /* A client: resources it may name (RFC 8707). A resource server: audiences it answers to. */
    struct assay_slice audience;
    struct assay_slice
        default_audience;      /* of a token when a request names no resource; part of `audience` */
    int64_t access_lifetime_s; /* 0: the server's default */
    int64_t refresh_lifetime_s; /* 0: the server's default; each rotation starts it anew */
    struct assay_client_secret secrets[ASSAY_MAX_CLIENT_SECRETS];
    size_t secret_count;
};

/* As assay_token_record_write and _parse; the check covers the id. */
ASSAY_MUST_USE enum assay_status assay_client_record_write(const struct assay_client_record *record,
                                                           uint8_t *out, size_t size,
                                                           size_t *ret_len,
                                                           struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status assay_client_record_parse(struct assay_slice client_id,
                                                           struct assay_slice bytes,
                                                           struct assay_client_record *ret,
                                                           struct assay_error *reterr);

#endif
