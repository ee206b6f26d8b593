/* The JSON body of an administrative request, written from a command line. */
#ifndef ASSAY_TOOL_BODY_H
#define ASSAY_TOOL_BODY_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "tool/tool.h"

#include <stdbool.h>

/* Looks at the values given, before a store or server is touched. False after a line on stderr,
 * with the exit code. */
ASSAY_MUST_USE bool assay_body_check(const struct assay_tool *tool, int *ret_exit);

/* Writes the body of the command in hand from its options and operand: `token` is what an operand
 * that names a token stands for, `after` (may be empty) where a listing goes on. `*body` may then
 * hold a secret: the caller wipes it. False as above. */
ASSAY_MUST_USE bool assay_body_write(const struct assay_tool *tool, struct assay_slice token,
                                     struct assay_slice after, struct assay_buf *body,
                                     int *ret_exit);

#endif
