/* Durations as people write them: a whole number and its unit. */
#ifndef ASSAY_TOOL_DURATION_H
#define ASSAY_TOOL_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/* How a refusal describes what would have been right. */
#define ASSAY_DURATION_ALLOWED "a whole number and a unit: 30s, 10m, 1h, 30d (at most 3650d)"

/* Reads `text` into seconds. False unless it is 1 to 10 digits and one of s, m, h, d, w with
 * nothing around them, at most ASSAY_MAX_LIFETIME_S long. "0" alone is zero in any unit. */
bool assay_duration_parse(const char *text, int64_t *ret_s);

#endif
