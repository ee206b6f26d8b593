/* What a call could not do, for the whole tree. A status says whether the code could work; what the
 * protocol decides ("inactive", "invalid_client") is a result, never a status. */
#ifndef ASSAY_BASE_STATUS_H
#define ASSAY_BASE_STATUS_H

#include <stddef.h>

enum assay_status {
    ASSAY_OK = 0,
    ASSAY_ERR_SYNTAX,   /* input breaks its grammar */
    ASSAY_ERR_LIMIT,    /* a stated bound was reached: arena, buffer, length, depth, count */
    ASSAY_ERR_CRYPTO,   /* OpenSSL or the random generator failed */
    ASSAY_ERR_STORE,    /* the engine gave no answer in time, or could not read or commit */
    ASSAY_ERR_FULL,     /* the store has no room for this change; reads and revocations go on */
    ASSAY_ERR_CORRUPT,  /* stored bytes fail their own check, or are of an unknown version */
    ASSAY_ERR_EXISTS,   /* what was to be created is there already */
    ASSAY_ERR_ABSENT,   /* what was named is not there */
    ASSAY_ERR_CONFLICT, /* what was read before has changed since: nothing was written */
    ASSAY_ERR_SYSTEM,   /* a system call failed for a reason of its own */
};

/* Why a call failed, for the log of the host. */
struct assay_error {
    const char
        *what;     /* constant text, lower case, no full stop; never bytes of a token or secret */
    size_t offset; /* bytes into the input, for ASSAY_ERR_SYNTAX; else 0 */
    unsigned long long found;  /* bytes that a file has, where its size is what is wrong; else 0 */
    unsigned long long wanted; /* and ought to have at least */
};

/* Sets `*reterr` (which may be NULL) and returns `status`, so that a refusal is one line. */
enum assay_status assay_fail(enum assay_status status, const char *what,
                             struct assay_error *reterr);

/* The name of `status` in lower case, as logs print it: "syntax", "limit", ... Constant text. */
const char *assay_status_name(enum assay_status status);

#endif
