/* What holds at a location, made of its directives and of those around it. */
#ifndef ASSAY_HOST_NGX_ASSAY_POLICY_H
#define ASSAY_HOST_NGX_ASSAY_POLICY_H

#include "host/nginx/ngx_assay_guard.h"

/* Merges `prev` into `conf`, whose own directives have been read, and gives it its policy: the same
 * object where the same holds. Refuses what would leave the location open. */
char *ngx_assay_policy_merge(ngx_conf_t *cf, const struct ngx_assay_guard_loc_conf *prev,
                             struct ngx_assay_guard_loc_conf *conf);

/* Completes the policies when all of the configuration has been read: which claims are kept is
 * known then. NGX_ERROR, logged. */
ngx_int_t ngx_assay_policies_finish(ngx_conf_t *cf, struct ngx_assay_guard_main_conf *main);

#endif
