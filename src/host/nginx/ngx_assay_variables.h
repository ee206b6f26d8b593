/* Variables of the guard: what the decision about a request rests on. They are empty where nothing
 * was decided, and belong to the location that the request is in. */
#ifndef ASSAY_HOST_NGX_ASSAY_VARIABLES_H
#define ASSAY_HOST_NGX_ASSAY_VARIABLES_H

#include "host/nginx/ngx_assay_guard.h"

/* Adds $assay_active, $assay_sub, ... to the configuration, before it is read. */
ngx_int_t ngx_assay_variables_add(ngx_conf_t *cf);

/* Finds the claims whose variables the configuration uses, when all of it has been read. */
ngx_int_t ngx_assay_variables_claims(ngx_conf_t *cf, struct ngx_assay_guard_main_conf *main);

/* assay_claim_set $variable claim [name ...]; */
char *ngx_assay_set_claim_set(ngx_conf_t *cf, ngx_command_t *command, void *conf);

#endif
