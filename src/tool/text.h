/* Text of others shown to people: nothing in it may move the cursor, hide or reorder. */
#ifndef ASSAY_TOOL_TEXT_H
#define ASSAY_TOOL_TEXT_H

#include "base/buf.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdio.h>

/* Appends `s`: control characters, marks that change the direction of text, invisible characters
 * and bytes that are not UTF-8 become \n, \t, \x1B or \u202E, a backslash \\. */
void assay_text_escape(struct assay_buf *out, struct assay_slice s);

/* The same to a stream, cut at a few thousand bytes. Whether it arrived is asked of the stream at
 * the end. */
void assay_text_print(FILE *out, struct assay_slice s);

/* Characters of escaped UTF-8 `s`: what a column must be wide. */
size_t assay_text_width(struct assay_slice s);

#endif
