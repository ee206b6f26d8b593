/* Administrative requests sent to a server, with an administrator's credential. */
#ifndef ASSAY_TOOL_REMOTE_H
#define ASSAY_TOOL_REMOTE_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"

/* A server and the credential for it. Opaque. */
struct assay_remote;

/* `url` is the server's ("https://auth.example.com"); the credential's secret is read from
 * `secret_file` as assay_secret_file_read does. `ca_file` may be NULL. All text is borrowed until
 * close. Fails with ASSAY_ERR_SYNTAX when the secret cannot be had. */
ASSAY_MUST_USE enum assay_status assay_remote_open(const char *url, const char *client_id,
                                                   const char *secret_file, const char *ca_file,
                                                   struct assay_remote **ret,
                                                   struct assay_error *reterr);
void assay_remote_close(struct assay_remote *remote);

/* As assay_local_send, over the network. */
ASSAY_MUST_USE enum assay_status assay_remote_send(struct assay_remote *remote, const char *path,
                                                   struct assay_slice body,
                                                   unsigned *ret_http_status,
                                                   struct assay_slice *ret_body,
                                                   struct assay_error *reterr);

#endif
