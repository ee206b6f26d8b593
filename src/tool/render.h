/* The JSON of administrative answers, shown to people: one object as lines, many as a table. */
#ifndef ASSAY_TOOL_RENDER_H
#define ASSAY_TOOL_RENDER_H

#include "json/reader.h"

#include <stdbool.h>
#include <stdio.h>

/* Each member on a line of its own: name, value. Times are shown as dates, spans with a unit. */
void assay_render_object(FILE *out, const struct assay_json *object);

/* The objects of the array `rows`, one line each: their members `columns` (ends in NULL), whose
 * names stand above when `heading`. */
void assay_render_rows(FILE *out, const struct assay_json *answer, const char *rows,
                       const char *const *columns, bool heading);

#endif
