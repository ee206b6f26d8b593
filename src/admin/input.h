/* The JSON body of an administrative request: every member any verb takes, read by one table. */
#ifndef ASSAY_ADMIN_INPUT_H
#define ASSAY_ADMIN_INPUT_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* A member, as its bit in `given`, `takes` and `needs`. */
#define ASSAY_IN_CLIENT_ID (1u << 0)
#define ASSAY_IN_NAME (1u << 1)
#define ASSAY_IN_SCOPE (1u << 2)
#define ASSAY_IN_DEFAULT_SCOPE (1u << 3)
#define ASSAY_IN_AUDIENCE (1u << 4)
#define ASSAY_IN_DEFAULT_AUDIENCE (1u << 5)
#define ASSAY_IN_GRANT_TYPES (1u << 6)
#define ASSAY_IN_MEMBERS (1u << 7)
#define ASSAY_IN_AUTH_METHOD (1u << 8)
#define ASSAY_IN_CLIENT_SECRET (1u << 9)
#define ASSAY_IN_ADMIN (1u << 10)
#define ASSAY_IN_RESOURCE_SERVER (1u << 11)
#define ASSAY_IN_INTROSPECTS_REFRESH (1u << 12)
#define ASSAY_IN_ACCESS_LIFETIME (1u << 13)
#define ASSAY_IN_REFRESH_LIFETIME (1u << 14)
#define ASSAY_IN_OVERLAP (1u << 15)
#define ASSAY_IN_SUBJECT (1u << 16)
#define ASSAY_IN_USERNAME (1u << 17)
#define ASSAY_IN_SID (1u << 18)
#define ASSAY_IN_LIFETIME (1u << 19)
#define ASSAY_IN_NOT_BEFORE (1u << 20)
#define ASSAY_IN_REFRESH (1u << 21)
#define ASSAY_IN_JTI (1u << 22)
#define ASSAY_IN_TOKEN (1u << 23)
#define ASSAY_IN_FOR (1u << 24)
#define ASSAY_IN_GRANT (1u << 25)
#define ASSAY_IN_AFTER (1u << 26)

/* Text borrows from the request's arena. Lists are words separated by single spaces. Spans are
 * seconds. */
struct assay_admin_input {
    uint32_t given; /* ASSAY_IN_* */
    struct assay_slice client_id;
    struct assay_slice name;
    struct assay_slice scope;
    struct assay_slice default_scope;
    struct assay_slice audience;
    struct assay_slice default_audience;
    struct assay_slice grant_types;
    struct assay_slice members;
    struct assay_slice auth_method;
    struct assay_slice client_secret; /* secret */
    bool admin;
    bool resource_server;
    bool introspects_refresh;
    int64_t access_lifetime_s;
    int64_t refresh_lifetime_s;
    int64_t overlap_s;
    struct assay_slice subject;
    struct assay_slice username;
    struct assay_slice sid;
    int64_t lifetime_s;
    int64_t not_before_s; /* from now */
    bool refresh;
    struct assay_slice jti;
    struct assay_slice token; /* secret */
    struct assay_slice for_client;
    struct assay_slice grant; /* decimal */
    struct assay_slice after;
};

/* Why a body was refused: `what` is constant text behind the member's name. */
struct assay_admin_fault {
    struct assay_slice member; /* empty: the body as a whole */
    const char *what;
};

/* Reads `body` (empty counts as {}), in which the members of `takes` may and those of `needs` must
 * stand. False, with the fault, when it is no such object, or a member is unknown here, of another
 * type, over its limit, or holds control characters. */
ASSAY_MUST_USE bool assay_admin_input_read(struct assay_slice body, uint32_t takes, uint32_t needs,
                                           struct assay_arena *arena, struct assay_admin_input *ret,
                                           struct assay_admin_fault *ret_fault);

#endif
