/* What is kept of an introspection answer: its times, what tells whether it may be used at all, and
 * only those claims that the configuration can use. A cached answer and a fresh one are judged from
 * this one form. */
#ifndef ASSAY_GUARD_KEPT_H
#define ASSAY_GUARD_KEPT_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"
#include "json/reader.h"
#include "oauth/answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The claims that are kept, as JSON pointers (RFC 6901), each once. Made when the configuration is
 * read; its order is that of the kept values. */
struct assay_claims {
    const struct assay_slice *pointers;
    size_t count; /* at most ASSAY_MAX_KEPT_CLAIMS */
};

/* Where `pointer` stands in `claims`; claims->count when it does not. */
size_t assay_claims_find(const struct assay_claims *claims, struct assay_slice pointer);

/* Why an active answer is of no use to a bearer, whatever a location requires. */
enum assay_kept_fault {
    ASSAY_KEPT_GOOD = 0,
    ASSAY_KEPT_FOREIGN,   /* `iss` is another issuer */
    ASSAY_KEPT_BOUND,     /* bound to a key, or of a type that is not Bearer: more than the token is
                             wanted (RFC 7800 section 3.1, RFC 9449 section 7.2) */
    ASSAY_KEPT_NO_ACCESS, /* a refresh token */
    ASSAY_KEPT_BOUND_TO_CERTIFICATE, /* and to nothing else (RFC 8705 section 3): good with that */
};

/* What `cnf` among `json`'s members binds a token to: GOOD (there is none), BOUND_TO_CERTIFICATE,
 * or BOUND. */
enum assay_kept_fault assay_kept_binding(const struct assay_json *json);

/* The claim that names the certificate: its thumbprint, SHA-256 in base64url. */
#define ASSAY_CERTIFICATE_CLAIM "/cnf/x5t#S256"
#define ASSAY_CERTIFICATE_LEN 43

/* An answer as it is kept. `values` borrows. */
struct assay_kept {
    bool active;
    enum assay_kept_fault fault;
    int64_t expires_at_s;      /* seconds since the epoch; 0: not said */
    int64_t not_before_s;      /* likewise */
    struct assay_slice values; /* encoded: one for each of the claims */
};

/* Takes what is to be kept of `answer`: the values of `claims` go into `*out`, which ret->values
 * borrows from. ASSAY_ERR_LIMIT when they do not fit, or a value is longer than 65,535 bytes. */
ASSAY_MUST_USE enum assay_status
assay_kept_write(const struct assay_answer *answer, const struct assay_claims *claims,
                 struct assay_slice issuer, struct assay_arena *arena, struct assay_buf *out,
                 struct assay_kept *ret, struct assay_error *reterr);

/* The same of claims from elsewhere: their values alone. */
ASSAY_MUST_USE enum assay_status
assay_kept_write_values(const struct assay_json *json, const struct assay_claims *claims,
                        struct assay_arena *arena, struct assay_buf *out, struct assay_slice *ret,
                        struct assay_error *reterr);

/* --- values --- */

enum assay_kept_kind {
    ASSAY_KEPT_ABSENT = 0,
    ASSAY_KEPT_STRING, /* `text` is the string */
    ASSAY_KEPT_LIST,   /* `text` is walked with assay_kept_next: an array of strings */
    ASSAY_KEPT_JSON,   /* `text` is compact JSON: a number, true, false, or something structured */
};

struct assay_kept_value {
    enum assay_kept_kind kind;
    struct assay_slice text; /* borrows from the values */
};

/* The value of the claim at `index`. Absent as well when `values` is not what _write wrote. */
struct assay_kept_value assay_kept_at(struct assay_slice values, size_t index);

/* The next string of a list; false at its end. */
bool assay_kept_next(struct assay_slice *list, struct assay_slice *ret);

/* Is `value` the string `wanted`, a list with it, or a number or truth value written like it? */
bool assay_kept_has(const struct assay_kept_value *value, struct assay_slice wanted);

/* Is it a whole number that is not negative? */
bool assay_kept_number(const struct assay_kept_value *value, int64_t *ret);

/* Appends `value` as text for a header or a log: a string as it is, a list with commas between,
 * JSON as it is. Bytes outside printable ASCII, '%', blanks at either end and, within a list,
 * commas are written as %XX, so that no value can end a line, add a header or pass for two. */
void assay_kept_print(const struct assay_kept_value *value, struct assay_buf *out);

#endif
