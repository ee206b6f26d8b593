/* Inside the block `assay_provider NAME { ... }`: what it is read into, and its words about
 * credentials. */
#ifndef ASSAY_HOST_NGX_ASSAY_PROVIDER_BLOCK_H
#define ASSAY_HOST_NGX_ASSAY_PROVIDER_BLOCK_H

#include "host/nginx/ngx_assay_guard.h"

/* Gone when the block has been read. */
struct ngx_assay_provider_block {
    struct ngx_assay_provider *provider;
    ngx_array_t parameters; /* of struct assay_parameter */
    ngx_str_t secret_file;
    ngx_str_t bearer_file;
    ngx_str_t key_file;
    ngx_uint_t seen; /* a bit for each word */
    bool auth_said;
};

/* Reads the values of one word. */
typedef char *ngx_assay_provider_word_pt(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                                         ngx_str_t *values, ngx_uint_t count);

/* Refuses `found` in the line that is being read; `right` says what is wanted. */
char *ngx_assay_provider_wanted(ngx_conf_t *cf, const ngx_str_t *found, const char *right);

/* Refuses the block as a whole: "assay_provider NAME" and `what`. */
char *ngx_assay_provider_lacks(ngx_conf_t *cf, const struct ngx_assay_provider_block *block,
                               const char *what);

/* --- ngx_assay_provider_credentials.c --- */

ngx_assay_provider_word_pt ngx_assay_read_client_id;
ngx_assay_provider_word_pt ngx_assay_read_secret_file;
ngx_assay_provider_word_pt ngx_assay_read_bearer_file;
ngx_assay_provider_word_pt ngx_assay_read_key_file;
ngx_assay_provider_word_pt ngx_assay_read_certificate;
ngx_assay_provider_word_pt ngx_assay_read_certificate_key;
ngx_assay_provider_word_pt ngx_assay_read_auth;

/* When the block has been read: the files, and whether they are what the method wants. */
char *ngx_assay_read_credentials(ngx_conf_t *cf, struct ngx_assay_provider_block *block);

#endif
