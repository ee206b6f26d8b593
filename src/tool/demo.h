/* `assay serve --demo`: a store with something in it. */
#ifndef ASSAY_TOOL_DEMO_H
#define ASSAY_TOOL_DEMO_H

#include "base/attr.h"
#include "base/limits.h"
#include "tool/serving.h"

#include <stdbool.h>

/* The clients of the demonstration. */
#define ASSAY_DEMO_GATEWAY "gateway" /* resource server for the audience of the token */
#define ASSAY_DEMO_ROBOT "robot"     /* client that the token was issued to */

#define ASSAY_DEMO_AUDIENCE "https://api.example.com"

/* What was made, as text that ends in NUL. Holds secrets: whoever has it wipes it. */
struct assay_demo {
    char gateway_secret[ASSAY_MAX_CLIENT_SECRET + 1];
    char robot_secret[ASSAY_MAX_CLIENT_SECRET + 1];
    char access_token[ASSAY_MAX_TOKEN_PARAM + 1]; /* of the user alice */
};

/* Registers the two clients in the store (or gives them new secrets), and issues a token to a user.
 * False after a line on stderr. */
ASSAY_MUST_USE bool assay_demo_make(const struct assay_serving *serving, struct assay_demo *ret);

#endif
