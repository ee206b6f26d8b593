/* The endpoints that issuers were last found to have, kept where workers share: those of a new
 * configuration begin with what the old ones knew, whatever the metadata has become since. */
#ifndef ASSAY_HOST_NGX_ASSAY_FOUND_H
#define ASSAY_HOST_NGX_ASSAY_FOUND_H

#include "host/nginx/ngx_assay_guard.h"

struct ngx_assay_found;

/* Empty: the metadata names none. */
struct ngx_assay_found_urls {
    char endpoint[ASSAY_URL_MAX];
    char jwks[ASSAY_URL_MAX];
};

/* In the zone's memory. NULL: it is too small. */
struct ngx_assay_found *ngx_assay_found_make(ngx_slab_pool_t *pool);

/* When another process is stopped in the midst of either, nothing is found, or kept. */
bool ngx_assay_found_get(struct ngx_assay_found *found, const uint8_t issuer[ASSAY_SHA256_LEN],
                         struct ngx_assay_found_urls *ret);
void ngx_assay_found_put(struct ngx_assay_found *found, const uint8_t issuer[ASSAY_SHA256_LEN],
                         const struct ngx_assay_found_urls *urls);

#endif
