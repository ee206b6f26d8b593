#include "tool/nginx_conf.h"

#include <stddef.h>

static void put(struct assay_buf *out, const char *text)
{
    assay_buf_append(out, assay_slice_of_text(text));
}

/* `    name "value";` */
static void put_directive(struct assay_buf *out, const char *indent, const char *name,
                          const char *value)
{
    put(out, indent);
    put(out, name);
    put(out, " \"");
    put(out, value);
    put(out, "\";\n");
}

static bool is_plain(const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7F || c == '"' || c == '\'' || c == '\\' || c == '$' || c == '{' ||
            c == '}' || c == ';') {
            return false;
        }
    }
    return true;
}

static bool all_plain(const struct assay_nginx_conf *conf)
{
    return is_plain(conf->module) && is_plain(conf->run_dir) && is_plain(conf->store) &&
           is_plain(conf->listen) && is_plain(conf->issuer) && is_plain(conf->token_prefix) &&
           is_plain(conf->certificate) && is_plain(conf->key) && is_plain(conf->user) &&
           is_plain(conf->access_log) && is_plain(conf->guard_module) && is_plain(conf->gateway) &&
           is_plain(conf->gateway_secret) && is_plain(conf->audience) &&
           is_plain(conf->authorities);
}

static void put_main(struct assay_buf *out, const struct assay_nginx_conf *conf)
{
    put(out,
        "# Written by 'assay serve'. A copy of it is a start for a configuration of your own.\n");
    put_directive(out, "", "load_module", conf->module);
    if (conf->guard_module != NULL) {
        put_directive(out, "", "load_module", conf->guard_module);
    }
    if (conf->user != NULL) {
        put_directive(out, "", "user", conf->user);
    }
    put(out, "worker_processes 2;\n"
             "worker_rlimit_core 0;\n"
             "worker_shutdown_timeout 30s;\n"
             "error_log stderr warn;\n");
    put(out, "pid \"");
    put(out, conf->run_dir);
    put(out, "/nginx.pid\";\n\n"
             "events {\n"
             "    worker_connections 1024;\n"
             "}\n\n");
}

/* nginx makes all of these at start, used or not, and its own defaults belong to the system. */
static void put_temporary(struct assay_buf *out, const struct assay_nginx_conf *conf)
{
    static const char *const names[] = {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        put(out, "    ");
        put(out, names[i]);
        put(out, "_temp_path \"");
        put(out, conf->run_dir);
        put(out, "/");
        put(out, names[i]);
        put(out, "\";\n");
    }
}

static void put_access_log(struct assay_buf *out, const struct assay_nginx_conf *conf)
{
    put(out, "    access_log ");
    put(out, conf->access_log != NULL ? conf->access_log : "off");
    put(out, conf->access_log != NULL ? " assay;\n" : ";\n");
}

/* The log line has the path without the query, and no header: nobody's token or secret. */
static void put_http(struct assay_buf *out, const struct assay_nginx_conf *conf)
{
    put(out, "    log_format assay '$remote_addr [$time_iso8601] '\n"
             "        '\"$request_method $uri\" $status $body_bytes_sent $request_time';\n"
             "    server_tokens off;\n"
             "    default_type application/octet-stream;\n"
             "    keepalive_timeout 65s;\n"
             "    keepalive_requests 100000;\n"
             "    client_header_timeout 10s;\n"
             "    client_body_timeout 10s;\n"
             "    send_timeout 10s;\n"
             "    reset_timedout_connection on;\n"
             "    client_max_body_size 32k;\n"
             "    large_client_header_buffers 4 8k;\n");
    put_access_log(out, conf);
    put_temporary(out, conf);
    put(out, "\n");
    put_directive(out, "    ", "assay_store", conf->store);
}

static void put_listen(struct assay_buf *out, const struct assay_nginx_conf *conf)
{
    put(out, "        listen ");
    put(out, conf->listen);
    if (conf->certificate == NULL) {
        put(out, ";\n");
        return;
    }
    put(out, " ssl http2;\n");
    put_directive(out, "        ", "ssl_certificate", conf->certificate);
    put_directive(out, "        ", "ssl_certificate_key", conf->key);
    put(out, "        ssl_protocols TLSv1.2 TLSv1.3;\n"
             "        ssl_session_cache shared:assay_tls:4m;\n"
             "        ssl_session_tickets off;\n");
}

/* The guard asks by the server's own front door, as it would anybody's. */
static void put_provider(struct assay_buf *out, const struct assay_nginx_conf *conf)
{
    put(out, "\n    assay_provider sample {\n");
    put_directive(out, "        ", "issuer", conf->issuer);
    put_directive(out, "        ", "client_id", conf->gateway);
    put_directive(out, "        ", "client_secret_file", conf->gateway_secret);
    if (conf->authorities != NULL) {
        put_directive(out, "        ", "ca_file", conf->authorities);
    }
    put(out, "    }\n");
}

/* max_age=0 asks about every call: a revoked token is refused with the next one. */
static void put_guarded(struct assay_buf *out, const struct assay_nginx_conf *conf)
{
    put(out, "\n        location /api/ {\n"
             "            assay_guard sample max_age=0;\n"
             "            assay_require scope read audience \"");
    put(out, conf->audience);
    put(out, "\";\n"
             "            proxy_set_header X-User $assay_sub;\n"
             "            proxy_pass \"http://unix:");
    put(out, conf->run_dir);
    put(out, "/api.sock\";\n        }\n");
}

/* What stands for an API of one's own. */
static void put_sample(struct assay_buf *out, const struct assay_nginx_conf *conf)
{
    put(out, "\n    server {\n        listen \"unix:");
    put(out, conf->run_dir);
    put(out, "/api.sock\";\n"
             "        default_type application/json;\n"
             "        location / { return 200 '{\"hello\":\"$http_x_user\"}\\n'; }\n"
             "    }\n");
}

static void put_server(struct assay_buf *out, const struct assay_nginx_conf *conf)
{
    put(out, "\n    server {\n");
    put_listen(out, conf);
    if (conf->guard_module != NULL) {
        put_guarded(out, conf);
    }
    put(out, "\n        location / {\n            assay_server \"issuer=");
    put(out, conf->issuer);
    put(out, "\"");
    if (conf->token_prefix != NULL) {
        put(out, " \"token_prefix=");
        put(out, conf->token_prefix);
        put(out, "\"");
    }
    if (conf->allow_cleartext) {
        put(out, " allow_cleartext=yes");
    }
    put(out, ";\n        }\n    }\n");
}

enum assay_status assay_nginx_conf_write(const struct assay_nginx_conf *conf, struct assay_buf *out,
                                         struct assay_error *reterr)
{
    if (!all_plain(conf)) {
        return assay_fail(ASSAY_ERR_SYNTAX,
                          "a path or URL holds characters that nginx.conf gives a meaning", reterr);
    }
    put_main(out, conf);
    put(out, "http {\n");
    put_http(out, conf);
    if (conf->guard_module != NULL) {
        put_provider(out, conf);
    }
    put_server(out, conf);
    if (conf->guard_module != NULL) {
        put_sample(out, conf);
    }
    put(out, "}\n");
    return out->spent ? assay_fail(ASSAY_ERR_LIMIT, "the configuration is too long", reterr)
                      : ASSAY_OK;
}
