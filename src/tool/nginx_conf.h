/* The nginx.conf that `assay serve` runs. */
#ifndef ASSAY_TOOL_NGINX_CONF_H
#define ASSAY_TOOL_NGINX_CONF_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/status.h"

#include <stdbool.h>

/* What it is written from. Borrows everything. */
struct assay_nginx_conf {
    const char *module;       /* path of the server module */
    const char *run_dir;      /* pid file and temporary files, absolute */
    const char *store;        /* absolute */
    const char *listen;       /* "127.0.0.1:8443" */
    const char *issuer;       /* URL */
    const char *token_prefix; /* NULL: the module's default */
    const char *certificate;  /* PEM file; NULL: no TLS */
    const char *key;
    const char *access_log;     /* file; NULL: none */
    const char *user;           /* whom workers run as; NULL: whoever starts it */
    bool allow_cleartext;       /* off this machine, too */
    const char *guard_module;   /* a guarded sample API below /api/; NULL: none, as what follows */
    const char *gateway;        /* client id of the guard */
    const char *gateway_secret; /* file */
    const char *audience;       /* that the API is */
    const char *authorities;    /* PEM file for the server's certificate; NULL: the system's */
};

/* Appends the configuration to `*out`. Fails with ASSAY_ERR_SYNTAX when a value holds what nginx
 * would read as anything but text (quotes, backslash, '$', control characters), ASSAY_ERR_LIMIT
 * when it does not fit. */
ASSAY_MUST_USE enum assay_status assay_nginx_conf_write(const struct assay_nginx_conf *conf,
                                                        struct assay_buf *out,
                                                        struct assay_error *reterr);

#endif
