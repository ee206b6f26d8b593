/* Who answers administrative requests: a store of this machine, or a server. */
#ifndef ASSAY_TOOL_SENDER_H
#define ASSAY_TOOL_SENDER_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"
#include "tool/tool.h"

#include <stdbool.h>

struct assay_local;
struct assay_remote;

/* Exactly one of the two is set while it is open. */
struct assay_sender {
    struct assay_local *local;
    struct assay_remote *remote;
};

/* Opens what the options name: --server, or else the store. False after a line on stderr, with the
 * exit code. */
ASSAY_MUST_USE bool assay_sender_open(const struct assay_tool *tool, bool read_only,
                                      struct assay_sender *ret, int *ret_exit);
void assay_sender_close(struct assay_sender *sender);

/* As assay_local_send and assay_remote_send. */
ASSAY_MUST_USE enum assay_status assay_sender_send(struct assay_sender *sender, const char *path,
                                                   struct assay_slice body,
                                                   unsigned *ret_http_status,
                                                   struct assay_slice *ret_body,
                                                   struct assay_error *reterr);

#endif
