/* What `assay serve` says before it becomes nginx: what runs where, and what to paste. */
#ifndef ASSAY_TOOL_SERVING_REPORT_H
#define ASSAY_TOOL_SERVING_REPORT_H

#include "tool/demo.h"
#include "tool/serving.h"

/* For people. `demo` may be NULL; `program` is how the command was called. */
void assay_serving_tell(const struct assay_serving *serving, const struct assay_demo *demo,
                        const char *program);

/* The same as one JSON object in one line, for programs. */
void assay_serving_tell_json(const struct assay_serving *serving, const struct assay_demo *demo);

#endif
