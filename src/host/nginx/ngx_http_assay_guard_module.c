/* The guard as an nginx module: its directives, its place among the others, the life of a worker.
 *
 *   assay_cache zone=NAME:SIZE;                              http
 *   assay_provider NAME { ... }                              http
 *   assay_claim_set $variable CLAIM [NAME ...];              http
 *   assay_guard NAME [OPTION ...] | off;                     http, server, location
 *   assay_require scope|audience|claim VALUE ... | none;     http, server, location
 *   assay_realm TEXT;                                        http, server, location
 *   assay_forward token|none;                                http, server, location
 *   assay_set_header NAME VALUE;                             http, server, location
 *   assay_check NAME [OPTION ...];                           location
 *   assay_guard_control secret_file=FILE;                    location
 *
 * docs/configuration.md explains them. */
#include "host/nginx/ngx_assay_control.h"
#include "host/nginx/ngx_assay_guard.h"
#include "host/nginx/ngx_assay_guard_access.h"
#include "host/nginx/ngx_assay_guard_conf.h"
#include "host/nginx/ngx_assay_guard_worker.h"
#include "host/nginx/ngx_assay_guard_zone.h"
#include "host/nginx/ngx_assay_keys.h"
#include "host/nginx/ngx_assay_path.h"
#include "host/nginx/ngx_assay_policy.h"
#include "host/nginx/ngx_assay_variables.h"

#define ANYWHERE (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF)

static ngx_command_t commands[] = {
    {ngx_string("assay_cache"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_assay_set_cache,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    {ngx_string("assay_provider"), NGX_HTTP_MAIN_CONF | NGX_CONF_BLOCK | NGX_CONF_TAKE1,
     ngx_assay_set_provider, NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    {ngx_string("assay_claim_set"), NGX_HTTP_MAIN_CONF | NGX_CONF_2MORE, ngx_assay_set_claim_set,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    {ngx_string("assay_guard"), ANYWHERE | NGX_HTTP_LMT_CONF | NGX_CONF_1MORE, ngx_assay_set_guard,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("assay_require"), ANYWHERE | NGX_HTTP_LMT_CONF | NGX_CONF_1MORE,
     ngx_assay_set_require, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("assay_realm"), ANYWHERE | NGX_CONF_TAKE1, ngx_assay_set_realm,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("assay_forward"), ANYWHERE | NGX_CONF_TAKE1, ngx_assay_set_forward,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("assay_set_header"), ANYWHERE | NGX_CONF_TAKE2, ngx_assay_set_set_header,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("assay_check"), NGX_HTTP_LOC_CONF | NGX_CONF_1MORE, ngx_assay_set_check,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("assay_guard_control"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1, ngx_assay_set_control,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    ngx_null_command,
};

/* --- configurations --- */

static void *create_main_conf(ngx_conf_t *cf)
{
    struct ngx_assay_guard_main_conf *conf = ngx_pcalloc(cf->pool, sizeof(*conf));
    if (conf == NULL ||
        ngx_array_init(&conf->providers, cf->pool, 2, sizeof(struct ngx_assay_provider *)) !=
            NGX_OK ||
        ngx_array_init(&conf->pointers, cf->pool, 8, sizeof(struct assay_slice)) != NGX_OK ||
        ngx_array_init(&conf->policies, cf->pool, 4, sizeof(struct assay_policy *)) != NGX_OK ||
        ngx_array_init(&conf->identity, cf->pool, 4, sizeof(ngx_str_t)) != NGX_OK) {
        return NULL;
    }
    return conf;
}

static void *create_loc_conf(ngx_conf_t *cf)
{
    struct ngx_assay_guard_loc_conf *conf = ngx_pcalloc(cf->pool, sizeof(*conf));
    if (conf == NULL ||
        ngx_array_init(&conf->rules, cf->pool, 2, sizeof(struct assay_rule)) != NGX_OK) {
        return NULL;
    }
    conf->max_age_ms = -1;
    conf->introspect_jwt = NGX_CONF_UNSET;
    conf->forward = NGX_CONF_UNSET;
    return conf;
}

static char *merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    struct ngx_assay_guard_loc_conf *conf = child;
    ngx_http_core_loc_conf_t *core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    bool own_judge = conf->stated && conf->judge;
    if (ngx_assay_policy_merge(cf, parent, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }
    if (own_judge || (conf->judge && core->noname && core->handler == NULL)) {
        core->handler = ngx_assay_judge;
    } else if (conf->judge && !own_judge) {
        /* a location inside that of the judge: it judges nothing, and nothing guards it */
        conf->judge = false;
        conf->policy = NULL;
    }
    if (conf->control_secret.data != NULL) {
        core->handler = ngx_assay_control;
        conf->judge =
            false; /* it knows its administrators itself: their secret is nobody's token */
        conf->policy = NULL;
    }
    return NGX_CONF_OK;
}

/* --- its place among the others --- */

static ngx_int_t add_handler(ngx_http_core_main_conf_t *core, ngx_http_phases phase,
                             ngx_http_handler_pt handler)
{
    ngx_http_handler_pt *place = ngx_array_push(&core->phases[phase].handlers);
    if (place == NULL) {
        return NGX_ERROR;
    }
    *place = handler;
    return NGX_OK;
}

/* nginx runs what is added last first. */
static ngx_int_t add_handlers(ngx_http_core_main_conf_t *core,
                              const struct ngx_assay_guard_main_conf *main)
{
    static const struct {
        ngx_http_phases phase;
        ngx_http_handler_pt handler;
        bool for_headers; /* also where nothing is guarded: assay_set_header stands somewhere */
    } rows[] = {
        {NGX_HTTP_POST_READ_PHASE, ngx_assay_guard_strip, true},
        {NGX_HTTP_SERVER_REWRITE_PHASE, ngx_assay_guard_strip, true},
        {NGX_HTTP_SERVER_REWRITE_PHASE, ngx_assay_path_pin, false},
        {NGX_HTTP_PREACCESS_PHASE, ngx_assay_guard_subrequest, false},
        {NGX_HTTP_ACCESS_PHASE, ngx_assay_guard_access, false},
        {NGX_HTTP_PRECONTENT_PHASE, ngx_assay_guard_admitted, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool wanted = rows[i].for_headers ? main->identity.nelts != 0 : main->used;
        if (wanted && add_handler(core, rows[i].phase, rows[i].handler) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

static ngx_int_t finish(ngx_conf_t *cf)
{
    struct ngx_assay_guard_main_conf *main =
        ngx_http_conf_get_module_main_conf(cf, ngx_http_assay_guard_module);
    ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    if (ngx_assay_variables_claims(cf, main) != NGX_OK ||
        ngx_assay_policies_finish(cf, main) != NGX_OK) {
        return NGX_ERROR;
    }
    if (main->providers.nelts != 0 && ngx_assay_guard_zone_add(cf, main) != NGX_OK) {
        return NGX_ERROR;
    }
    if (main->judges_jwt && ngx_assay_keys_zone_add(cf, main) != NGX_OK) {
        return NGX_ERROR;
    }
    return add_handlers(core, main);
}

static ngx_http_module_t context = {
    ngx_assay_variables_add, finish,         create_main_conf, NULL, NULL, NULL,
    create_loc_conf,         merge_loc_conf,
};

/* --- the life of a worker --- */

static ngx_int_t init_process(ngx_cycle_t *cycle)
{
    bool works = ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE;
    struct ngx_assay_guard_main_conf *main =
        cycle->conf_ctx[ngx_http_module.index] == NULL
            ? NULL
            : ngx_http_cycle_get_module_main_conf(cycle, ngx_http_assay_guard_module);
    if (!works || main == NULL || main->providers.nelts == 0) {
        return NGX_OK;
    }
    return ngx_assay_guard_worker_open(cycle, main);
}

static void exit_process(ngx_cycle_t *cycle)
{
    (void)cycle;
    ngx_assay_guard_worker_close();
}

ngx_module_t ngx_http_assay_guard_module = {
    NGX_MODULE_V1, &context, commands, NGX_HTTP_MODULE, NULL, NULL,
    init_process,  NULL,     NULL,     exit_process,    NULL, NGX_MODULE_V1_PADDING,
};

/* --- the filter: a module of its own, as it has another place --- */

/* nginx gives a filter no place for what comes behind it. */
static ngx_http_output_header_filter_pt
    next_filter; /* NOLINT(cppcoreguidelines-avoid-non-const-global-variables) */

static ngx_int_t filter(ngx_http_request_t *r)
{
    ngx_int_t rc = ngx_assay_guard_filter(r);
    return rc == NGX_OK ? next_filter(r) : rc;
}

/* This module stands behind nginx's rewrite module, so what it adds runs before `return`. */
static ngx_int_t add_filter(ngx_conf_t *cf)
{
    const struct ngx_assay_guard_main_conf *main =
        ngx_http_conf_get_module_main_conf(cf, ngx_http_assay_guard_module);
    ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    next_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = filter;
    return main->used ? add_handler(core, NGX_HTTP_REWRITE_PHASE, ngx_assay_guard_hide) : NGX_OK;
}

static ngx_http_module_t filter_context = {
    NULL, add_filter, NULL, NULL, NULL, NULL, NULL, NULL,
};

ngx_module_t ngx_http_assay_guard_filter_module = {
    NGX_MODULE_V1, &filter_context,       NULL, NGX_HTTP_MODULE, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL,          NGX_MODULE_V1_PADDING,
};
