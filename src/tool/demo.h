/* `assay serve --demo`: a store with something in it, and the commands to try it with. */
#ifndef ASSAY_TOOL_DEMO_H
#define ASSAY_TOOL_DEMO_H

#include "base/attr.h"
#include "tool/serving.h"

#include <stdbool.h>

/* Registers a resource server `gateway` and a client `robot` in the store (or gives them new
 * secrets), issues a token to a user, and prints what to paste. False after a line on stderr. */
ASSAY_MUST_USE bool assay_demo_prepare(const struct assay_serving *serving);

#endif
