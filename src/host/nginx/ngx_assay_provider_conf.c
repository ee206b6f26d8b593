/* The block `assay_provider NAME { ... }`. */
#include "host/nginx/ngx_assay_guard_conf.h"

#include "base/limits.h"
#include "fetch/fetch.h"
#include "host/nginx/ngx_assay_provider_block.h"
#include "host/nginx/ngx_assay_setting.h"
#include "jose/alg.h"
#include "oauth/issuer.h"

/* One directive of the block. */
struct row {
    const char *name;
    ngx_uint_t most; /* arguments, at least one */
    bool repeatable;
    ngx_assay_provider_word_pt *read;
};

/* --- refusals --- */

char *ngx_assay_provider_wanted(ngx_conf_t *cf, const ngx_str_t *found, const char *right)
{
    return ngx_assay_refuse(cf, "\"%V\" in \"%V\": %s", found, &((ngx_str_t *)cf->args->elts)[0],
                            right);
}

char *ngx_assay_provider_lacks(ngx_conf_t *cf, const struct ngx_assay_provider_block *block,
                               const char *what)
{
    return ngx_assay_refuse(cf, "\"assay_provider %V\" %s", &block->provider->name, what);
}

/* --- rows --- */

static char *read_time(ngx_conf_t *cf, ngx_str_t *value, int64_t least_ms, int64_t *ret)
{
    return ngx_assay_read_ms(value, ret) && *ret >= least_ms
               ? NGX_CONF_OK
               : ngx_assay_provider_wanted(cf, value,
                                           "a time with its unit is wanted, as in 3s or 500ms");
}

static char *read_issuer(ngx_conf_t *cf, struct ngx_assay_provider_block *block, ngx_str_t *values,
                         ngx_uint_t count)
{
    const char *fault = assay_issuer_fault(ngx_assay_slice(&values[0]));
    (void)count;
    if (fault != NULL) {
        return ngx_assay_provider_wanted(cf, &values[0], fault);
    }
    block->provider->core.issuer = ngx_assay_slice(&values[0]);
    return NGX_CONF_OK;
}

static char *read_endpoints(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                            ngx_str_t *values, ngx_uint_t count)
{
    struct assay_provider *core = &block->provider->core;
    (void)cf;
    for (ngx_uint_t i = 0; i < count; i++) {
        core->endpoints[i] = ngx_assay_slice(&values[i]);
    }
    core->endpoint_count = count;
    return NGX_CONF_OK;
}

static char *read_mode(ngx_conf_t *cf, struct ngx_assay_provider_block *block, ngx_str_t *values,
                       ngx_uint_t count)
{
    static const char *const names[] = {"opaque", "jwt", "auto"};
    (void)count;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (ngx_assay_is(&values[0], names[i])) {
            block->provider->core.mode = (enum assay_guard_mode)i;
            return NGX_CONF_OK;
        }
    }
    return ngx_assay_provider_wanted(cf, &values[0], "it is opaque, jwt or auto");
}

static char *read_jwks_uri(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                           ngx_str_t *values, ngx_uint_t count)
{
    (void)count;
    (void)cf;
    block->provider->core.jwks_uri = ngx_assay_slice(&values[0]);
    return NGX_CONF_OK;
}

static char *read_jwks_max_age(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                               ngx_str_t *values, ngx_uint_t count)
{
    (void)count;
    return read_time(cf, &values[0], 1000, &block->provider->keys_max_age_ms);
}

static char *read_jwt_type(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                           ngx_str_t *values, ngx_uint_t count)
{
    (void)count;
    block->provider->core.jwt_type = ngx_assay_slice(&values[0]);
    return values[0].len != 0
               ? NGX_CONF_OK
               : ngx_assay_provider_wanted(cf, &values[0], "a type is wanted, as in at+jwt");
}

static char *read_jwt_algorithms(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                                 ngx_str_t *values, ngx_uint_t count)
{
    uint32_t *algorithms = &block->provider->core.jwt_algorithms;
    *algorithms = 0;
    for (ngx_uint_t i = 0; i < count; i++) {
        uint32_t one = 0;
        if (!assay_alg_set_read(ngx_assay_slice(&values[i]), &one) ||
            (one & ASSAY_ALGS_SHARED) != 0) {
            return ngx_assay_provider_wanted(
                cf, &values[i], "an algorithm with a public key is wanted, as in RS256");
        }
        *algorithms |= one;
    }
    return NGX_CONF_OK;
}

static char *read_ca_file(ngx_conf_t *cf, struct ngx_assay_provider_block *block, ngx_str_t *values,
                          ngx_uint_t count)
{
    (void)count;
    block->provider->ca_file = values[0];
    if (ngx_conf_full_name(cf->cycle, &block->provider->ca_file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    ngx_file_info_t info;
    if (ngx_file_info(block->provider->ca_file.data, &info) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "the ca_file \"%V\" cannot be read",
                           &block->provider->ca_file);
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}

static char *read_connect_timeout(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                                  ngx_str_t *values, ngx_uint_t count)
{
    (void)count;
    return read_time(cf, &values[0], 1, &block->provider->connect_ms);
}

static char *read_timeout(ngx_conf_t *cf, struct ngx_assay_provider_block *block, ngx_str_t *values,
                          ngx_uint_t count)
{
    (void)count;
    return read_time(cf, &values[0], 1, &block->provider->whole_ms);
}

static char *read_max_age(ngx_conf_t *cf, struct ngx_assay_provider_block *block, ngx_str_t *values,
                          ngx_uint_t count)
{
    (void)count;
    return read_time(cf, &values[0], 0, &block->provider->core.max_age_ms);
}

static char *read_staleness(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                            ngx_str_t *values, ngx_uint_t count)
{
    (void)count;
    return read_time(cf, &values[0], 0, &block->provider->core.staleness_ms);
}

static char *read_inactive_age(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                               ngx_str_t *values, ngx_uint_t count)
{
    (void)count;
    return read_time(cf, &values[0], 0, &block->provider->core.inactive_age_ms);
}

static char *read_leeway(ngx_conf_t *cf, struct ngx_assay_provider_block *block, ngx_str_t *values,
                         ngx_uint_t count)
{
    int64_t ms = 0;
    (void)count;
    if (!ngx_assay_read_ms(&values[0], &ms) || ms > 300000) {
        return ngx_assay_provider_wanted(cf, &values[0],
                                         "a time with its unit is wanted, 0 to 300s");
    }
    block->provider->core.leeway_s = ms / 1000;
    return NGX_CONF_OK;
}

static char *read_count(ngx_conf_t *cf, ngx_str_t *value, ngx_int_t least, ngx_int_t most,
                        ngx_uint_t *ret)
{
    ngx_int_t n = ngx_atoi(value->data, value->len);
    if (n == NGX_ERROR || n < least || n > most) {
        return ngx_assay_refuse(cf, "\"%V\" in \"%V\": a number from %i to %i is wanted", value,
                                &((ngx_str_t *)cf->args->elts)[0], least, most);
    }
    *ret = (ngx_uint_t)n;
    return NGX_CONF_OK;
}

static char *read_retries(ngx_conf_t *cf, struct ngx_assay_provider_block *block, ngx_str_t *values,
                          ngx_uint_t count)
{
    (void)count;
    return read_count(cf, &values[0], 0, ASSAY_MAX_ENDPOINTS, &block->provider->retries);
}

static char *read_max_asking(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                             ngx_str_t *values, ngx_uint_t count)
{
    char *rc = read_count(cf, &values[0], 1, 1024, &block->provider->asking_max);
    block->provider->asking_address_max =
        ngx_min(block->provider->asking_max, (ngx_uint_t)ASSAY_MAX_ASKING_CLIENT);
    return rc == NGX_CONF_OK && count == 2
               ? read_count(cf, &values[1], 1, (ngx_int_t)block->provider->asking_max,
                            &block->provider->asking_address_max)
               : rc;
}

static char *read_token_parameter(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                                  ngx_str_t *values, ngx_uint_t count)
{
    (void)count;
    block->provider->core.token_parameter = ngx_assay_slice(&values[0]);
    return values[0].len != 0 ? NGX_CONF_OK
                              : ngx_assay_provider_wanted(cf, &values[0],
                                                          "the name of a form parameter is wanted");
}

static char *read_parameter(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                            ngx_str_t *values, ngx_uint_t count)
{
    struct assay_parameter *parameter =
        block->parameters.nelts == ASSAY_MAX_PARAMETERS ? NULL : ngx_array_push(&block->parameters);
    if (parameter == NULL || count != 2 || values[0].len == 0) {
        return ngx_assay_provider_wanted(cf, &values[0], "NAME VALUE is wanted, at most 16 times");
    }
    parameter->name = ngx_assay_slice(&values[0]);
    parameter->value = ngx_assay_slice(&values[1]);
    return NGX_CONF_OK;
}

static char *read_allow_cleartext(ngx_conf_t *cf, struct ngx_assay_provider_block *block,
                                  ngx_str_t *values, ngx_uint_t count)
{
    (void)count;
    block->provider->allow_cleartext = ngx_assay_is(&values[0], "yes");
    return block->provider->allow_cleartext
               ? NGX_CONF_OK
               : ngx_assay_provider_wanted(cf, &values[0],
                                           "leave it out, or say \"allow_cleartext yes;\"");
}

/* docs/configuration.md has a row for each, which a test compares. */
static const struct row rows[] = {
    {"issuer", 1, false, read_issuer},
    {"introspection_endpoint", ASSAY_MAX_ENDPOINTS, false, read_endpoints},
    {"client_id", 1, false, ngx_assay_read_client_id},
    {"client_secret_file", 1, false, ngx_assay_read_secret_file},
    {"bearer_token_file", 1, false, ngx_assay_read_bearer_file},
    {"client_key_file", 1, false, ngx_assay_read_key_file},
    {"client_certificate", 1, false, ngx_assay_read_certificate},
    {"client_certificate_key", 1, false, ngx_assay_read_certificate_key},
    {"client_auth", 1, false, ngx_assay_read_auth},
    {"mode", 1, false, read_mode},
    {"jwks_uri", 1, false, read_jwks_uri},
    {"jwks_max_age", 1, false, read_jwks_max_age},
    {"jwt_type", 1, false, read_jwt_type},
    {"jwt_algorithms", 12, false, read_jwt_algorithms},
    {"ca_file", 1, false, read_ca_file},
    {"connect_timeout", 1, false, read_connect_timeout},
    {"timeout", 1, false, read_timeout},
    {"max_age", 1, false, read_max_age},
    {"staleness", 1, false, read_staleness},
    {"inactive_age", 1, false, read_inactive_age},
    {"leeway", 1, false, read_leeway},
    {"retries", 1, false, read_retries},
    {"max_asking", 2, false, read_max_asking},
    {"token_parameter", 1, false, read_token_parameter},
    {"parameter", 2, true, read_parameter},
    {"allow_cleartext", 1, false, read_allow_cleartext},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* --- the block --- */

static const struct row *find_row(const ngx_str_t *name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (ngx_assay_is(name, rows[i].name)) {
            return &rows[i];
        }
    }
    return NULL;
}

static char *refuse_unknown(ngx_conf_t *cf, const ngx_str_t *found)
{
    u_char text[512];
    u_char *end = text;
    for (size_t i = 0; i < ROWS; i++) {
        end = ngx_slprintf(end, text + sizeof(text), " %s", rows[i].name);
    }
    return ngx_assay_refuse(cf, "\"%V\" in \"assay_provider\": there is no such word; there are%*s",
                            found, (size_t)(end - text), text);
}

/* nginx calls it for each line of the block. */
static char *read_line(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    struct ngx_assay_provider_block *block = cf->handler_conf;
    ngx_str_t *arguments = cf->args->elts;
    ngx_uint_t count = cf->args->nelts - 1;
    (void)dummy;
    (void)conf;
    const struct row *row = find_row(&arguments[0]);
    if (row == NULL) {
        return refuse_unknown(cf, &arguments[0]);
    }
    if (count == 0 || count > row->most) {
        return ngx_assay_refuse(cf, "\"%V\" in \"assay_provider\" takes %s", &arguments[0],
                                row->most == 1 ? "one value" : "one value or more, not as many");
    }
    ngx_uint_t bit = (ngx_uint_t)1 << (row - rows);
    if ((block->seen & bit) != 0 && !row->repeatable) {
        return ngx_assay_refuse(cf, "\"%V\" stands twice in \"assay_provider\"", &arguments[0]);
    }
    block->seen |= bit;
    return row->read(cf, block, &arguments[1], count);
}

static char *check_url(ngx_conf_t *cf, const struct ngx_assay_provider_block *block,
                       struct assay_slice url)
{
    if (url.len >= ASSAY_URL_MAX) {
        return ngx_assay_provider_lacks(cf, block, "has a URL of more than 2047 bytes");
    }
    /* nginx ends the words of a configuration with NUL */
    return assay_fetch_url_allowed((const char *)url.data, block->provider->allow_cleartext)
               ? NGX_CONF_OK
               : ngx_assay_refuse(cf,
                                  "\"%*s\" in \"assay_provider %V\": an https URL is wanted, or "
                                  "http to this very machine (to another one: \"allow_cleartext "
                                  "yes;\")",
                                  url.len, url.data, &block->provider->name);
}

/* What judging signed tokens takes. */
static char *check_keys(ngx_conf_t *cf, const struct ngx_assay_provider_block *block)
{
    const struct assay_provider *core = &block->provider->core;
    bool judges = core->mode != ASSAY_GUARD_MODE_OPAQUE;
    if (judges && core->issuer.len == 0) {
        return ngx_assay_provider_lacks(
            cf, block, "judges signed tokens and has no issuer: theirs must be it, so say which");
    }
    if (!judges && core->jwks_uri.len != 0) {
        return ngx_assay_provider_lacks(
            cf, block, "has a jwks_uri that nobody looks at: say \"mode auto;\", or take it out");
    }
    return core->jwks_uri.len == 0 ? NGX_CONF_OK : check_url(cf, block, core->jwks_uri);
}

static char *check_endpoints(ngx_conf_t *cf, const struct ngx_assay_provider_block *block)
{
    const struct assay_provider *core = &block->provider->core;
    if (core->endpoint_count == 0 && core->issuer.len == 0) {
        return ngx_assay_provider_lacks(
            cf, block,
            "has neither issuer nor introspection_endpoint: say where to ask, as "
            "in \"issuer https://auth.example.com;\"");
    }
    for (size_t i = 0; i < core->endpoint_count; i++) {
        if (check_url(cf, block, core->endpoints[i]) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }
    return NGX_CONF_OK;
}

static char *finish(ngx_conf_t *cf, struct ngx_assay_provider_block *block)
{
    struct assay_provider *core = &block->provider->core;
    core->parameters = block->parameters.elts;
    core->parameter_count = block->parameters.nelts;
    if (core->staleness_ms < 0) {
        core->staleness_ms = core->max_age_ms;
    }
    if (core->staleness_ms < core->max_age_ms) {
        return ngx_assay_provider_lacks(
            cf, block,
            "has a staleness below its max_age: it is how old an answer may be "
            "while the authorization server cannot be asked");
    }
    if (block->provider->connect_ms > block->provider->whole_ms) {
        return ngx_assay_provider_lacks(cf, block, "has a connect_timeout above its timeout");
    }
    return check_endpoints(cf, block) == NGX_CONF_OK && check_keys(cf, block) == NGX_CONF_OK
               ? ngx_assay_read_credentials(cf, block)
               : NGX_CONF_ERROR;
}

static struct ngx_assay_provider *
add_provider(ngx_conf_t *cf, struct ngx_assay_guard_main_conf *main, const ngx_str_t *name)
{
    struct ngx_assay_provider **place = ngx_array_push(&main->providers);
    struct ngx_assay_provider *provider = ngx_pcalloc(cf->pool, sizeof(*provider));
    if (place == NULL || provider == NULL) {
        return NULL;
    }
    *place = provider;
    *provider = (struct ngx_assay_provider){
        .core = {.name = ngx_assay_slice(name),
                 .token_parameter = ASSAY_SLICE("token"),
                 .jwt_type = ASSAY_SLICE("at+jwt"),
                 .jwt_algorithms = ASSAY_ALGS_PUBLIC,
                 .max_age_ms = ASSAY_DEFAULT_MAX_AGE_MS,
                 .staleness_ms = -1,
                 .inactive_age_ms = ASSAY_DEFAULT_INACTIVE_AGE_MS},
        .name = *name,
        .connect_ms = ASSAY_DEFAULT_CONNECT_MS,
        .whole_ms = ASSAY_DEFAULT_ASK_MS,
        .keys_max_age_ms = ASSAY_DEFAULT_KEYS_MAX_AGE_MS,
        .retries = 1,
        .asking_max = ASSAY_MAX_ASKING,
        .asking_address_max = ASSAY_MAX_ASKING_CLIENT,
        .place = ngx_assay_place(cf),
        .index = main->providers.nelts - 1,
    };
    return provider;
}

static bool is_known(const struct ngx_assay_guard_main_conf *main, const ngx_str_t *name)
{
    struct ngx_assay_provider *const *providers = main->providers.elts;
    for (ngx_uint_t i = 0; i < main->providers.nelts; i++) {
        if (assay_slice_equal(ngx_assay_slice(&providers[i]->name), ngx_assay_slice(name))) {
            return true;
        }
    }
    return false;
}

char *ngx_assay_set_provider(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    struct ngx_assay_guard_main_conf *main = conf;
    struct ngx_assay_provider_block block = {0};
    ngx_str_t name = ((ngx_str_t *)cf->args->elts)[1];
    (void)command;
    if (ngx_assay_is(&name, "off") || is_known(main, &name)) {
        return ngx_assay_refuse(cf, "\"assay_provider %V\": the name is taken, choose another",
                                &name);
    }
    block.provider = add_provider(cf, main, &name);
    if (block.provider == NULL ||
        ngx_array_init(&block.parameters, cf->pool, 2, sizeof(struct assay_parameter)) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    ngx_conf_t inner = *cf;
    inner.handler = read_line;
    inner.handler_conf = (void *)&block;
    char *rc = ngx_conf_parse(&inner, NULL);
    main->judges_jwt = main->judges_jwt || block.provider->core.mode != ASSAY_GUARD_MODE_OPAQUE;
    return rc == NGX_CONF_OK ? finish(cf, &block) : rc;
}
