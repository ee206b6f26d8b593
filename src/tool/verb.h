/* Administrative requests, made from a command's description: what was given becomes a JSON body,
 * a store or a server answers it, the answer is shown. */
#ifndef ASSAY_TOOL_VERB_H
#define ASSAY_TOOL_VERB_H

#include "tool/tool.h"

/* Runs the command in hand, which has a path. Returns the exit code. */
int assay_verb_run(struct assay_tool *tool);

#endif
