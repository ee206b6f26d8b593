/* A certificate and its key that the operator brought. */
#ifndef ASSAY_TOOL_KEY_PAIR_H
#define ASSAY_TOOL_KEY_PAIR_H

#include "base/attr.h"

#include <stdbool.h>

/* The files `certificate` and `key` can be served with: regular ones (links are followed, since
 * renewing tools keep them), the key closed to others, without a passphrase, strong enough, and
 * that of the certificate. False after a line on stderr. */
ASSAY_MUST_USE bool assay_key_pair_check(const char *certificate, const char *key);

#endif
