/* The authorization server as an nginx module: its directives, its content handler, the life of a
 * worker.
 *
 *   assay_store DIR [OPTION=VALUE ...];     http, server, location
 *   assay_server issuer=URL [OPTION=VALUE ...];     location
 *
 * ngx_assay_conf.c has the options, docs/configuration.md explains them. */
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/limits.h"
#include "host/nginx/ngx_assay_body.h"
#include "host/nginx/ngx_assay_conf.h"
#include "host/nginx/ngx_assay_exchange.h"
#include "host/nginx/ngx_assay_store.h"
#include "host/nginx/ngx_assay_worker.h"
#include "host/nginx/ngx_assay_zone.h"
#include "store/lmdb/lmdb_store.h"

struct main_conf {
    ngx_array_t stores; /* of struct ngx_assay_store_conf *: one for each path */
};

struct srv_conf {
    bool serves; /* some location of this server has assay_server */
};

struct loc_conf {
    struct ngx_assay_store_conf *store; /* its own or that around it; NULL: none */
    bool serves;                        /* the location has assay_server */
    struct assay_server server;
    ngx_str_t file; /* where assay_server stands */
    ngx_uint_t line;
};

extern ngx_module_t ngx_http_assay_server_module;

/* What nginx reads of a body. More than we take: a little too much is ours to refuse. */
#define BODY_SIZE ((off_t)2 * ASSAY_MAX_BODY)

/* --- requests --- */

static void start(ngx_http_request_t *r, bool body_too_large)
{
    struct loc_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_assay_server_module);
    struct ngx_assay_worker *worker = ngx_assay_worker();
    const struct ngx_assay_zone *zone = conf->store->zone->data;
    conf->server.metrics = zone->metrics;
    conf->server.attempts = zone->attempts;
    conf->server.remembered = zone->remembered;
    if (worker != NULL) {
        conf->server.digester = worker->digester;
        conf->server.recent = worker->recent;
        conf->server.log = &worker->log;
    }
    ngx_assay_exchange_start(r, &conf->server, ngx_assay_store_of(conf->store), body_too_large);
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
    if (r->args_start == NULL && r->args.len == 0) {
        return;
    }
    cut_query(&r->request_line);
    cut_query(&r->unparsed_uri);
    r->args.len = 0;
}

/* nginx refuses a body that is announced too large once it knows the location, before any handler
 * of ours, and quotes the request line at level error. So the line loses its query here, in any
 * server that has a location of ours; what other locations see of the query is unchanged. */
static ngx_int_t forget_early(ngx_http_request_t *r)
{
    const struct srv_conf *conf = ngx_http_get_module_srv_conf(r, ngx_http_assay_server_module);
    if (conf->serves && r->headers_in.content_length_n > BODY_SIZE) {
        cut_query(&r->request_line);
    }
    return NGX_DECLINED;
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
    return ngx_assay_body_read(r, body_ready);
}

/* --- directives --- */

static void refuse_store(ngx_conf_t *cf, const ngx_str_t *path, const struct assay_error *error)
{
    if (error->wanted != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "assay_store \"%V\": %s (%uL bytes of at least %uL)", path, error->what,
                           (uint64_t)error->found, (uint64_t)error->wanted);
    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "assay_store \"%V\": %s", path, error->what);
    }
}

static struct ngx_assay_store_conf *find_store(const ngx_array_t *stores, const ngx_str_t *path)
{
    struct ngx_assay_store_conf *const *store = stores->elts;
    for (ngx_uint_t i = 0; i < stores->nelts; i++) {
        if (store[i]->path.len == path->len &&
            ngx_memcmp(store[i]->path.data, path->data, path->len) == 0) {
            return store[i];
        }
    }
    return NULL;
}

static bool same_options(const struct ngx_assay_store_conf *a, const struct ngx_assay_store_conf *b)
{
    return a->max_size == b->max_size && a->map_size == b->map_size && a->sweep == b->sweep;
}

/* A store of the directive's path and options; NULL after a line in the log. */
static struct ngx_assay_store_conf *read_store(ngx_conf_t *cf)
{
    struct ngx_assay_store_conf *store = ngx_pcalloc(cf->pool, sizeof(*store));
    struct assay_error error = {0};
    if (store == NULL) {
        return NULL;
    }
    store->path = ((ngx_str_t *)cf->args->elts)[1];
    store->sweep = true;
    store->max_size = ASSAY_STORE_DEFAULT_MAX_SIZE;
    store->map_size = ASSAY_STORE_MAP_SIZE;
    if (ngx_conf_full_name(cf->cycle, &store->path, 0) != NGX_OK ||
        ngx_assay_conf_store(cf, store) != NGX_CONF_OK) {
        return NULL;
    }
    if (store->max_size > store->map_size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"assay_store\": max_size is %uLm, more than map_size, %uLm: raise "
                           "map_size",
                           store->max_size >> 20, store->map_size >> 20);
        return NULL;
    }
    /* The master looks at the first pages and never opens the store. */
    if (assay_lmdb_check((const char *)store->path.data, &error) != ASSAY_OK) {
        refuse_store(cf, &store->path, &error);
        return NULL;
    }
    return store;
}

/* `store` among the configuration's stores: that of its path, if one was named before. NULL after a
 * line in the log. */
static struct ngx_assay_store_conf *add_store(ngx_conf_t *cf, struct ngx_assay_store_conf *store)
{
    struct main_conf *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_assay_server_module);
    struct ngx_assay_store_conf *before = find_store(&main->stores, &store->path);
    if (before != NULL) {
        if (!same_options(before, store)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "assay_store \"%V\" has other options than where it stands first: "
                               "give it the same",
                               &store->path);
            return NULL;
        }
        return before;
    }
    store->index = main->stores.nelts;
    store->cycle = cf->cycle;
    store->file = cf->conf_file->file.name;
    store->line = cf->conf_file->line;
    store->zone = ngx_assay_zone_add(cf, store, &ngx_http_assay_server_module);
    struct ngx_assay_store_conf **place = ngx_array_push(&main->stores);
    if (store->zone == NULL || place == NULL) {
        return NULL;
    }
    *place = store;
    return store;
}

static char already[] = "is duplicate";

static char *set_store(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    struct loc_conf *loc = conf;
    (void)command;
    if (loc->store != NULL) {
        return already;
    }
    struct ngx_assay_store_conf *store = read_store(cf);
    loc->store = store == NULL ? NULL : add_store(cf, store);
    return loc->store == NULL ? NGX_CONF_ERROR : NGX_CONF_OK;
}

static char *set_server(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    struct loc_conf *loc = conf;
    struct srv_conf *srv = ngx_http_conf_get_module_srv_conf(cf, ngx_http_assay_server_module);
    (void)command;
    if (loc->serves) {
        return already;
    }
    if (ngx_assay_conf_server(cf, &loc->server) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }
    loc->serves = true;
    srv->serves = true;
    loc->file = cf->conf_file->file.name;
    loc->line = cf->conf_file->line;
    ngx_http_core_loc_conf_t *core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    core->handler = handle;
    return ngx_thread_pool_add(cf, NULL) == NULL ? NGX_CONF_ERROR : NGX_CONF_OK;
}

static ngx_command_t commands[] = {
    {ngx_string("assay_store"),
     NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_1MORE, set_store,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("assay_server"), NGX_HTTP_LOC_CONF | NGX_CONF_1MORE, set_server,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    ngx_null_command,
};

static void *create_main_conf(ngx_conf_t *cf)
{
    struct main_conf *conf = ngx_pcalloc(cf->pool, sizeof(*conf));
    if (conf == NULL || ngx_array_init(&conf->stores, cf->pool, 2,
                                       sizeof(struct ngx_assay_store_conf *)) != NGX_OK) {
        return NULL;
    }
    return conf;
}

static void *create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(struct srv_conf));
}

static void *create_loc_conf(ngx_conf_t *cf)
{
    struct loc_conf *conf = ngx_pcalloc(cf->pool, sizeof(*conf));
    if (conf != NULL) {
        conf->server.token_prefix = ASSAY_SLICE(ASSAY_DEFAULT_TOKEN_PREFIX);
        conf->server.access_lifetime_s = ASSAY_DEFAULT_ACCESS_LIFETIME_S;
        conf->server.refresh_lifetime_s = ASSAY_DEFAULT_REFRESH_LIFETIME_S;
        conf->server.refresh_window_s = ASSAY_DEFAULT_REFRESH_WINDOW_S;
    }
    return conf;
}

static char *refuse_location(ngx_conf_t *cf, const struct loc_conf *conf, const char *why)
{
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "\"assay_server\": %s in %V:%ui", why, &conf->file,
                  conf->line);
    return NGX_CONF_ERROR;
}

/* Bodies hold tokens and secrets: they stay in memory, in one piece, and are bounded. Here, where
 * nginx's own values of the location are final. */
static void keep_bodies_in_memory(ngx_http_core_loc_conf_t *core)
{
    core->client_body_buffer_size = (size_t)BODY_SIZE;
    core->client_max_body_size = BODY_SIZE;
    core->client_body_in_file_only = 0; /* off */
    core->client_body_in_single_buffer = 1;
}

/* nginx itself quotes what it reads: at info the request lines it refuses, at debug everything. */
static void warn_of_log(ngx_conf_t *cf, const struct loc_conf *conf, const ngx_log_t *log)
{
    if (log->log_level >= NGX_LOG_INFO) {
        ngx_log_error(
            NGX_LOG_WARN, cf->log, 0,
            "\"assay_server\": at the levels info and debug error_log may hold tokens and "
            "secrets: say \"error_log FILE warn;\" in %V:%ui",
            &conf->file, conf->line);
    }
}

static char *merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    const struct loc_conf *prev = parent;
    struct loc_conf *conf = child;
    ngx_http_core_loc_conf_t *core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    if (conf->store == NULL) {
        conf->store = prev->store;
    }
    if (core->noname && prev->serves && !conf->serves && core->handler == NULL) {
        /* An `if` or `limit_except`: the same location still. */
        struct ngx_assay_store_conf *store = conf->store;
        *conf = *prev;
        conf->store = store;
        core->handler = handle;
    }
    if (!conf->serves) {
        return NGX_CONF_OK;
    }
    if (conf->store == NULL) {
        return refuse_location(cf, conf,
                               "a store is wanted: say \"assay_store DIR;\" in the location or "
                               "around it (made by: assay store create DIR)");
    }
    if (core->handler != handle) {
        return refuse_location(cf, conf,
                               "another directive answers the requests of this location, such as "
                               "proxy_pass: take it out");
    }
    keep_bodies_in_memory(core);
    warn_of_log(cf, conf, core->error_log);
    return NGX_CONF_OK;
}

static ngx_int_t add_phase(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    ngx_http_handler_pt *early =
        ngx_array_push(&core->phases[NGX_HTTP_SERVER_REWRITE_PHASE].handlers);
    if (early == NULL) {
        return NGX_ERROR;
    }
    *early = forget_early;
    return NGX_OK;
}

/* --- the life of a worker --- */

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

/* Requests of one turn are answered together, so that their memory comes and goes by the dozen: the
 * heap's end would be given to the kernel and asked for again each time, page by page. */
static void keep_heap(void)
{
    static const int kept = 16 << 20;      /* bytes free at its end before any is given back */
    (void)mallopt(M_TRIM_THRESHOLD, kept); /* NOLINT(concurrency-mt-unsafe): before any thread */
}

static ngx_int_t init_process(ngx_cycle_t *cycle)
{
    struct main_conf *main =
        cycle->conf_ctx[ngx_http_module.index] == NULL
            ? NULL
            : ngx_http_cycle_get_module_main_conf(cycle, ngx_http_assay_server_module);
    bool worker = ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE;
    if (main == NULL || main->stores.nelts == 0 || !worker) {
        return NGX_OK;
    }
    harden(cycle);
    keep_heap();
    ngx_assay_worker_open(cycle, &main->stores);
    return NGX_OK;
}

static void exit_process(ngx_cycle_t *cycle)
{
    (void)cycle;
    ngx_assay_worker_close();
}

static ngx_http_module_t context = {
    NULL, add_phase, create_main_conf, NULL, create_srv_conf, NULL, create_loc_conf, merge_loc_conf,
};

ngx_module_t ngx_http_assay_server_module = {
    NGX_MODULE_V1, &context, commands, NGX_HTTP_MODULE, NULL, NULL,
    init_process,  NULL,     NULL,     exit_process,    NULL, NGX_MODULE_V1_PADDING,
};
