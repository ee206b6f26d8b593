/* Scope (RFC 6749 section 3.3), and other lists kept as words separated by single spaces. */
#ifndef ASSAY_OAUTH_SCOPE_H
#define ASSAY_OAUTH_SCOPE_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/slice.h"

#include <stdbool.h>

/* Is `text` a scope within our bounds: at most ASSAY_MAX_SCOPES tokens of printable ASCII without
 * quote and backslash, single spaces between them, ASSAY_MAX_SCOPE bytes? Empty is no scope at all,
 * and valid. */
bool assay_scope_valid(struct assay_slice text);

/* Is every word of `wanted` a word of `have`, compared as bytes? An empty list is part of any. */
bool assay_scope_contains(struct assay_slice have, struct assay_slice wanted);

/* Have the two lists a word in common? */
bool assay_scope_overlaps(struct assay_slice a, struct assay_slice b);

/* The words of `a` that are also words of `b`, in their order, into the arena. False when that is
 * spent. */
ASSAY_MUST_USE bool assay_scope_intersect(struct assay_slice a, struct assay_slice b,
                                          struct assay_arena *arena, struct assay_slice *ret);

#endif
