/* The scope of a new access token, reduced to what the resource servers of its audiences understand
 * (RFC 8707 section 2.2; RFC 9068 section 2.2.3). Whoever makes the token shows, for each audience,
 * the resource servers that are registered for it. */
#ifndef ASSAY_RECORD_NARROWING_H
#define ASSAY_RECORD_NARROWING_H

#include "base/limits.h"
#include "base/slice.h"
#include "record/client_record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One reduction. A word stays when some audience understands it: one of its resource servers lists
 * the word, or lists nothing, which means every scope. An audience that no enabled resource server
 * is registered for understands every scope, too: who checks its tokens is not known here. And so
 * does one with more than ASSAY_MAX_SCOPE_SERVERS, which bounds the work. */
struct assay_narrowing {
    struct assay_slice scope; /* at most ASSAY_MAX_SCOPES words, parted by single spaces */
    uint64_t understood;      /* bit i: its i-th word */
    bool whole;               /* nothing is taken away */
    bool spoken_for;          /* the audience at hand has an enabled resource server */
    size_t looked_at;         /* clients of the audience at hand */
};

/* `scope` lives until the end. */
void assay_narrowing_start(struct assay_narrowing *narrowing, struct assay_slice scope);

/* A client that is registered with the audience at hand. False: no more of them are needed. */
bool assay_narrowing_show(struct assay_narrowing *narrowing,
                          const struct assay_client_record *client);

/* All of the audience at hand were shown; another audience may follow. */
void assay_narrowing_next(struct assay_narrowing *narrowing);

/* What remains, in the words' order: `scope` itself, or written into `room`. Empty: nothing. */
struct assay_slice assay_narrowing_end(const struct assay_narrowing *narrowing,
                                       uint8_t room[ASSAY_MAX_SCOPE]);

#endif
