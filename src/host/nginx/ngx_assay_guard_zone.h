/* The shared memory of the guard: cached answers, and who is asking. It survives a reload. */
#ifndef ASSAY_HOST_NGX_ASSAY_GUARD_ZONE_H
#define ASSAY_HOST_NGX_ASSAY_GUARD_ZONE_H

#include "host/nginx/ngx_assay_guard.h"

/* Sets up conf->zone, and adds one of its own where no assay_cache names it. */
ngx_int_t ngx_assay_guard_zone_add(ngx_conf_t *cf, struct ngx_assay_guard_main_conf *conf);

#endif
