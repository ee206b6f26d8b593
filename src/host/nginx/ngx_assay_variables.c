#include "host/nginx/ngx_assay_variables.h"

#include "host/nginx/ngx_assay_decision.h"
#include "host/nginx/ngx_assay_setting.h"

#define PRINTED_MAX ((size_t)8192) /* bytes of one variable */

/* The decision that holds where `r` is; NULL: none. */
static const struct assay_decide *decision_of(ngx_http_request_t *r)
{
    const struct ngx_assay_guard_loc_conf *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_assay_guard_module);
    const struct ngx_assay_decision *d =
        conf->policy == NULL ? NULL : ngx_assay_decision_find(r, conf->policy);
    return d == NULL ? NULL : &d->op;
}

/* The answer it rests on, if it let the request through. */
static const struct assay_kept *kept_of(ngx_http_request_t *r)
{
    const struct assay_decide *op = decision_of(r);
    return op != NULL && op->known && op->reason == ASSAY_REASON_OK ? &op->kept : NULL;
}

static ngx_int_t nothing(ngx_http_variable_value_t *v)
{
    ngx_memzero(v, sizeof(*v));
    v->not_found = 1;
    v->no_cacheable = 1;
    return NGX_OK;
}

static ngx_int_t set(ngx_http_variable_value_t *v, struct assay_slice text)
{
    ngx_memzero(v, sizeof(*v));
    v->valid = 1;
    v->no_cacheable = 1;
    v->len = (unsigned)text.len & 0xFFFFFFF;
    v->data = (u_char *)(uintptr_t)text.data;
    return NGX_OK;
}

/* --- what is told by its own variable --- */

static ngx_int_t get_active(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    (void)data;
    return kept_of(r) == NULL ? nothing(v) : set(v, ASSAY_SLICE("1"));
}

static ngx_int_t get_exp(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    const struct assay_kept *kept = kept_of(r);
    (void)data;
    if (kept == NULL || kept->expires_at_s == 0) {
        return nothing(v);
    }
    u_char *text = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (text == NULL) {
        return NGX_ERROR;
    }
    return set(v,
               assay_slice_of(text, (size_t)(ngx_sprintf(text, "%L", kept->expires_at_s) - text)));
}

static ngx_int_t get_cache_status(ngx_http_request_t *r, ngx_http_variable_value_t *v,
                                  uintptr_t data)
{
    const struct assay_decide *op = decision_of(r);
    (void)data;
    return op == NULL ? nothing(v) : set(v, assay_source_name(op->source));
}

static ngx_int_t get_reason(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    const struct assay_decide *op = decision_of(r);
    (void)data;
    return op == NULL ? nothing(v) : set(v, assay_reason_name(op->reason));
}

/* --- claims --- */

static ngx_int_t print(ngx_http_request_t *r, ngx_http_variable_value_t *v, size_t claim_at)
{
    const struct assay_kept *kept = kept_of(r);
    struct assay_kept_value value = {0};
    if (kept != NULL) {
        value = assay_kept_at(kept->values, claim_at);
    }
    size_t size = ngx_min(3 * value.text.len, PRINTED_MAX);
    u_char *room = size == 0 ? NULL : ngx_pnalloc(r->pool, size);
    if (value.kind == ASSAY_KEPT_ABSENT || size == 0) {
        return nothing(v);
    }
    struct assay_buf buf;
    assay_buf_init(&buf, room, room == NULL ? 0 : size);
    assay_kept_print(&value, &buf);
    if (buf.spent) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "assay: a claim is longer than a variable may be, or memory is out");
        return NGX_ERROR; /* whoever wanted it fails: half a claim would be another one */
    }
    return set(v, assay_buf_slice(&buf));
}

/* `data` is where the claim stands among those that are kept. */
static ngx_int_t get_claim(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    return print(r, v, data);
}

static struct assay_slice prefix(void)
{
    return ASSAY_SLICE("assay_claim_");
}

/* `data` is the variable's name. */
static ngx_int_t get_named_claim(ngx_http_request_t *r, ngx_http_variable_value_t *v,
                                 uintptr_t data)
{
    const struct ngx_assay_guard_main_conf *main =
        ngx_http_get_module_main_conf(r, ngx_http_assay_guard_module);
    const ngx_str_t *name = (const ngx_str_t *)data;
    ngx_str_t claim = {.data = name->data + prefix().len, .len = name->len - prefix().len};
    ngx_str_t pointer = ngx_assay_claim_pointer(r->pool, &claim);
    return print(r, v, assay_claims_find(&main->claims, ngx_assay_slice(&pointer)));
}

/* Those of the claims that have a name of their own: /sub, /client_id, /scope. */
static ngx_int_t get_known_claim(ngx_http_request_t *r, ngx_http_variable_value_t *v,
                                 uintptr_t data)
{
    const struct ngx_assay_guard_main_conf *main =
        ngx_http_get_module_main_conf(r, ngx_http_assay_guard_module);
    const ngx_str_t *pointer = (const ngx_str_t *)data;
    return print(r, v, assay_claims_find(&main->claims, ngx_assay_slice(pointer)));
}

static ngx_str_t pointer_sub = ngx_string("/sub");
static ngx_str_t pointer_client_id = ngx_string("/client_id");
static ngx_str_t pointer_scope = ngx_string("/scope");

static ngx_http_variable_t variables[] = {
    {ngx_string("assay_active"), NULL, get_active, 0, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("assay_exp"), NULL, get_exp, 0, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("assay_cache_status"), NULL, get_cache_status, 0, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("assay_reason"), NULL, get_reason, 0, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("assay_sub"), NULL, get_known_claim, (uintptr_t)&pointer_sub,
     NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("assay_client_id"), NULL, get_known_claim, (uintptr_t)&pointer_client_id,
     NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("assay_scope"), NULL, get_known_claim, (uintptr_t)&pointer_scope,
     NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("assay_claim_"), NULL, get_named_claim, 0,
     NGX_HTTP_VAR_NOCACHEABLE | NGX_HTTP_VAR_PREFIX, 0},
    ngx_http_null_variable,
};

ngx_int_t ngx_assay_variables_add(ngx_conf_t *cf)
{
    for (ngx_http_variable_t *v = variables; v->name.len != 0; v++) {
        ngx_http_variable_t *variable = ngx_http_add_variable(cf, &v->name, v->flags);
        if (variable == NULL) {
            return NGX_ERROR;
        }
        variable->get_handler = v->get_handler;
        variable->data = v->data;
    }
    return NGX_OK;
}

/* Keeps what the variable `name` tells, if it is one of ours. */
static bool keep_claim(ngx_conf_t *cf, struct ngx_assay_guard_main_conf *main,
                       const ngx_str_t *name)
{
    struct assay_slice text = ngx_assay_slice(name);
    for (ngx_http_variable_t *v = variables; v->name.len != 0; v++) {
        if (v->get_handler == get_known_claim &&
            assay_slice_equal(text, ngx_assay_slice(&v->name))) {
            const ngx_str_t *pointer = (const ngx_str_t *)v->data;
            return ngx_assay_guard_claim(cf, main, ngx_assay_slice(pointer)) != SIZE_MAX;
        }
    }
    if (!assay_slice_starts_with(text, prefix()) || text.len == prefix().len) {
        return true;
    }
    ngx_str_t claim = {.data = name->data + prefix().len, .len = name->len - prefix().len};
    ngx_str_t pointer = ngx_assay_claim_pointer(cf->pool, &claim);
    return pointer.len != 0 &&
           ngx_assay_guard_claim(cf, main, ngx_assay_slice(&pointer)) != SIZE_MAX;
}

ngx_int_t ngx_assay_variables_claims(ngx_conf_t *cf, struct ngx_assay_guard_main_conf *main)
{
    const ngx_http_core_main_conf_t *core =
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    const ngx_http_variable_t *used = core->variables.elts;
    for (ngx_uint_t i = 0; i < core->variables.nelts; i++) {
        if (!keep_claim(cf, main, &used[i].name)) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

/* --- assay_claim_set --- */

/* The pointer of a claim inside claims: `realm_access roles`. */
static ngx_str_t path_of(ngx_conf_t *cf, ngx_str_t *names, ngx_uint_t count)
{
    ngx_str_t path = ngx_assay_claim_pointer(cf->pool, &names[0]);
    for (ngx_uint_t i = 1; i < count && path.len != 0; i++) {
        ngx_str_t next = ngx_assay_claim_pointer(cf->pool, &names[i]);
        u_char *both = next.len == 0 ? NULL : ngx_pnalloc(cf->pool, path.len + next.len);
        if (both == NULL) {
            return (ngx_str_t)ngx_null_string;
        }
        ngx_memcpy(ngx_cpymem(both, path.data, path.len), next.data, next.len);
        path = (ngx_str_t){.data = both, .len = path.len + next.len};
    }
    return path;
}

char *ngx_assay_set_claim_set(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    struct ngx_assay_guard_main_conf *main = conf;
    ngx_str_t *arguments = cf->args->elts;
    ngx_str_t name = {.data = arguments[1].data + 1, .len = arguments[1].len - 1};
    (void)command;
    if (arguments[1].len < 2 || arguments[1].data[0] != '$') {
        return ngx_assay_refuse(cf,
                                "\"%V\" in \"assay_claim_set\": a variable is wanted, as in "
                                "$roles",
                                &arguments[1]);
    }
    ngx_str_t pointer = path_of(cf, &arguments[2], cf->args->nelts - 2);
    if (pointer.len == 0) {
        return ngx_assay_refuse(cf,
                                "\"%V\" in \"assay_claim_set\": the name of a claim is wanted, "
                                "or a JSON pointer, as in /realm_access/roles",
                                &arguments[2]);
    }
    size_t at = ngx_assay_guard_claim(cf, main, ngx_assay_slice(&pointer));
    ngx_http_variable_t *variable =
        at == SIZE_MAX
            ? NULL
            : ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_CHANGEABLE | NGX_HTTP_VAR_NOCACHEABLE);
    if (variable == NULL) {
        return NGX_CONF_ERROR;
    }
    variable->get_handler = get_claim;
    variable->data = at;
    return NGX_CONF_OK;
}
