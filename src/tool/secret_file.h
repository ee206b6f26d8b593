/* Secrets and tokens that come by file, stdin or prompt, never by argument. */
#ifndef ASSAY_TOOL_SECRET_FILE_H
#define ASSAY_TOOL_SECRET_FILE_H

#include "base/attr.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ASSAY_MAX_SECRET_FILE 65536 /* bytes read at most */

/* Reads the secret in the file `path`, or from stdin for "-" (asked for without echo on a
 * terminal), into `room`; one line end behind it is cut. The slice borrows from `room`, which the
 * caller wipes.
 *
 * False, with one constant sentence in `*ret_why`, when there is no such file, when it is a
 * symbolic link, not a regular file, open to others than its owner, empty, over the room, or holds
 * a line end or NUL inside. */
ASSAY_MUST_USE bool assay_secret_file_read(const char *path, uint8_t *room, size_t size,
                                           struct assay_slice *ret, const char **ret_why);

/* Reads one line from stdin likewise: a token or jti. */
ASSAY_MUST_USE bool assay_stdin_line_read(uint8_t *room, size_t size, struct assay_slice *ret,
                                          const char **ret_why);

#endif
