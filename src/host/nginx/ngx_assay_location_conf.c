/* What a location says to whom it refuses and whom it lets through: `assay_realm`, `assay_forward`,
 * `assay_set_header`. */
#include "host/nginx/ngx_assay_guard_conf.h"
#include "host/nginx/ngx_assay_setting.h"

static char duplicate[] = "is duplicate";

char *ngx_assay_set_realm(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    static const size_t max_realm = 256; /* bytes, which quoting may double in a challenge */
    struct ngx_assay_guard_loc_conf *loc = conf;
    ngx_str_t *arguments = cf->args->elts;
    (void)command;
    if (loc->realm.data != NULL) {
        return duplicate;
    }
    loc->realm = arguments[1];
    return loc->realm.len <= max_realm
               ? NGX_CONF_OK
               : ngx_assay_refuse(cf, "\"assay_realm\" is longer than 256 bytes");
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
static bool is_of_nginx(const ngx_str_t *lowcase)
{
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
    if (is_of_nginx(&header->lowcase)) {
        return ngx_assay_refuse(cf,
                                "\"%V\" in \"assay_set_header\": nginx itself uses that header: "
                                "take another name, as in X-User",
                                &header->name);
    }
    ngx_http_compile_complex_value_t compile = {
        .cf = cf, .value = &arguments[2], .complex_value = &header->value};
    if (ngx_http_compile_complex_value(&compile) != NGX_OK ||
        !add_identity(ngx_http_conf_get_module_main_conf(cf, ngx_http_assay_guard_module),
                      &header->lowcase)) {
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}
