/* The options of the directives: what each may be, and what an error says of it. */
#ifndef ASSAY_HOST_NGX_ASSAY_CONF_H
#define ASSAY_HOST_NGX_ASSAY_CONF_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "host/nginx/ngx_assay_store.h"
#include "server/exchange.h"

/* Reads the arguments behind the path of an `assay_store` directive into `*ret`. NGX_CONF_ERROR,
 * logged with file, line, what was found and what would be right. */
char *ngx_assay_conf_store(ngx_conf_t *cf, struct ngx_assay_store_conf *ret);

/* Reads the arguments of an `assay_server` directive into `*ret`, whose defaults are set. As
 * above; borrows from the configuration. */
char *ngx_assay_conf_server(ngx_conf_t *cf, struct assay_server *ret);

#endif
