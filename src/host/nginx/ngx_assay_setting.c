#include "host/nginx/ngx_assay_setting.h"

#include "base/limits.h"
#include "json/reader.h"

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

char *ngx_assay_read_text(ngx_conf_t *cf, ngx_str_t *path, size_t max, ngx_str_t *ret)
{
    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    if (!read_file(cf, path, max, ret)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "the file \"%V\" cannot be read", path);
        return NGX_CONF_ERROR;
    }
    if (ret->len == 0 || ret->len > max) {
        return ngx_assay_refuse(cf, "the file \"%V\" is empty or too long", path);
    }
    ret->data[ret->len] = '\0';
    return NGX_CONF_OK;
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
