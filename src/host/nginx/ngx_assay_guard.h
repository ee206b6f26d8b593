/* What the parts of the guard on nginx share: its configuration. */
#ifndef ASSAY_HOST_NGX_ASSAY_GUARD_H
#define ASSAY_HOST_NGX_ASSAY_GUARD_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "crypto/digest.h"
#include "guard/asking.h"
#include "guard/cache.h"
#include "guard/decide.h"
#include "guard/provider.h"

#include <stdbool.h>

extern ngx_module_t ngx_http_assay_guard_module;
extern ngx_module_t ngx_http_assay_guard_filter_module;

/* Where a directive stands, for errors that show later. */
struct ngx_assay_place {
    ngx_str_t file;
    ngx_uint_t line;
};

#define ASSAY_URL_MAX 2048 /* bytes of an endpoint, and the NUL */

/* An `assay_provider`, and beside it what each worker holds: ngx_assay_question.h. */
struct ngx_assay_provider {
    struct assay_provider core;
    ngx_str_t name;
    ngx_str_t ca_file;     /* empty: the system's authorities */
    ngx_str_t certificate; /* the guard's own, PEM; empty: it has none */
    ngx_str_t certificate_key;
    int64_t keys_max_age_ms; /* so long are the issuer's keys good while no new ones can be had */
    int64_t connect_ms;
    int64_t whole_ms;
    ngx_uint_t retries;
    bool allow_cleartext;
    ngx_uint_t asking_max;
    ngx_uint_t asking_address_max;
    struct ngx_assay_place place;
    ngx_uint_t index;
};

/* One `assay_set_header`. */
struct ngx_assay_header {
    ngx_str_t name;
    ngx_str_t lowcase; /* with '-' for each '_': all spellings of a name are one */
    ngx_http_complex_value_t value;
};

/* The directives of a location, as merged. */
struct ngx_assay_guard_loc_conf {
    struct ngx_assay_provider *provider; /* NULL: no guard here */
    bool stated;                         /* assay_guard or assay_check stands here or around */
    bool off;
    bool judge; /* the location has assay_check */
    bool optional;
    bool allow_preflight;
    bool satisfy_any;
    int64_t max_age_ms;       /* -1: the provider's */
    ngx_int_t introspect_jwt; /* NGX_CONF_UNSET, or an enum assay_introspect_jwt */
    ngx_str_t cookie;
    ngx_str_t query;
    struct ngx_assay_place place; /* of assay_guard or assay_check */

    ngx_array_t rules;     /* of struct assay_rule */
    bool rules_begin_anew; /* after assay_require none */
    struct ngx_assay_place rules_place;
    ngx_str_t realm;          /* data NULL: that around */
    ngx_int_t forward;        /* NGX_CONF_UNSET, or an enum ngx_assay_forward */
    ngx_array_t *set_headers; /* of struct ngx_assay_header; NULL: those around */
    ngx_array_t *peers;       /* of ngx_cidr_t: who may use the judge endpoint; NULL: loopback */
    ngx_str_t control_secret; /* of assay_guard_control */

    const struct assay_policy *policy; /* NULL: nothing is guarded and nothing judged */
};

enum ngx_assay_forward {
    NGX_ASSAY_FORWARD_NONE = 0, /* the token is taken out of the request */
    NGX_ASSAY_FORWARD_TOKEN,
};

/* A variable of `assay_claim_set`, or `$assay_claim_NAME`. */
struct ngx_assay_claim_variable {
    size_t claim_at; /* in the claims that are kept */
};

struct ngx_assay_guard_main_conf {
    ngx_array_t providers; /* of struct ngx_assay_provider * */
    ngx_array_t pointers;  /* of struct assay_slice: the claims that are kept */
    struct assay_claims claims;
    ngx_array_t policies; /* of struct assay_policy * */
    ngx_array_t identity; /* of ngx_str_t: lower-case names that no client may set */
    ngx_shm_zone_t *zone;
    ngx_shm_zone_t *keys_zone; /* NULL: no provider's tokens are judged here */
    struct ngx_assay_place zone_place;
    bool used;       /* some location is guarded or judges */
    bool judges_jwt; /* some provider's tokens are judged here */
};

/* What workers share. */
struct ngx_assay_guard_zone {
    uint8_t key[ASSAY_PMAC_KEY_LEN]; /* by which tokens are found in what follows */
    struct assay_cache *cache;
    struct assay_asking *asking;
    struct ngx_assay_found *found;
};

/* Index of the claim `pointer`, which is kept from now on. SIZE_MAX, logged, when there are too
 * many. Only while the configuration is read. */
size_t ngx_assay_guard_claim(ngx_conf_t *cf, struct ngx_assay_guard_main_conf *conf,
                             struct assay_slice pointer);

/* What `member`, `offset` bytes into it, is part of. nginx's ngx_queue_data would cast from bytes.
 */
static inline void *ngx_assay_around(const void *member, size_t offset)
{
    return (u_char *)(uintptr_t)member - offset;
}

#endif
