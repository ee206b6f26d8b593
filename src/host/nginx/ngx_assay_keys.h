/* The keys of issuers: fetched once for the host, from where the configuration or the issuer's
 * metadata says, and read by each of its workers. Old ones stay as long as no new ones come. */
#ifndef ASSAY_HOST_NGX_ASSAY_KEYS_H
#define ASSAY_HOST_NGX_ASSAY_KEYS_H

#include "host/nginx/ngx_assay_question.h"

/* What workers share; in a zone of its own, which is there if some provider's tokens are judged
 * here. */
ngx_int_t ngx_assay_keys_zone_add(ngx_conf_t *cf, struct ngx_assay_guard_main_conf *conf);

/* The life of a worker's hold on a provider's keys. False, logged, when there is no memory. */
bool ngx_assay_keys_open(struct ngx_assay_asker *asker);
void ngx_assay_keys_close(struct ngx_assay_asker *asker);

/* They are at `url` from now on. */
void ngx_assay_keys_found(struct ngx_assay_asker *asker, const char *url);

/* The version of those that are known to the host. */
uint64_t ngx_assay_keys_version(const struct ngx_assay_asker *asker);

/* What is known of them, for a request that came in at `entered_us`. */
struct assay_decide_keys ngx_assay_keys_known(struct ngx_assay_asker *asker, int64_t entered_us);

/* Has `waiter` wait until they have been fetched, in vain or not, and has them fetched. `answered`
 * is never called from inside. */
void ngx_assay_keys_wait(struct ngx_assay_asker *asker, struct ngx_assay_waiter *waiter);

#endif
