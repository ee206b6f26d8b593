#include "host/nginx/ngx_assay_guard_conf.h"

#include "base/limits.h"
#include "host/nginx/ngx_assay_setting.h"

static char duplicate[] = "is duplicate";

/* --- assay_cache --- */

#define MIN_ZONE ((ssize_t)1 << 20)

char *ngx_assay_set_cache(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    struct ngx_assay_guard_main_conf *main = conf;
    ngx_str_t *arguments = cf->args->elts;
    ngx_str_t name;
    (void)command;
    if (main->zone != NULL) {
        return duplicate;
    }
    u_char *colon = NULL;
    if (ngx_assay_option(&arguments[1], "zone=", &name)) {
        colon = ngx_strlchr(name.data, name.data + name.len, ':');
    }
    if (colon == NULL || colon == name.data) {
        return ngx_assay_refuse(cf,
                                "\"%V\" in \"assay_cache\": zone=NAME:SIZE is wanted, as in "
                                "zone=tokens:64m",
                                &arguments[1]);
    }
    ngx_str_t size = {.data = colon + 1, .len = (size_t)(name.data + name.len - colon - 1)};
    name.len = (size_t)(colon - name.data);
    ssize_t bytes = ngx_parse_size(&size);
    if (bytes == NGX_ERROR || bytes < MIN_ZONE) {
        return ngx_assay_refuse(cf,
                                "\"%V\" in \"assay_cache\": a size of at least 1m is wanted, as "
                                "in 64m (about 1,800 tokens a megabyte)",
                                &size);
    }
    main->zone_place = ngx_assay_place(cf);
    main->zone = ngx_shared_memory_add(cf, &name, (size_t)bytes, &ngx_http_assay_guard_module);
    return main->zone == NULL ? NGX_CONF_ERROR : NGX_CONF_OK;
}

/* --- assay_guard and assay_check --- */

static struct ngx_assay_provider *find_provider(ngx_conf_t *cf, const ngx_str_t *name)
{
    struct ngx_assay_guard_main_conf *main =
        ngx_http_conf_get_module_main_conf(cf, ngx_http_assay_guard_module);
    struct ngx_assay_provider **providers = main->providers.elts;
    for (ngx_uint_t i = 0; i < main->providers.nelts; i++) {
        if (ngx_strcmp(providers[i]->name.data, name->data) == 0) {
            return providers[i];
        }
    }
    (void)ngx_assay_refuse(cf,
                           "there is no provider \"%V\": define \"assay_provider %V { ... }\" in "
                           "http, before it is used",
                           name, name);
    return NULL;
}

/* An option that is said in so many words, or not at all. */
static bool read_yes(const ngx_str_t *value, bool *ret)
{
    *ret = ngx_assay_is(value, "yes");
    return *ret;
}

static bool read_introspect_jwt(const ngx_str_t *value, struct ngx_assay_guard_loc_conf *loc)
{
    static const char *const names[] = {"never", "when_doubtful", "always"};
    for (ngx_int_t i = 0; i < (ngx_int_t)(sizeof(names) / sizeof(names[0])); i++) {
        if (ngx_assay_is(value, names[i])) {
            loc->introspect_jwt = i;
            return true;
        }
    }
    return false;
}

/* Options that guard and judge endpoint share. NULL: none of them. */
static const char *read_common(ngx_str_t *argument, struct ngx_assay_guard_loc_conf *loc,
                               bool *ret_known)
{
    ngx_str_t value;
    *ret_known = true;
    if (ngx_assay_option(argument, "max_age=", &value)) {
        return ngx_assay_read_ms(&value, &loc->max_age_ms)
                   ? NULL
                   : "a time with its unit is wanted, as in 5s, or 0 to ask every time";
    }
    if (ngx_assay_option(argument, "introspect_jwt=", &value)) {
        return read_introspect_jwt(&value, loc) ? NULL : "it is never, when_doubtful or always";
    }
    if (ngx_assay_option(argument, "token_cookie=", &value)) {
        loc->cookie = value;
        return value.len != 0 ? NULL : "the name of a cookie is wanted";
    }
    if (ngx_assay_option(argument, "token_query=", &value)) {
        loc->query = value;
        return value.len != 0 ? NULL : "the name of a query parameter is wanted";
    }
    *ret_known = false;
    return NULL;
}

static const char *read_guard_option(ngx_str_t *argument, struct ngx_assay_guard_loc_conf *loc)
{
    ngx_str_t value;
    bool known;
    const char *right = read_common(argument, loc, &known);
    if (known) {
        return right;
    }
    if (ngx_assay_is(argument, "optional")) {
        loc->optional = true;
        return NULL;
    }
    if (ngx_assay_option(argument, "allow_preflight=", &value)) {
        return read_yes(&value, &loc->allow_preflight) ? NULL
                                                       : "leave it out, or say allow_preflight=yes";
    }
    if (ngx_assay_option(argument, "satisfy_any=", &value)) {
        return read_yes(&value, &loc->satisfy_any) ? NULL : "leave it out, or say satisfy_any=yes";
    }
    return "there is no such option; there are optional, max_age=, introspect_jwt=, token_cookie=, "
           "token_query=, "
           "allow_preflight= and satisfy_any=";
}

char *ngx_assay_set_guard(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    struct ngx_assay_guard_loc_conf *loc = conf;
    ngx_str_t *arguments = cf->args->elts;
    (void)command;
    if (loc->stated) {
        return duplicate;
    }
    loc->stated = true;
    loc->place = ngx_assay_place(cf);
    if (ngx_assay_is(&arguments[1], "off")) {
        loc->off = true;
        return cf->args->nelts == 2
                   ? NGX_CONF_OK
                   : ngx_assay_refuse(cf, "\"assay_guard off\" takes no options, found \"%V\"",
                                      &arguments[2]);
    }
    loc->provider = find_provider(cf, &arguments[1]);
    if (loc->provider == NULL) {
        return NGX_CONF_ERROR;
    }
    for (ngx_uint_t i = 2; i < cf->args->nelts; i++) {
        const char *right = read_guard_option(&arguments[i], loc);
        if (right != NULL) {
            return ngx_assay_refuse(cf, "\"%V\" in \"assay_guard\": %s", &arguments[i], right);
        }
    }
    if (loc->optional && loc->satisfy_any) {
        return ngx_assay_refuse(cf, "\"assay_guard\": optional and satisfy_any=yes together would "
                                    "let everyone in: leave one of them out");
    }
    return NGX_CONF_OK;
}

static char *add_peer(ngx_conf_t *cf, ngx_str_t *value, struct ngx_assay_guard_loc_conf *loc)
{
    if (loc->peers == NULL) {
        loc->peers = ngx_array_create(cf->pool, 2, sizeof(ngx_cidr_t));
    }
    ngx_cidr_t *cidr = loc->peers == NULL ? NULL : ngx_array_push(loc->peers);
    if (cidr == NULL) {
        return NGX_CONF_ERROR;
    }
    if (ngx_assay_is(value, "all")) {
        ngx_memzero(cidr, sizeof(*cidr)); /* family 0: every address */
        return NGX_CONF_OK;
    }
    ngx_int_t rc = ngx_ptocidr(value, cidr);
    return rc == NGX_OK ? NGX_CONF_OK
                        : ngx_assay_refuse(cf,
                                           "\"from=%V\" in \"assay_check\": an address or a "
                                           "network is wanted, as in 10.0.0.0/8, or all",
                                           value);
}

static char *read_check_option(ngx_conf_t *cf, ngx_str_t *argument,
                               struct ngx_assay_guard_loc_conf *loc)
{
    ngx_str_t value;
    bool known;
    if (ngx_assay_option(argument, "from=", &value)) {
        return add_peer(cf, &value, loc);
    }
    const char *right = read_common(argument, loc, &known);
    if (!known) {
        right = "there is no such option; there are max_age=, introspect_jwt=, token_cookie=, "
                "token_query= and from=";
    }
    return right == NULL ? NGX_CONF_OK
                         : ngx_assay_refuse(cf, "\"%V\" in \"assay_check\": %s", argument, right);
}

char *ngx_assay_set_check(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    struct ngx_assay_guard_loc_conf *loc = conf;
    ngx_str_t *arguments = cf->args->elts;
    (void)command;
    if (loc->stated) {
        return loc->judge ? duplicate
                          : ngx_assay_refuse(cf, "\"assay_check\" and \"assay_guard\" in one "
                                                 "location: the first judges by itself, leave the "
                                                 "other out");
    }
    loc->stated = true;
    loc->judge = true;
    loc->place = ngx_assay_place(cf);
    loc->provider = find_provider(cf, &arguments[1]);
    if (loc->provider == NULL) {
        return NGX_CONF_ERROR;
    }
    for (ngx_uint_t i = 2; i < cf->args->nelts; i++) {
        if (read_check_option(cf, &arguments[i], loc) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }
    return NGX_CONF_OK;
}

char *ngx_assay_set_control(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    static const size_t shortest = 32; /* bytes: nobody guesses it, and failures need no limit */
    struct ngx_assay_guard_loc_conf *loc = conf;
    ngx_str_t *arguments = cf->args->elts;
    ngx_str_t path;
    (void)command;
    if (loc->control_secret.data != NULL) {
        return duplicate;
    }
    if (!ngx_assay_option(&arguments[1], "secret_file=", &path) || path.len == 0) {
        return ngx_assay_refuse(cf, "\"%V\" in \"assay_guard_control\": secret_file=FILE is wanted",
                                &arguments[1]);
    }
    if (ngx_assay_read_secret(cf, &path, ASSAY_MAX_CLIENT_SECRET, &loc->control_secret) !=
        NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }
    if (loc->control_secret.len < shortest) {
        return ngx_assay_refuse(cf,
                                "the secret file \"%V\" holds fewer than 32 characters: make one "
                                "with \"openssl rand -hex 32\"",
                                &path);
    }
    return NGX_CONF_OK;
}
