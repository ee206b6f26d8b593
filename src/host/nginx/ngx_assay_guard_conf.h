/* The guard's directives: each setter reads one, and refuses what it cannot take with file, line,
 * what was found and what would be right. docs/configuration.md explains them. */
#ifndef ASSAY_HOST_NGX_ASSAY_GUARD_CONF_H
#define ASSAY_HOST_NGX_ASSAY_GUARD_CONF_H

#include "host/nginx/ngx_assay_guard.h"

char *ngx_assay_set_cache(ngx_conf_t *cf, ngx_command_t *command, void *conf);
char *ngx_assay_set_guard(ngx_conf_t *cf, ngx_command_t *command, void *conf);
char *ngx_assay_set_check(ngx_conf_t *cf, ngx_command_t *command, void *conf);
char *ngx_assay_set_control(ngx_conf_t *cf, ngx_command_t *command, void *conf);

/* ngx_assay_require_conf.c */
char *ngx_assay_set_require(ngx_conf_t *cf, ngx_command_t *command, void *conf);

/* ngx_assay_location_conf.c */
char *ngx_assay_set_realm(ngx_conf_t *cf, ngx_command_t *command, void *conf);
char *ngx_assay_set_forward(ngx_conf_t *cf, ngx_command_t *command, void *conf);
char *ngx_assay_set_set_header(ngx_conf_t *cf, ngx_command_t *command, void *conf);

/* ngx_assay_provider_conf.c */
char *ngx_assay_set_provider(ngx_conf_t *cf, ngx_command_t *command, void *conf);

#endif
