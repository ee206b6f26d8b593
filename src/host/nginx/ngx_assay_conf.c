#include "host/nginx/ngx_assay_conf.h"

#include "base/limits.h"
#include "oauth/issuer.h"
#include "record/token_text.h"

/* An option `name=value`. docs/configuration.md has a row for each, which a test compares. */
struct option {
    ngx_str_t name; /* with its '=' */
    /* Puts the value in place. NULL, or what would be right, constant text. */
    const char *(*read)(ngx_str_t *value, void *target);
};

static bool is_word(const ngx_str_t *value, const char *word)
{
    return value->len == ngx_strlen(word) && ngx_strncmp(value->data, word, value->len) == 0;
}

static const char *read_switch(const ngx_str_t *value, bool *ret)
{
    *ret = is_word(value, "on");
    return *ret || is_word(value, "off") ? NULL : "it is on or off";
}

static const char *read_size(ngx_str_t *value, uint64_t *ret)
{
    static const off_t smallest = 1 << 20;
    off_t size = ngx_parse_offset(value);
    if (size < smallest) {
        return "a size of at least 1m is wanted, as in 64g";
    }
    *ret = (uint64_t)size;
    return NULL;
}

/* Seconds, with a unit: a bare number is refused, since its unit would be a guess. */
static bool read_time(ngx_str_t *value, int64_t min_s, int64_t max_s, int64_t *ret)
{
    if (value->len == 0 ||
        (value->data[value->len - 1] >= '0' && value->data[value->len - 1] <= '9')) {
        return false;
    }
    time_t seconds = ngx_parse_time(value, 1);
    if (seconds == (time_t)NGX_ERROR || seconds < min_s || seconds > max_s) {
        return false;
    }
    *ret = seconds;
    return true;
}

static const char *read_lifetime(ngx_str_t *value, int64_t *ret)
{
    return read_time(value, ASSAY_MIN_LIFETIME_S, ASSAY_MAX_LIFETIME_S, ret)
               ? NULL
               : "a time with its unit is wanted, 1s to 3650d, as in 1h";
}

/* --- assay_store --- */

static const char *read_max_size(ngx_str_t *value, void *target)
{
    return read_size(value, &((struct ngx_assay_store_conf *)target)->max_size);
}

static const char *read_map_size(ngx_str_t *value, void *target)
{
    return read_size(value, &((struct ngx_assay_store_conf *)target)->map_size);
}

static const char *read_sweep(ngx_str_t *value, void *target)
{
    return read_switch(value, &((struct ngx_assay_store_conf *)target)->sweep);
}

static const struct option store_options[] = {
    {ngx_string("max_size="), read_max_size},
    {ngx_string("map_size="), read_map_size},
    {ngx_string("sweep="), read_sweep},
    {ngx_null_string, NULL},
};

/* --- assay_server --- */

static const char *read_issuer(ngx_str_t *value, void *target)
{
    struct assay_server *server = target;
    server->issuer = assay_slice_of(value->data, value->len);
    return assay_issuer_fault(server->issuer);
}

static const char *read_token_prefix(ngx_str_t *value, void *target)
{
    struct assay_server *server = target;
    server->token_prefix = assay_slice_of(value->data, value->len);
    return assay_token_prefix_valid(server->token_prefix) ? NULL : ASSAY_TOKEN_PREFIX_RULE;
}

static const char *read_access_lifetime(ngx_str_t *value, void *target)
{
    return read_lifetime(value, &((struct assay_server *)target)->access_lifetime_s);
}

static const char *read_refresh_lifetime(ngx_str_t *value, void *target)
{
    return read_lifetime(value, &((struct assay_server *)target)->refresh_lifetime_s);
}

static const char *read_refresh_window(ngx_str_t *value, void *target)
{
    return read_time(value, 0, ASSAY_MAX_REFRESH_WINDOW_S,
                     &((struct assay_server *)target)->refresh_window_s)
               ? NULL
               : "a time with its unit is wanted, 0s to 300s, as in 10s";
}

static const char *read_revoke_access_ends_grant(ngx_str_t *value, void *target)
{
    return read_switch(value, &((struct assay_server *)target)->revoke_access_ends_grant);
}

/* Said in so many words, or not at all. */
static const char *read_allow_cleartext(ngx_str_t *value, void *target)
{
    struct assay_server *server = target;
    server->allow_cleartext = is_word(value, "yes");
    return server->allow_cleartext ? NULL : "leave it out, or say allow_cleartext=yes";
}

/* For a location that nginx's own allow and deny keep to those who may see. */
static const char *read_open_metrics(ngx_str_t *value, void *target)
{
    struct assay_server *server = target;
    server->open_metrics = is_word(value, "yes");
    return server->open_metrics ? NULL : "leave it out, or say open_metrics=yes";
}

static const struct option server_options[] = {
    {ngx_string("issuer="), read_issuer},
    {ngx_string("token_prefix="), read_token_prefix},
    {ngx_string("access_lifetime="), read_access_lifetime},
    {ngx_string("refresh_lifetime="), read_refresh_lifetime},
    {ngx_string("refresh_window="), read_refresh_window},
    {ngx_string("revoke_access_ends_grant="), read_revoke_access_ends_grant},
    {ngx_string("allow_cleartext="), read_allow_cleartext},
    {ngx_string("open_metrics="), read_open_metrics},
    {ngx_null_string, NULL},
};

/* --- reading --- */

static char *refuse(ngx_conf_t *cf, const ngx_str_t *found, const char *right)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" in \"%V\": %s", found,
                       &((ngx_str_t *)cf->args->elts)[0], right);
    return NGX_CONF_ERROR;
}

static char *refuse_unknown(ngx_conf_t *cf, const ngx_str_t *found, const struct option *options)
{
    u_char text[512];
    u_char *end = ngx_sprintf(text, "there is no such option; there are");
    for (; options->name.len != 0; options++) {
        end = ngx_slprintf(end, text + sizeof(text) - 1, " %V", &options->name);
    }
    *end = '\0';
    return refuse(cf, found, (const char *)text);
}

/* The value behind an option's name; false when the argument has another name. */
static bool value_of(const ngx_str_t *argument, const ngx_str_t *name, ngx_str_t *ret)
{
    if (argument->len < name->len || ngx_strncmp(argument->data, name->data, name->len) != 0) {
        return false;
    }
    ret->data = argument->data + name->len;
    ret->len = argument->len - name->len;
    return true;
}

/* `*seen` has a bit for each option that stood before. */
static char *read_option(ngx_conf_t *cf, ngx_str_t *argument, const struct option *options,
                         ngx_uint_t *seen, void *target)
{
    ngx_str_t value;
    for (ngx_uint_t i = 0; options[i].name.len != 0; i++) {
        if (!value_of(argument, &options[i].name, &value)) {
            continue;
        }
        if ((*seen & (ngx_uint_t)1 << i) != 0) {
            return refuse(cf, argument, "the option stands twice");
        }
        *seen |= (ngx_uint_t)1 << i;
        const char *right = options[i].read(&value, target);
        return right == NULL ? NGX_CONF_OK : refuse(cf, argument, right);
    }
    return refuse_unknown(cf, argument, options);
}

static char *read_options(ngx_conf_t *cf, ngx_uint_t first, const struct option *options,
                          void *target)
{
    ngx_str_t *arguments = cf->args->elts;
    ngx_uint_t seen = 0;
    for (ngx_uint_t i = first; i < cf->args->nelts; i++) {
        if (read_option(cf, &arguments[i], options, &seen, target) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }
    return NGX_CONF_OK;
}

char *ngx_assay_conf_store(ngx_conf_t *cf, struct ngx_assay_store_conf *ret)
{
    return read_options(cf, 2, store_options, ret);
}

char *ngx_assay_conf_server(ngx_conf_t *cf, struct assay_server *ret)
{
    if (read_options(cf, 1, server_options, ret) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }
    if (ret->issuer.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"assay_server\" needs issuer=, as in issuer=https://auth.example.com");
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}
