/* What a location requires of a token: `assay_require`. */
#include "host/nginx/ngx_assay_guard_conf.h"
#include "host/nginx/ngx_assay_setting.h"
#include "oauth/scope.h"

static struct assay_rule *add_rule(struct ngx_assay_guard_loc_conf *loc)
{
    struct assay_rule *rule = ngx_array_push(&loc->rules);
    if (rule != NULL) {
        ngx_memzero(rule, sizeof(*rule));
    }
    return rule;
}

static char *require_claim(ngx_conf_t *cf, ngx_str_t *value, struct assay_rule *rule)
{
    u_char *equals = ngx_strlchr(value->data, value->data + value->len, '=');
    ngx_str_t name = {.data = value->data,
                      .len = equals == NULL ? 0 : (size_t)(equals - value->data)};
    ngx_str_t pointer = ngx_assay_claim_pointer(cf->pool, &name);
    if (pointer.len == 0) {
        return ngx_assay_refuse(cf,
                                "\"claim %V\" in \"assay_require\": NAME=VALUE is wanted, as in "
                                "role=admin, or a JSON pointer, as in "
                                "/realm_access/roles=admin",
                                value);
    }
    rule->claim = ngx_assay_slice(&pointer);
    rule->value = assay_slice_of(equals + 1, value->len - name.len - 1);
    rule->claim_at = ngx_assay_guard_claim(
        cf, ngx_http_conf_get_module_main_conf(cf, ngx_http_assay_guard_module), rule->claim);
    return rule->claim_at == SIZE_MAX ? NGX_CONF_ERROR : NGX_CONF_OK;
}

static char *require_auth_age(ngx_conf_t *cf, ngx_str_t *value, struct assay_rule *rule)
{
    int64_t ms = 0;
    if (!ngx_assay_read_ms(value, &ms) || ms < 1000) {
        return ngx_assay_refuse(cf,
                                "\"auth_age %V\" in \"assay_require\": a time of at least a "
                                "second is wanted, as in 5m",
                                value);
    }
    rule->auth_age_s = ms / 1000;
    return NGX_CONF_OK;
}

static char *require_one(ngx_conf_t *cf, const ngx_str_t *word, ngx_str_t *value,
                         struct assay_rule *rule)
{
    if (value->len == 0) {
        return ngx_assay_refuse(cf, "\"%V\" in \"assay_require\" has an empty value", word);
    }
    if (ngx_assay_is(word, "claim")) {
        return require_claim(cf, value, rule);
    }
    if (ngx_assay_is(word, "auth_age")) {
        return require_auth_age(cf, value, rule);
    }
    if (ngx_assay_is(word, "acr")) {
        rule->acr = ngx_assay_slice(value);
        return assay_scope_valid(rule->acr)
                   ? NGX_CONF_OK
                   : ngx_assay_refuse(cf,
                                      "\"acr %V\" in \"assay_require\": values with single "
                                      "spaces between are wanted",
                                      value);
    }
    if (ngx_assay_is(word, "audience")) {
        rule->audience = ngx_assay_slice(value);
        return NGX_CONF_OK;
    }
    rule->scope = ngx_assay_slice(value);
    return assay_scope_valid(rule->scope)
               ? NGX_CONF_OK
               : ngx_assay_refuse(cf,
                                  "\"scope %V\" in \"assay_require\": words with single spaces "
                                  "between are wanted, as in \"read write\"",
                                  value);
}

static bool is_requirement(const ngx_str_t *word)
{
    return ngx_assay_is(word, "scope") || ngx_assay_is(word, "audience") ||
           ngx_assay_is(word, "claim") || ngx_assay_is(word, "acr") ||
           ngx_assay_is(word, "auth_age");
}

/* error=, from the first of this directive's rules on. */
static char *require_error(ngx_conf_t *cf, const ngx_str_t *value,
                           struct ngx_assay_guard_loc_conf *loc, ngx_uint_t first)
{
    struct assay_rule *rules = loc->rules.elts;
    bool unauthorized = ngx_assay_is(value, "401");
    if (!unauthorized && !ngx_assay_is(value, "403")) {
        return ngx_assay_refuse(cf, "\"error=%V\" in \"assay_require\": it is 401 or 403", value);
    }
    for (ngx_uint_t i = first; i < loc->rules.nelts; i++) {
        rules[i].http_status = unauthorized ? 401 : 403;
    }
    return NGX_CONF_OK;
}

static char *require_nothing(ngx_conf_t *cf, struct ngx_assay_guard_loc_conf *loc)
{
    if (cf->args->nelts != 2 || loc->rules.nelts != 0) {
        return ngx_assay_refuse(cf, "\"assay_require none\" stands alone and before the others");
    }
    loc->rules_begin_anew = true;
    return NGX_CONF_OK;
}

static char *require_pair(ngx_conf_t *cf, ngx_uint_t at, struct ngx_assay_guard_loc_conf *loc)
{
    ngx_str_t *arguments = cf->args->elts;
    if (!is_requirement(&arguments[at]) || at + 1 == cf->args->nelts) {
        return ngx_assay_refuse(
            cf,
            "\"%V\" in \"assay_require\": scope, audience, claim, acr or auth_age is wanted, "
            "each with its value behind it, error=, or none",
            &arguments[at]);
    }
    struct assay_rule *rule = add_rule(loc);
    return rule == NULL ? NGX_CONF_ERROR
                        : require_one(cf, &arguments[at], &arguments[at + 1], rule);
}

char *ngx_assay_set_require(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    struct ngx_assay_guard_loc_conf *loc = conf;
    ngx_str_t *arguments = cf->args->elts;
    ngx_uint_t first = loc->rules.nelts;
    ngx_str_t error = ngx_null_string;
    (void)command;
    loc->rules_place = ngx_assay_place(cf);
    if (ngx_assay_is(&arguments[1], "none")) {
        return require_nothing(cf, loc);
    }
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
        if (error.data == NULL && ngx_assay_option(&arguments[i], "error=", &error)) {
            continue;
        }
        if (require_pair(cf, i, loc) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
        i++;
    }
    return error.data == NULL ? NGX_CONF_OK : require_error(cf, &error, loc, first);
}
