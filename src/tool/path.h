/* Paths and small files of the command. What fails is said on stderr, in one line. */
#ifndef ASSAY_TOOL_PATH_H
#define ASSAY_TOOL_PATH_H

#include "base/attr.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ASSAY_PATH_ROOM 1024 /* bytes of a path, its NUL included */

/* One line on stderr: `assay: WHAT PATH: WHY`, the path escaped. Returns false. */
bool assay_path_complain(const char *what, const char *path, const char *why);

/* `a` and `b` one behind the other, in `out`. False when they do not fit. */
ASSAY_MUST_USE bool assay_path_join(char *out, size_t size, const char *a, const char *b);

/* `path`, which may be relative to the working directory, in `out`; links are left as they are. */
ASSAY_MUST_USE bool assay_path_absolute(const char *path, char *out, size_t size);

/* Makes the directories above `path`, each for its owner alone. */
ASSAY_MUST_USE bool assay_path_make_parents(const char *path);

/* Puts a new file with `text` in place of `path`, readable as `mode` says from its first moment. */
ASSAY_MUST_USE bool assay_path_write(const char *path, mode_t mode, struct assay_slice text);

#endif
