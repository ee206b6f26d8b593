/* The authorization server as an nginx module: its directives, its content handler, the life of a
 * worker.
 *
 *   assay_store DIR [max_size=SIZE] [map_size=SIZE] [sweep=on|off];      http
 *   assay_server issuer=URL [token_prefix=WORD] [access_lifetime=TIME] [refresh_lifetime=TIME]
 *                [refresh_window=TIME] [revoke_access_ends_grant=on|off] [allow_cleartext=yes];
 * location
 */
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/limits.h"
#include "host/nginx/ngx_assay_exchange.h"
#include "host/nginx/ngx_assay_worker.h"
#include "host/nginx/ngx_assay_zone.h"
#include "record/token_text.h"
#include "store/lmdb/lmdb_store.h"

struct main_conf {
    struct ngx_assay_store_conf store;
    ngx_shm_zone_t *zone;
    bool served; /* some location has assay_server */
};

struct loc_conf {
    struct assay_server server;
    bool set;
};

extern ngx_module_t ngx_http_assay_server_module;

/* --- requests
 * --------------------------------------------------------------------------------------------- */

static void start(ngx_http_request_t *r, bool body_too_large)
{
    struct loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_assay_server_module);
    struct main_conf *main = ngx_http_get_module_main_conf(r, ngx_http_assay_server_module);
    struct ngx_assay_worker *worker = ngx_assay_worker();
    const struct ngx_assay_zone *zone = main->zone->data;
    conf->server.metrics = zone->metrics;
    conf->server.attempts = zone->attempts;
    conf->server.remembered = zone->remembered;
    if (worker != NULL) {
        conf->server.digester = worker->digester;
        conf->server.log = &worker->log;
    }
    ngx_assay_exchange_start(r, &conf->server, body_too_large);
}

static void body_ready(ngx_http_request_t *r)
{
    start(r, false);
}

static void cut_query(ngx_str_t *text)
{
    u_char *mark = text->len == 0 ? NULL : ngx_strlchr(text->data, text->data + text->len, '?');
    if (mark != NULL) {
        text->len = (size_t)(mark - text->data);
    }
}

/* No endpoint reads a query, but clients put tokens and secrets there by mistake: from here on no
 * log has it, neither nginx's own messages nor any $request or $args of a log_format. */
static void forget_query(ngx_http_request_t *r)
{
    cut_query(&r->request_line);
    cut_query(&r->unparsed_uri);
    r->args.len = 0;
}

static ngx_int_t handle(ngx_http_request_t *r)
{
    forget_query(r);
    if (r->headers_in.content_length_n > ASSAY_MAX_BODY) {
        r->keepalive = 0; /* what is left of the body is not read to its end */
        r->main->count++;
        start(r, true);
        return NGX_DONE;
    }
    r->request_body_in_single_buf = 1;
    ngx_int_t rc = ngx_http_read_client_request_body(r, body_ready);
    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}

/* --- directives
 * ------------------------------------------------------------------------------------------- */

static char conf_error[] = "assay"; /* anything but NGX_CONF_ERROR would be printed by nginx too */

static char *refuse(ngx_conf_t *cf, const ngx_str_t *found, const char *right)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" in \"%V\": %s", found,
                       &((ngx_str_t *)cf->args->elts)[0], right);
    (void)conf_error;
    return NGX_CONF_ERROR;
}

/* The value behind `name=`; false when the argument has another name. */
static bool value_of(const ngx_str_t *argument, const char *name, ngx_str_t *ret)
{
    size_t len = ngx_strlen(name);
    if (argument->len < len || ngx_strncmp(argument->data, name, len) != 0) {
        return false;
    }
    ret->data = argument->data + len;
    ret->len = argument->len - len;
    return true;
}

static bool is_word(const ngx_str_t *value, const char *word)
{
    return value->len == ngx_strlen(word) && ngx_strncmp(value->data, word, value->len) == 0;
}

/* on or off; false for anything else. */
static bool read_switch(const ngx_str_t *value, bool *ret)
{
    *ret = is_word(value, "on");
    return *ret || is_word(value, "off");
}

static bool read_size(ngx_str_t *value, uint64_t *ret)
{
    off_t size = ngx_parse_offset(value);
    if (size <= 0) {
        return false;
    }
    *ret = (uint64_t)size;
    return true;
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

static char *read_store_option(ngx_conf_t *cf, ngx_str_t *argument,
                               struct ngx_assay_store_conf *store)
{
    static const uint64_t smallest = 1 << 20;
    ngx_str_t value;
    if (value_of(argument, "max_size=", &value)) {
        return read_size(&value, &store->max_size) && store->max_size >= smallest
                   ? NGX_CONF_OK
                   : refuse(cf, argument, "a size of at least 1m is wanted, as in max_size=64g");
    }
    if (value_of(argument, "map_size=", &value)) {
        return read_size(&value, &store->map_size) && store->map_size >= smallest
                   ? NGX_CONF_OK
                   : refuse(cf, argument, "a size of at least 1m is wanted, as in map_size=1024g");
    }
    if (value_of(argument, "sweep=", &value)) {
        return read_switch(&value, &store->sweep) ? NGX_CONF_OK
                                                  : refuse(cf, argument, "sweep is on or off");
    }
    return refuse(cf, argument, "options are max_size=, map_size= and sweep=");
}

static char *set_store(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    struct main_conf *main = conf;
    ngx_str_t *arguments = cf->args->elts;
    struct assay_error error = {0};
    (void)command;
    if (main->store.path.len != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"assay_store\" stands twice: an nginx has one store");
        return NGX_CONF_ERROR;
    }
    main->store.path = arguments[1];
    main->store.sweep = true;
    if (ngx_conf_full_name(cf->cycle, &main->store.path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    for (ngx_uint_t i = 2; i < cf->args->nelts; i++) {
        if (read_store_option(cf, &arguments[i], &main->store) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }
    /* The master looks at the first pages and never opens the store. */
    if (assay_lmdb_check((const char *)main->store.path.data, &error) != ASSAY_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "assay_store \"%V\": %s", &main->store.path,
                           error.what);
        return NGX_CONF_ERROR;
    }
    main->zone = ngx_assay_zone_add(cf, &ngx_http_assay_server_module);
    return main->zone == NULL ? NGX_CONF_ERROR : NGX_CONF_OK;
}

/* https, or http on this very machine (for development); no query, no fragment (RFC 8414 section
 * 2). */
static bool is_issuer(const ngx_str_t *value)
{
    static const char *const heads[] = {"https://", "http://localhost", "http://127.0.0.1",
                                        "http://[::1]"};
    bool good = false;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        size_t len = ngx_strlen(heads[i]);
        bool starts = value->len >= len && ngx_strncmp(value->data, heads[i], len) == 0;
        bool whole = i == 0
                         ? value->len > len
                         : value->len == len || value->data[len] == ':' || value->data[len] == '/';
        good |= starts && whole;
    }
    for (size_t i = 0; i < value->len; i++) {
        u_char c = value->data[i];
        good = good && c > 0x20 && c < 0x7F && c != '?' && c != '#' && c != '"' && c != '\\';
    }
    return good && value->len <= ASSAY_MAX_AUDIENCE;
}

static char *read_server_option(ngx_conf_t *cf, ngx_str_t *argument, struct assay_server *server)
{
    ngx_str_t value;
    bool on;
    if (value_of(argument, "issuer=", &value)) {
        server->issuer = assay_slice_of(value.data, value.len);
        return is_issuer(&value)
                   ? NGX_CONF_OK
                   : refuse(cf, argument,
                            "an https URL without query and fragment is wanted, as in "
                            "issuer=https://auth.example.com");
    }
    if (value_of(argument, "token_prefix=", &value)) {
        server->token_prefix = assay_slice_of(value.data, value.len);
        return assay_token_prefix_valid(server->token_prefix)
                   ? NGX_CONF_OK
                   : refuse(cf, argument,
                            "1 to 16 characters of a-z and 0-9 are wanted, the first a letter");
    }
    if (value_of(argument, "access_lifetime=", &value)) {
        return read_time(&value, ASSAY_MIN_LIFETIME_S, ASSAY_MAX_LIFETIME_S,
                         &server->access_lifetime_s)
                   ? NGX_CONF_OK
                   : refuse(cf, argument, "a time with its unit is wanted, 1s to 10y, as in 1h");
    }
    if (value_of(argument, "refresh_lifetime=", &value)) {
        return read_time(&value, ASSAY_MIN_LIFETIME_S, ASSAY_MAX_LIFETIME_S,
                         &server->refresh_lifetime_s)
                   ? NGX_CONF_OK
                   : refuse(cf, argument, "a time with its unit is wanted, 1s to 10y, as in 30d");
    }
    if (value_of(argument, "refresh_window=", &value)) {
        return read_time(&value, 0, ASSAY_MAX_REFRESH_WINDOW_S, &server->refresh_window_s)
                   ? NGX_CONF_OK
                   : refuse(cf, argument, "a time with its unit is wanted, 0s to 300s, as in 10s");
    }
    if (value_of(argument, "revoke_access_ends_grant=", &value)) {
        if (!read_switch(&value, &on)) {
            return refuse(cf, argument, "revoke_access_ends_grant is on or off");
        }
        server->revoke_access_ends_grant = on;
        return NGX_CONF_OK;
    }
    if (value_of(argument, "allow_cleartext=", &value)) {
        server->allow_cleartext = is_word(&value, "yes");
        return server->allow_cleartext
                   ? NGX_CONF_OK
                   : refuse(cf, argument, "leave it out, or say allow_cleartext=yes");
    }
    return refuse(cf, argument,
                  "options are issuer=, token_prefix=, access_lifetime=, refresh_lifetime=, "
                  "refresh_window=, revoke_access_ends_grant= and allow_cleartext=");
}

static char *set_server(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    static const size_t body_size = 2 * ASSAY_MAX_BODY;
    struct loc_conf *loc = conf;
    ngx_str_t *arguments = cf->args->elts;
    struct main_conf *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_assay_server_module);
    (void)command;
    if (loc->set) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"assay_server\" stands twice in a location");
        return NGX_CONF_ERROR;
    }
    loc->set = true;
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
        if (read_server_option(cf, &arguments[i], &loc->server) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }
    if (loc->server.issuer.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"assay_server\" needs issuer=, as in issuer=https://auth.example.com");
        return NGX_CONF_ERROR;
    }
    ngx_http_core_loc_conf_t *core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    core->handler = handle;
    /* Bodies hold tokens and secrets: they stay in memory, in one piece, and are bounded. */
    core->client_body_buffer_size = body_size;
    core->client_max_body_size = (off_t)body_size;
    main->served = true;
    if (ngx_thread_pool_add(cf, NULL) == NULL) {
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}

static ngx_command_t commands[] = {{ngx_string("assay_store"), NGX_HTTP_MAIN_CONF | NGX_CONF_1MORE,
                                    set_store, NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
                                   {ngx_string("assay_server"), NGX_HTTP_LOC_CONF | NGX_CONF_1MORE,
                                    set_server, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
                                   ngx_null_command};

static void *create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(struct main_conf));
}

static void *create_loc_conf(ngx_conf_t *cf)
{
    struct loc_conf *conf = ngx_pcalloc(cf->pool, sizeof(*conf));
    if (conf != NULL) {
        conf->server.token_prefix = ASSAY_SLICE("assay");
        conf->server.access_lifetime_s = 3600;
        conf->server.refresh_lifetime_s = (int64_t)30 * 86400;
        conf->server.refresh_window_s = ASSAY_DEFAULT_REFRESH_WINDOW_S;
    }
    return conf;
}

static ngx_int_t check_whole(ngx_conf_t *cf)
{
    struct main_conf *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_assay_server_module);
    if (main->served && main->store.path.len == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"assay_server\" needs a store: say \"assay_store DIR;\" in http (made by: "
                      "assay store create DIR)");
        return NGX_ERROR;
    }
    return NGX_OK;
}

/* --- the life of a worker
 * ------------------------------------------------------------------------------------ */

/* Tokens and secrets are in a worker's memory: it leaves no core file, and a file size limit is an
 * error to report, not a reason to die. */
static void harden(ngx_cycle_t *cycle)
{
    const struct rlimit none = {0, 0};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0 ||
        sigaction(SIGXFSZ, &ignore, NULL) != 0) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                      "assay: core files could not be turned off");
    }
}

static ngx_int_t init_process(ngx_cycle_t *cycle)
{
    struct main_conf *main =
        cycle->conf_ctx[ngx_http_module.index] == NULL
            ? NULL
            : ngx_http_cycle_get_module_main_conf(cycle, ngx_http_assay_server_module);
    bool worker = ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE;
    if (main == NULL || main->store.path.len == 0 || !worker) {
        return NGX_OK;
    }
    harden(cycle);
    return ngx_assay_worker_open(cycle, &main->store);
}

static void exit_process(ngx_cycle_t *cycle)
{
    (void)cycle;
    ngx_assay_worker_close();
}

static ngx_http_module_t context = {
    NULL, check_whole, create_main_conf, NULL, NULL, NULL, create_loc_conf, NULL,
};

ngx_module_t ngx_http_assay_server_module = {
    NGX_MODULE_V1, &context, commands, NGX_HTTP_MODULE, NULL, NULL,
    init_process,  NULL,     NULL,     exit_process,    NULL, NGX_MODULE_V1_PADDING,
};
