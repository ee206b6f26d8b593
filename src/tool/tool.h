/* One run of `assay`, as its commands see it. */
#ifndef ASSAY_TOOL_TOOL_H
#define ASSAY_TOOL_TOOL_H

#include "base/attr.h"
#include "base/status.h"
#include "tool/args.h"

#include <stdbool.h>
#include <stddef.h>

struct assay_tool {
    struct assay_args args;
    const char *program; /* how it was called: what it prints can then be pasted */
};

/* The value of an option of every command, or else of the environment variable that stands for it;
 * NULL when neither is there or it is empty. */
const char *assay_tool_setting(const struct assay_tool *tool, const char *option,
                               const char *variable);

/* The directory of the store: --store, ASSAY_STORE, or the user's own (written to `room`). False,
 * after one line on stderr, when there is none. `*ret_chosen` tells that somebody named it. */
ASSAY_MUST_USE bool assay_tool_store_path(const struct assay_tool *tool, char *room, size_t size,
                                          const char **ret_path, bool *ret_chosen);

/* One line on stderr about what failed, with the path it is about (NULL: none); returns
 * ASSAY_EXIT_NO. */
int assay_tool_failed(const char *doing, const char *path, const struct assay_error *error);

/* Prints {"member":"text"} and a line end on stdout. */
void assay_tool_print_member(const char *member, const char *text);

#endif
