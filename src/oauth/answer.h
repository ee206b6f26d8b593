/* What an authorization server answered to an introspection, read as a resource server must (RFC
 * 7662 sections 2.2 and 4): strictly, since whatever is believed here opens a door. */
#ifndef ASSAY_OAUTH_ANSWER_H
#define ASSAY_OAUTH_ANSWER_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"
#include "json/reader.h"

#include <stdbool.h>
#include <stdint.h>

/* The members that decide. Of an inactive answer `active` alone is set. Slices borrow from `json`
 * or the arena; lists are separated by single spaces. */
struct assay_answer {
    struct assay_json *json; /* owned; for claims by name */
    bool active;
    int64_t expires_at_s; /* seconds since the epoch, by the server's clock; 0: not said */
    int64_t not_before_s; /* likewise */
    int64_t issued_at_s;
    struct assay_slice scope;
    struct assay_slice audience; /* a list */
    bool has_audience;           /* there is an `aud`, be it empty: then it must name the reader */
    struct assay_slice client_id;
    struct assay_slice username;
    struct assay_slice token_type;
    struct assay_slice subject;
    struct assay_slice issuer;
    struct assay_slice jti;
    bool confirmed; /* bound to a key (`cnf`): no bearer token (RFC 7800 section 3.1) */
};

/* Reads `body`. Only the literal `true` is active; an answer that is about nothing (`active` is
 * missing), is no object, repeats a name, or has a member of the wrong type is refused with
 * ASSAY_ERR_SYNTAX: it is no answer at all, and nothing passes by it. Members it does not know are
 * ignored. ASSAY_ERR_LIMIT when it is nested too deep or the arena is spent. Close what was read.
 */
ASSAY_MUST_USE enum assay_status assay_answer_read(struct assay_slice body,
                                                   struct assay_arena *arena,
                                                   struct assay_answer *ret,
                                                   struct assay_error *reterr);
void assay_answer_close(struct assay_answer *answer);

/* Is the token within its times at `now_s` of the server's clock? From the second named by exp on
 * it is not (RFC 7519 section 4.1.4). */
bool assay_answer_is_current(const struct assay_answer *answer, int64_t now_s);

#endif
