/* Help, the man page and shell completion, all written from the table of commands. */
#ifndef ASSAY_TOOL_HELP_H
#define ASSAY_TOOL_HELP_H

#include "tool/command.h"

#include <stdio.h>

void assay_help_overview(FILE *out);
/* The commands whose first word is `group`. */
void assay_help_group(FILE *out, const char *group);
void assay_help_command(FILE *out, const struct assay_command *command);
/* assay(1), in man(7) macros. */
void assay_help_man(FILE *out);
/* A completion script for bash. */
void assay_help_bash(FILE *out);

#endif
