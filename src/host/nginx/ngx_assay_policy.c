#include "host/nginx/ngx_assay_policy.h"

#include "host/nginx/ngx_assay_setting.h"
#include "base/limits.h"

/* --- what is inherited --- */

static char *refuse_at(ngx_conf_t *cf, const struct ngx_assay_place *place, const char *what)
{
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%s in %V:%ui", what, &place->file, place->line);
    return NGX_CONF_ERROR;
}

static void inherit_guard(const struct ngx_assay_guard_loc_conf *prev,
                          struct ngx_assay_guard_loc_conf *conf)
{
    if (conf->stated) {
        return;
    }
    conf->stated = prev->stated;
    conf->provider = prev->provider;
    conf->off = prev->off;
    conf->judge = prev->judge;
    conf->optional = prev->optional;
    conf->allow_preflight = prev->allow_preflight;
    conf->satisfy_any = prev->satisfy_any;
    conf->max_age_ms = prev->max_age_ms;
    conf->introspect_jwt = prev->introspect_jwt;
    conf->cookie = prev->cookie;
    conf->query = prev->query;
    conf->peers = prev->peers;
    conf->place = prev->place;
}

/* The rules around come first. */
static char *inherit_rules(const struct ngx_assay_guard_loc_conf *prev,
                           struct ngx_assay_guard_loc_conf *conf)
{
    ngx_uint_t own = conf->rules.nelts;
    if (conf->rules_begin_anew || prev->rules.nelts == 0) {
        return NGX_CONF_OK;
    }
    if (conf->rules_place.line == 0) {
        conf->rules_place = prev->rules_place;
    }
    if (ngx_array_push_n(&conf->rules, prev->rules.nelts) == NULL) {
        return NGX_CONF_ERROR;
    }
    struct assay_rule *rules = conf->rules.elts;
    ngx_memmove(rules + prev->rules.nelts, rules, own * sizeof(*rules));
    ngx_memcpy(rules, prev->rules.elts, prev->rules.nelts * sizeof(*rules));
    return NGX_CONF_OK;
}

static void inherit_rest(const struct ngx_assay_guard_loc_conf *prev,
                         struct ngx_assay_guard_loc_conf *conf)
{
    if (conf->realm.data == NULL) {
        conf->realm = prev->realm;
    }
    if (conf->forward == NGX_CONF_UNSET) {
        conf->forward = prev->forward;
    }
    if (conf->set_headers == NULL) {
        conf->set_headers = prev->set_headers;
    }
}

/* --- policies --- */

static bool same_rule(const struct assay_rule *a, const struct assay_rule *b)
{
    return assay_slice_equal(a->scope, b->scope) && assay_slice_equal(a->audience, b->audience) &&
           assay_slice_equal(a->claim, b->claim) && assay_slice_equal(a->value, b->value) &&
           assay_slice_equal(a->acr, b->acr) && a->auth_age_s == b->auth_age_s &&
           a->http_status == b->http_status;
}

static bool same_rules(const struct assay_rules *a, const struct assay_rules *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!same_rule(&a->rules[i], &b->rules[i])) {
            return false;
        }
    }
    return true;
}

static bool same_policy(const struct assay_policy *a, const struct assay_policy *b)
{
    return a->provider == b->provider && same_rules(&a->rules, &b->rules) &&
           assay_slice_equal(a->sources.cookie, b->sources.cookie) &&
           assay_slice_equal(a->sources.query, b->sources.query) &&
           assay_slice_equal(a->realm, b->realm) && a->optional == b->optional &&
           a->allow_preflight == b->allow_preflight && a->max_age_ms == b->max_age_ms &&
           a->introspect_jwt == b->introspect_jwt && a->own_max_age == b->own_max_age;
}

static const struct assay_policy *intern(ngx_conf_t *cf, struct ngx_assay_guard_main_conf *main,
                                         const struct assay_policy *wanted)
{
    struct assay_policy **policies = main->policies.elts;
    for (ngx_uint_t i = 0; i < main->policies.nelts; i++) {
        if (same_policy(policies[i], wanted)) {
            return policies[i];
        }
    }
    struct assay_policy **place = ngx_array_push(&main->policies);
    struct assay_policy *policy = ngx_palloc(cf->pool, sizeof(*policy));
    if (place == NULL || policy == NULL) {
        return NULL;
    }
    *policy = *wanted;
    *place = policy;
    return policy;
}

/* The claims that rules look at are kept. */
static bool want_claims(ngx_conf_t *cf, struct ngx_assay_guard_main_conf *main,
                        struct assay_rules *rules)
{
    rules->certificate_at = ngx_assay_guard_claim(cf, main, ASSAY_SLICE(ASSAY_CERTIFICATE_CLAIM));
    for (size_t i = 0; i < rules->count; i++) {
        if (rules->rules[i].scope.len != 0) {
            rules->scope_at = ngx_assay_guard_claim(cf, main, ASSAY_SLICE("/scope"));
        }
        if (rules->rules[i].audience.len != 0) {
            rules->audience_at = ngx_assay_guard_claim(cf, main, ASSAY_SLICE("/aud"));
        }
        if (rules->rules[i].acr.len != 0) {
            rules->acr_at = ngx_assay_guard_claim(cf, main, ASSAY_SLICE("/acr"));
        }
        if (rules->rules[i].auth_age_s != 0) {
            rules->auth_time_at = ngx_assay_guard_claim(cf, main, ASSAY_SLICE("/auth_time"));
        }
    }
    return rules->scope_at != SIZE_MAX && rules->audience_at != SIZE_MAX &&
           rules->acr_at != SIZE_MAX && rules->auth_time_at != SIZE_MAX &&
           rules->certificate_at != SIZE_MAX;
}

/* Where signed tokens are all there are, nobody is asked unless the location says so. */
static enum assay_introspect_jwt introspect_jwt(const struct ngx_assay_guard_loc_conf *conf)
{
    if (conf->introspect_jwt != NGX_CONF_UNSET) {
        return (enum assay_introspect_jwt)conf->introspect_jwt;
    }
    return conf->provider->core.mode == ASSAY_GUARD_MODE_JWT ? ASSAY_INTROSPECT_NEVER
                                                             : ASSAY_INTROSPECT_WHEN_DOUBTFUL;
}

static char *make_policy(ngx_conf_t *cf, struct ngx_assay_guard_loc_conf *conf)
{
    static ngx_str_t api = ngx_string("api");
    struct ngx_assay_guard_main_conf *main =
        ngx_http_conf_get_module_main_conf(cf, ngx_http_assay_guard_module);
    int64_t max_age_ms = conf->provider->core.max_age_ms;
    bool own = conf->max_age_ms >= 0;
    struct assay_policy policy = {
        .provider = &conf->provider->core,
        .claims = &main->claims,
        .rules = {.rules = conf->rules.elts, .count = conf->rules.nelts},
        .sources = {.cookie = ngx_assay_slice(&conf->cookie),
                    .query = ngx_assay_slice(&conf->query)},
        .realm = ngx_assay_slice(conf->realm.data == NULL ? &api : &conf->realm),
        .optional = conf->optional,
        .allow_preflight = conf->allow_preflight,
        .max_age_ms = own ? conf->max_age_ms : max_age_ms,
        .own_max_age = own,
        .introspect_jwt = introspect_jwt(conf),
    };
    if (!want_claims(cf, main, &policy.rules)) {
        return NGX_CONF_ERROR;
    }
    main->used = true;
    conf->policy = intern(cf, main, &policy);
    return conf->policy == NULL ? NGX_CONF_ERROR : NGX_CONF_OK;
}

/* A token that is judged here is good for whom its issuer made it (RFC 9068 section 4), and nobody
 * else tells whom. */
static const char *jwt_fault(const struct ngx_assay_guard_loc_conf *conf)
{
    const struct assay_provider *core = &conf->provider->core;
    const struct assay_rule *rules = conf->rules.elts;
    bool audience = false;
    if (core->mode == ASSAY_GUARD_MODE_OPAQUE) {
        return conf->introspect_jwt == NGX_CONF_UNSET
                   ? NULL
                   : "introspect_jwt= where all tokens are asked about: say \"mode auto;\" in the "
                     "provider, or take it out";
    }
    for (ngx_uint_t i = 0; i < conf->rules.nelts; i++) {
        audience = audience || rules[i].audience.len != 0;
    }
    if (!audience) {
        return "a provider whose tokens are judged here, and no \"assay_require audience\": a "
               "token made for another API would pass";
    }
    return !core->may_ask && introspect_jwt(conf) != ASSAY_INTROSPECT_NEVER
               ? "introspect_jwt= with a provider that has no credentials to ask with"
               : NULL;
}

/* A challenge names all of it. */
static bool scope_fits(const struct ngx_assay_guard_loc_conf *conf)
{
    uint8_t room[ASSAY_MAX_SCOPE];
    struct assay_buf scope;
    struct assay_rules rules = {.rules = conf->rules.elts, .count = conf->rules.nelts};
    assay_buf_init(&scope, room, sizeof(room));
    assay_rules_scope(&rules, &scope);
    return !scope.spent;
}

static char *check(ngx_conf_t *cf, const struct ngx_assay_guard_loc_conf *conf, bool own)
{
    const ngx_http_core_loc_conf_t *core =
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    if (conf->rules.nelts != 0 && !conf->stated) {
        return refuse_at(cf, &conf->rules_place,
                         "\"assay_require\" where nothing guards: say \"assay_guard NAME;\" or "
                         "\"assay_guard off;\" here or around, for the directive");
    }
    const char *fault = conf->provider == NULL ? NULL : jwt_fault(conf);
    if (fault != NULL) {
        return refuse_at(cf, &conf->place, fault);
    }
    if (!scope_fits(conf)) {
        return refuse_at(cf, &conf->rules_place,
                         "the scopes of \"assay_require\" here and around are together longer "
                         "than 1024 bytes");
    }
    bool any = core->satisfy == NGX_HTTP_SATISFY_ANY;
    if (conf->satisfy_any && own && !any) {
        return refuse_at(
            cf, &conf->place,
            "satisfy_any=yes where \"satisfy any\" does not hold: say both in one place");
    }
    if (conf->provider != NULL && !conf->judge && any && !conf->satisfy_any) {
        return refuse_at(cf, &conf->place,
                         "\"satisfy any\" lets requests pass without a token: take it out, or say "
                         "satisfy_any=yes in the \"assay_guard\"");
    }
    return NGX_CONF_OK;
}

char *ngx_assay_policy_merge(ngx_conf_t *cf, const struct ngx_assay_guard_loc_conf *prev,
                             struct ngx_assay_guard_loc_conf *conf)
{
    bool own = conf->stated; /* the guard stands here, not around */
    inherit_guard(prev, conf);
    inherit_rest(prev, conf);
    if (inherit_rules(prev, conf) != NGX_CONF_OK || check(cf, conf, own) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }
    return conf->provider == NULL ? NGX_CONF_OK : make_policy(cf, conf);
}

/* --- when everything has been read --- */

static enum assay_status name_scopes(struct assay_policy *policy, const struct assay_claims *claims,
                                     struct assay_digester *digester, struct assay_error *error)
{
    enum assay_status status = ASSAY_OK;
    for (size_t by = 0; by < ASSAY_TOLD_BY_KINDS && status == ASSAY_OK; by++) {
        status = assay_provider_scope(policy->provider, (enum assay_told_by)by, claims, digester,
                                      policy->scope[by], error);
    }
    return status;
}

ngx_int_t ngx_assay_policies_finish(ngx_conf_t *cf, struct ngx_assay_guard_main_conf *main)
{
    struct assay_policy **policies = main->policies.elts;
    struct assay_digester *digester = NULL;
    struct assay_error error = {0};
    enum assay_status status = assay_digester_open(&digester, &error);
    main->claims = (struct assay_claims){main->pointers.elts, main->pointers.nelts};
    for (ngx_uint_t i = 0; i < main->policies.nelts && status == ASSAY_OK; i++) {
        status = name_scopes(policies[i], &main->claims, digester, &error);
    }
    assay_digester_close(digester);
    if (status != ASSAY_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "assay_guard: %s", error.what);
        return NGX_ERROR;
    }
    return NGX_OK;
}
