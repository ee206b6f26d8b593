#include "host/nginx/ngx_assay_provider_block.h"

#include "base/limits.h"
#include "guard/assertion.h"
#include "host/nginx/ngx_assay_setting.h"

#define MAX_PEM 65536 /* bytes of a certificate with its chain, or of a key */

/* --- words --- */

char *ngx_assay_read_client_id(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                               ngx_str_t *values, ngx_uint_t count)
{
    (void)count;
    if (values[0].len == 0 || values[0].len > ASSAY_MAX_CLIENT_ID) {
        return ngx_assay_provider_wanted(cf, &values[0], "a client id of 1 to 256 bytes is wanted");
    }
    block->provider->core.client_id = ngx_assay_slice(&values[0]);
    return NGX_CONF_OK;
}

char *ngx_assay_read_secret_file(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                                 ngx_str_t *values, ngx_uint_t count)
{
    (void)cf;
    (void)count;
    block->secret_file = values[0];
    return NGX_CONF_OK;
}

char *ngx_assay_read_bearer_file(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                                 ngx_str_t *values, ngx_uint_t count)
{
    (void)cf;
    (void)count;
    block->bearer_file = values[0];
    return NGX_CONF_OK;
}

char *ngx_assay_read_key_file(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                              ngx_str_t *values, ngx_uint_t count)
{
    (void)cf;
    (void)count;
    block->key_file = values[0];
    return NGX_CONF_OK;
}

char *ngx_assay_read_certificate(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                                 ngx_str_t *values, ngx_uint_t count)
{
    (void)count;
    return ngx_assay_read_text(cf, &values[0], MAX_PEM, &block->provider->certificate);
}

char *ngx_assay_read_certificate_key(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                                     ngx_str_t *values, ngx_uint_t count)
{
    (void)count;
    return ngx_assay_read_text(cf, &values[0], MAX_PEM, &block->provider->certificate_key);
}

char *ngx_assay_read_auth(ngx_conf_t *cf, struct ngx_assay_provider_block *block, ngx_str_t *values,
                          ngx_uint_t count)
{
    static const struct {
        const char *name;
        enum assay_guard_auth auth;
    } methods[] = {
        {"client_secret_basic", ASSAY_GUARD_AUTH_BASIC},
        {"client_secret_post", ASSAY_GUARD_AUTH_POST},
        {"bearer", ASSAY_GUARD_AUTH_BEARER},
        {"private_key_jwt", ASSAY_GUARD_AUTH_KEY},
        {"tls_client_auth", ASSAY_GUARD_AUTH_TLS},
        {"self_signed_tls_client_auth", ASSAY_GUARD_AUTH_TLS},
    };
    (void)count;
    block->auth_said = true;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (ngx_assay_is(&values[0], methods[i].name)) {
            block->provider->core.auth = methods[i].auth;
            return NGX_CONF_OK;
        }
    }
    return ngx_assay_provider_wanted(
        cf, &values[0],
        "it is client_secret_basic, client_secret_post, private_key_jwt, "
        "tls_client_auth, self_signed_tls_client_auth or bearer");
}

/* --- when the block has been read --- */

/* The file of each kind of credentials, and the most that it holds. */
static ngx_str_t *file_of(struct ngx_assay_provider_block *block, enum assay_guard_auth auth,
                          const char **lacking)
{
    switch (auth) {
    case ASSAY_GUARD_AUTH_BASIC:
    case ASSAY_GUARD_AUTH_POST:
        *lacking = "has no client_secret_file";
        return &block->secret_file;
    case ASSAY_GUARD_AUTH_BEARER:
        *lacking = "has no bearer_token_file";
        return &block->bearer_file;
    case ASSAY_GUARD_AUTH_KEY:
        *lacking = "has no client_key_file";
        return &block->key_file;
    case ASSAY_GUARD_AUTH_TLS:
        break;
    }
    *lacking = NULL;
    return NULL;
}

static bool has_others(const struct ngx_assay_provider_block *block, const ngx_str_t *own)
{
    const ngx_str_t *all[] = {&block->secret_file, &block->bearer_file, &block->key_file};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i] != own && all[i]->len != 0) {
            return true;
        }
    }
    return false;
}

static char *read_key(ngx_conf_t *cf, const struct ngx_assay_provider_block *block, ngx_str_t *file,
                      ngx_str_t *ret)
{
    struct assay_assertion_key key;
    struct assay_arena arena;
    struct assay_error error = {0};
    void *memory = ngx_palloc(cf->temp_pool, ASSAY_ASSERTION_ARENA);
    if (memory == NULL || ngx_assay_read_text(cf, file, MAX_PEM, ret) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }
    if (block->provider->core.issuer.len == 0) {
        return ngx_assay_provider_lacks(cf, block,
                                        "has no issuer, for whom it would sign: say which");
    }
    assay_arena_init(&arena, memory, ASSAY_ASSERTION_ARENA);
    enum assay_status status = assay_assertion_open(ngx_assay_slice(ret), &arena, &key, &error);
    if (status == ASSAY_OK) {
        assay_assertion_close(&key);
    }
    assay_arena_release(&arena);
    return status == ASSAY_OK ? NGX_CONF_OK
                              : ngx_assay_refuse(cf,
                                                 "\"client_key_file %V\" in \"assay_provider "
                                                 "%V\" is no private JWK: %s",
                                                 file, &block->provider->name, error.what);
}

static char *read_secret(ngx_conf_t *cf, struct ngx_assay_provider_block *block, ngx_str_t *file)
{
    struct assay_provider *core = &block->provider->core;
    ngx_str_t secret = ngx_null_string;
    char *rc = NGX_CONF_OK;
    if (core->auth == ASSAY_GUARD_AUTH_KEY) {
        rc = read_key(cf, block, file, &secret);
    } else if (file != NULL) {
        bool bearer = core->auth == ASSAY_GUARD_AUTH_BEARER;
        rc = ngx_assay_read_secret(
            cf, file, bearer ? ASSAY_MAX_TOKEN_PARAM : ASSAY_MAX_CLIENT_SECRET, &secret);
    }
    core->secret = ngx_assay_slice(&secret);
    core->may_ask = true;
    return rc;
}

static char *check_certificate(ngx_conf_t *cf, const struct ngx_assay_provider_block *block)
{
    const struct ngx_assay_provider *provider = block->provider;
    if ((provider->certificate.len == 0) != (provider->certificate_key.len == 0)) {
        return ngx_assay_provider_lacks(
            cf, block, "has one of client_certificate and client_certificate_key: say both");
    }
    return provider->core.auth == ASSAY_GUARD_AUTH_TLS && provider->certificate.len == 0
               ? ngx_assay_provider_lacks(cf, block, "has no client_certificate")
               : NGX_CONF_OK;
}

char *ngx_assay_read_credentials(ngx_conf_t *cf, struct ngx_assay_provider_block *block)
{
    struct assay_provider *core = &block->provider->core;
    const char *lacking = NULL;
    if (!block->auth_said && block->bearer_file.len != 0) {
        core->auth = ASSAY_GUARD_AUTH_BEARER;
    } else if (!block->auth_said && block->key_file.len != 0) {
        core->auth = ASSAY_GUARD_AUTH_KEY;
    }
    ngx_str_t *file = file_of(block, core->auth, &lacking);
    bool others = has_others(block, file);
    if (file != NULL && file->len == 0) {
        bool needed = core->mode != ASSAY_GUARD_MODE_JWT || core->endpoint_count != 0 || others;
        return needed ? ngx_assay_provider_lacks(cf, block, lacking)
                      : NGX_CONF_OK; /* nobody is asked */
    }
    if (others) {
        return ngx_assay_provider_lacks(cf, block,
                                        "has credentials of two kinds: leave one of them out");
    }
    if (core->client_id.len == 0 && core->auth != ASSAY_GUARD_AUTH_BEARER) {
        return ngx_assay_provider_lacks(cf, block, "has no client_id");
    }
    return check_certificate(cf, block) == NGX_CONF_OK ? read_secret(cf, block, file)
                                                       : NGX_CONF_ERROR;
}
