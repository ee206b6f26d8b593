/* The command line, read against the table of commands. */
#ifndef ASSAY_TOOL_ARGS_H
#define ASSAY_TOOL_ARGS_H

#include "base/attr.h"
#include "tool/command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define ASSAY_MAX_GIVEN 64 /* options of one command line, count */

/* One option as given. Borrows from argv. */
struct assay_given {
    const struct assay_option *option;
    const char *value; /* NULL for a flag */
};

struct assay_args {
    const struct assay_command *command; /* NULL: none was named */
    const char *group; /* "client" when only that was typed; then `command` is NULL */
    const char *operand;
    struct assay_given given[ASSAY_MAX_GIVEN];
    size_t given_count;
    bool help; /* --help or -h stood somewhere */
    bool version;
};

/* Reads the command line into `*ret`. Options before the command are those of every command (so
 * that `--client` of the server and `--client` of `token issue` can stand on one line); behind it
 * an option is the command's own, or else one of every command. `--name=value` is `--name value`;
 * `--` ends the options.
 *
 * False when it is wrong: then one line on `errors` says what, and what would be right. What was
 * typed where a secret might stand is not repeated. */
ASSAY_MUST_USE bool assay_args_parse(int argc, char *const *argv, struct assay_args *ret,
                                     FILE *errors);

/* The value of the option `name`, NULL when it was not given or is a flag. */
const char *assay_args_value(const struct assay_args *args, const char *name);
/* As above among the options of every command only: `--client` of the server. */
const char *assay_args_global(const struct assay_args *args, const char *name);
bool assay_args_has(const struct assay_args *args, const char *name);

#endif
