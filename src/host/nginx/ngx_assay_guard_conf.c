#include "host/nginx/ngx_assay_guard_conf.h"

#include "base/limits.h"
#include "base/secret.h"
#include "json/reader.h"
#include "oauth/scope.h"

/* --- what the setters share --- */

char *ngx_assay_refuse(ngx_conf_t *cf, const char *format, ...)
{
    u_char text[NGX_MAX_CONF_ERRSTR];
    va_list arguments;
    va_start(arguments, format);
    u_char *end = ngx_vslprintf(text, text + sizeof(text), format, arguments);
    va_end(arguments);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%*s", (size_t)(end - text), text);
    return NGX_CONF_ERROR;
}

struct ngx_assay_place ngx_assay_place(ngx_conf_t *cf)
{
    return (struct ngx_assay_place){.file = cf->conf_file->file.name, .line = cf->conf_file->line};
}

struct assay_slice ngx_assay_slice(const ngx_str_t *text)
{
    return assay_slice_of(text->data, text->len);
}

bool ngx_assay_is(const ngx_str_t *text, const char *word)
{
    return assay_slice_equal(ngx_assay_slice(text), assay_slice_of_text(word));
}

bool ngx_assay_option(const ngx_str_t *argument, const char *name, ngx_str_t *ret)
{
    size_t len = ngx_strlen(name);
    if (argument->len < len || ngx_memcmp(argument->data, name, len) != 0) {
        return false;
    }
    ret->data = argument->data + len;
    ret->len = argument->len - len;
    return true;
}

bool ngx_assay_read_ms(ngx_str_t *value, int64_t *ret)
{
    bool zero = ngx_assay_is(value, "0");
    if (value->len == 0 || (!zero && value->data[value->len - 1] <= '9')) {
        return false; /* a bare number: its unit would be a guess */
    }
    ngx_int_t ms = ngx_parse_time(value, 0);
    if (ms == NGX_ERROR || ms > (ngx_int_t)ASSAY_MAX_LIFETIME_S * 1000) {
        return false;
    }
    *ret = ms;
    return true;
}

/* The file's bytes into the configuration's memory: one more than `max` tells that it is too long.
 */
static bool read_file(ngx_conf_t *cf, ngx_str_t *path, size_t max, ngx_str_t *ret)
{
    ngx_fd_t fd = open((const char *)path->data, O_RDONLY | O_CLOEXEC);
    if (fd == NGX_INVALID_FILE) {
        return false;
    }
    ret->data = ngx_pnalloc(cf->pool, max + 1);
    ssize_t got = ret->data == NULL ? -1 : ngx_read_fd(fd, ret->data, max + 1);
    ngx_err_t error = ngx_errno;
    (void)ngx_close_file(fd);
    ngx_set_errno(error);
    ret->len = got < 0 ? 0 : (size_t)got;
    return got >= 0;
}

char *ngx_assay_read_secret(ngx_conf_t *cf, ngx_str_t *path, size_t max, ngx_str_t *ret)
{
    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    if (!read_file(cf, path, max + 2, ret)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "the secret file \"%V\" cannot be read",
                           path);
        return NGX_CONF_ERROR;
    }
    if (ret->len > 0 && ret->data[ret->len - 1] == '\n') {
        ret->len--;
    }
    if (ret->len == 0) {
        return ngx_assay_refuse(cf, "the secret file \"%V\" is empty", path);
    }
    for (size_t i = 0; i < ret->len; i++) {
        if (ret->data[i] < 0x20 || ret->data[i] > 0x7E) {
            return ngx_assay_refuse(cf, "the secret file \"%V\" is not one line of printable text",
                                    path);
        }
    }
    return ret->len > max ? ngx_assay_refuse(cf, "the secret file \"%V\" is too long", path)
                          : NGX_CONF_OK;
}

ngx_str_t ngx_assay_claim_pointer(ngx_pool_t *pool, const ngx_str_t *name)
{
    ngx_str_t pointer = *name;
    ngx_str_t none = ngx_null_string;
    if (name->len != 0 && name->data[0] == '/') {
        return assay_json_pointer_valid(ngx_assay_slice(name)) ? pointer : none;
    }
    u_char *out = name->len == 0 ? NULL : ngx_pnalloc(pool, 1 + 2 * name->len);
    if (out == NULL) {
        return none;
    }
    pointer.data = out;
    *out++ = '/';
    for (size_t i = 0; i < name->len; i++) {
        u_char c = name->data[i];
        if (c == '~' || c == '/') {
            *out++ = '~';
            c = c == '~' ? '0' : '1';
        }
        *out++ = c;
    }
    pointer.len = (size_t)(out - pointer.data);
    return pointer;
}

size_t ngx_assay_guard_claim(ngx_conf_t *cf, struct ngx_assay_guard_main_conf *conf,
                             struct assay_slice pointer)
{
    struct assay_claims claims = {.pointers = conf->pointers.elts, .count = conf->pointers.nelts};
    size_t at = assay_claims_find(&claims, pointer);
    if (at < claims.count) {
        return at;
    }
    struct assay_slice *place =
        claims.count == ASSAY_MAX_KEPT_CLAIMS ? NULL : ngx_array_push(&conf->pointers);
    if (place == NULL) {
        (void)ngx_assay_refuse(cf, "the configuration uses more than %d claims",
                               ASSAY_MAX_KEPT_CLAIMS);
        return SIZE_MAX;
    }
    *place = pointer;
    return at;
}

static struct ngx_assay_guard_main_conf *main_of(ngx_conf_t *cf)
{
    return ngx_http_conf_get_module_main_conf(cf, ngx_http_assay_guard_module);
}

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
    struct ngx_assay_guard_main_conf *main = main_of(cf);
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
    return "there is no such option; there are optional, max_age=, token_cookie=, token_query=, "
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
        right =
            "there is no such option; there are max_age=, token_cookie=, token_query= and from=";
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

/* --- assay_require --- */

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
    rule->claim_at = ngx_assay_guard_claim(cf, main_of(cf), rule->claim);
    return rule->claim_at == SIZE_MAX ? NGX_CONF_ERROR : NGX_CONF_OK;
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
           ngx_assay_is(word, "claim");
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
        return ngx_assay_refuse(cf,
                                "\"%V\" in \"assay_require\": scope, audience or claim is wanted, "
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

/* --- what a location says besides --- */

char *ngx_assay_set_realm(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    struct ngx_assay_guard_loc_conf *loc = conf;
    ngx_str_t *arguments = cf->args->elts;
    (void)command;
    if (loc->realm.data != NULL) {
        return duplicate;
    }
    loc->realm = arguments[1];
    return NGX_CONF_OK;
}

char *ngx_assay_set_forward(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    struct ngx_assay_guard_loc_conf *loc = conf;
    ngx_str_t *arguments = cf->args->elts;
    (void)command;
    if (loc->forward != NGX_CONF_UNSET) {
        return duplicate;
    }
    bool token = ngx_assay_is(&arguments[1], "token");
    if (!token && !ngx_assay_is(&arguments[1], "none")) {
        return ngx_assay_refuse(cf, "\"%V\" in \"assay_forward\": it is token or none",
                                &arguments[1]);
    }
    loc->forward = token ? NGX_ASSAY_FORWARD_TOKEN : NGX_ASSAY_FORWARD_NONE;
    return NGX_CONF_OK;
}

static bool is_field_name(const ngx_str_t *name)
{
    for (size_t i = 0; i < name->len; i++) {
        u_char c = name->data[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_') {
            return false;
        }
    }
    return name->len != 0;
}

/* Fields that nginx itself reads: taking one out would pull the ground from under it. */
static bool is_of_nginx(ngx_conf_t *cf, ngx_str_t *lowcase)
{
    ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    (void)core;
    for (ngx_http_header_t *header = ngx_http_headers_in; header->name.len != 0; header++) {
        if (header->name.len == lowcase->len &&
            ngx_strncasecmp(header->name.data, lowcase->data, lowcase->len) == 0) {
            return true;
        }
    }
    return false;
}

/* Lower case, '-' for '_': a back end may take all spellings of a name for one. */
static bool fold(ngx_conf_t *cf, const ngx_str_t *name, ngx_str_t *ret)
{
    ret->len = name->len;
    ret->data = ngx_pnalloc(cf->pool, name->len);
    for (size_t i = 0; ret->data != NULL && i < name->len; i++) {
        ret->data[i] = name->data[i] == '_' ? '-' : ngx_tolower(name->data[i]);
    }
    return ret->data != NULL;
}

static bool add_identity(struct ngx_assay_guard_main_conf *main, const ngx_str_t *lowcase)
{
    ngx_str_t *names = main->identity.elts;
    for (ngx_uint_t i = 0; i < main->identity.nelts; i++) {
        if (names[i].len == lowcase->len &&
            ngx_memcmp(names[i].data, lowcase->data, lowcase->len) == 0) {
            return true;
        }
    }
    ngx_str_t *place = ngx_array_push(&main->identity);
    if (place != NULL) {
        *place = *lowcase;
    }
    return place != NULL;
}

char *ngx_assay_set_set_header(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    struct ngx_assay_guard_loc_conf *loc = conf;
    ngx_str_t *arguments = cf->args->elts;
    (void)command;
    if (loc->set_headers == NULL) {
        loc->set_headers = ngx_array_create(cf->pool, 4, sizeof(struct ngx_assay_header));
    }
    struct ngx_assay_header *header =
        loc->set_headers == NULL ? NULL : ngx_array_push(loc->set_headers);
    if (header == NULL) {
        return NGX_CONF_ERROR;
    }
    ngx_memzero(header, sizeof(*header));
    header->name = arguments[1];
    if (!is_field_name(&header->name) || !fold(cf, &header->name, &header->lowcase)) {
        return ngx_assay_refuse(cf,
                                "\"%V\" in \"assay_set_header\": the name of a header is wanted, "
                                "of letters, digits and hyphens",
                                &header->name);
    }
    if (is_of_nginx(cf, &header->lowcase)) {
        return ngx_assay_refuse(cf,
                                "\"%V\" in \"assay_set_header\": nginx itself uses that header: "
                                "take another name, as in X-User",
                                &header->name);
    }
    ngx_http_compile_complex_value_t compile = {
        .cf = cf, .value = &arguments[2], .complex_value = &header->value};
    if (ngx_http_compile_complex_value(&compile) != NGX_OK ||
        !add_identity(main_of(cf), &header->lowcase)) {
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}
