#include "oauth/issuer.h"
#include "record/token_text.h"
#include "tool/serving.h"
#include "tool/text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKER_USER "www-data"
#define MODULE "ngx_http_assay_server_module.so"
#define GUARD_MODULE "ngx_http_assay_guard_module.so"
#define SYSTEM_MODULES "/usr/lib/nginx/modules"
#define DEFAULT_LISTEN "127.0.0.1:8443"

static bool usage(const char *text, int *ret_exit)
{
    fprintf(stderr, "assay: %s\n", text);
    *ret_exit = ASSAY_EXIT_USAGE;
    return false;
}

/* A value that will not do: which, and what would. */
static bool refuse_value(const char *option, const char *value, const char *right, int *ret_exit)
{
    fprintf(stderr, "assay: --%s '", option);
    assay_text_print(stderr, assay_slice_of_text(value));
    fprintf(stderr, "': %s\n", right);
    *ret_exit = ASSAY_EXIT_USAGE;
    return false;
}

static bool is_port(const char *text)
{
    size_t len = strlen(text);
    return len >= 1 && len <= 5 && strspn(text, "0123456789") == len &&
           strtol(text, NULL, 10) >= 1 && strtol(text, NULL, 10) <= 65535;
}

/* An address of digits, dots, letters and colons in brackets; then a port. */
static bool plan_listen(const struct assay_tool *tool, struct assay_serving *s, int *ret_exit)
{
    static const char allowed[] = "an ADDRESS:PORT is wanted, as in 127.0.0.1:8443 or [::1]:8443";
    const char *given = assay_args_value(&tool->args, "listen");
    given = given == NULL ? DEFAULT_LISTEN : given;
    const char *colon = strrchr(given, ':');
    if (colon == NULL || colon == given || !is_port(colon + 1) ||
        strlen(given) >= sizeof s->listen) {
        return refuse_value("listen", given, allowed, ret_exit);
    }
    size_t len = (size_t)(colon - given);
    bool bracketed = given[0] == '[' && colon[-1] == ']';
    size_t plain = strspn(given, bracketed ? "0123456789abcdefABCDEF:[]." : "0123456789.");
    if (plain < len) {
        return refuse_value("listen", given, allowed, ret_exit);
    }
    memcpy(s->listen, given, strlen(given) + 1);
    return true;
}

static const char *port_of(const struct assay_serving *s)
{
    return strrchr(s->listen, ':') + 1;
}

/* What a client on this machine calls us: the development certificate is for that name. */
static bool plan_issuer(const struct assay_tool *tool, struct assay_serving *s, int *ret_exit)
{
    const char *given = assay_args_value(&tool->args, "issuer");
    bool tls = s->certificate[0] != '\0';
    if (given != NULL) {
        const char *right = assay_issuer_fault(assay_slice_of_text(given));
        if (right == NULL && tls && strncmp(given, "http:", 5) == 0) {
            right = "the server has a certificate: an https URL is wanted";
        }
        if (right != NULL) {
            return refuse_value("issuer", given, right, ret_exit);
        }
        memcpy(s->issuer, given, strlen(given) + 1);
        return true;
    }
    const char *port = port_of(s);
    bool usual = strcmp(port, tls ? "443" : "80") == 0;
    int written = snprintf(s->issuer, sizeof s->issuer, "%s://localhost%s%s",
                           tls ? "https" : "http", usual ? "" : ":", usual ? "" : port);
    return written > 0 && (size_t)written < sizeof s->issuer;
}

/* A directory per port, so that two servers do not share one. */
static bool plan_run_dir(struct assay_serving *s)
{
    /* One thread, which changes no variable. */
    const char *runtime = getenv("XDG_RUNTIME_DIR"); /* NOLINT(concurrency-mt-unsafe) */
    const char *port = port_of(s);
    int written = 0;
    if (runtime != NULL && runtime[0] == '/' && geteuid() != 0) {
        written = snprintf(s->run_dir, sizeof s->run_dir, "%s/assay-%s", runtime, port);
    } else if (geteuid() == 0) {
        written = snprintf(s->run_dir, sizeof s->run_dir, "/run/assay-%s", port);
    } else {
        written = snprintf(s->run_dir, sizeof s->run_dir, "/tmp/assay-%ju-%s", (uintmax_t)geteuid(),
                           port);
    }
    if (written > 0 && (size_t)written < sizeof s->run_dir) {
        return true;
    }
    return assay_path_complain("cannot use", "XDG_RUNTIME_DIR", "the path is too long");
}

static bool plan_certificate(const struct assay_tool *tool, struct assay_serving *s, int *ret_exit)
{
    const char *certificate = assay_args_value(&tool->args, "cert");
    const char *key = assay_args_value(&tool->args, "key");
    s->allow_cleartext = assay_args_has(&tool->args, "allow-cleartext");
    if ((certificate == NULL) != (key == NULL)) {
        return usage(key == NULL ? "--cert needs its key: --cert FILE --key FILE"
                                 : "--key needs its certificate: --cert FILE --key FILE",
                     ret_exit);
    }
    if (certificate != NULL && s->allow_cleartext) {
        return usage("--allow-cleartext is for a server without --cert", ret_exit);
    }
    *ret_exit = ASSAY_EXIT_NO;
    if (certificate != NULL) {
        return assay_path_absolute(certificate, s->certificate, sizeof s->certificate) &&
               assay_path_absolute(key, s->key, sizeof s->key);
    }
    if (s->allow_cleartext) {
        return true;
    }
    s->development_certificate = true;
    return assay_path_join(s->certificate, sizeof s->certificate, s->run_dir, "/localhost.crt") &&
           assay_path_join(s->key, sizeof s->key, s->run_dir, "/localhost.key");
}

/* Cuts the last part off a path, and the slash before it. */
static void cut_last(char *path)
{
    char *slash = strrchr(path, '/');
    *(slash == NULL ? path : slash) = '\0';
}

/* Beside the command in a build tree, below the same prefix when it is installed, else where Debian
 * keeps modules. */
static bool plan_module(const char *name, char *out, size_t size)
{
    char self[ASSAY_PATH_ROOM];
    char dir[ASSAY_PATH_ROOM];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    self[len > 0 ? len : 0] = '\0';
    cut_last(self);
    if (assay_path_join(dir, sizeof dir, self, "/modules/") &&
        assay_path_join(out, size, dir, name) && access(out, R_OK) == 0) {
        return true;
    }
    cut_last(self);
    if (assay_path_join(dir, sizeof dir, self, "/lib/nginx/modules/") &&
        assay_path_join(out, size, dir, name) && access(out, R_OK) == 0) {
        return true;
    }
    return assay_path_join(out, size, SYSTEM_MODULES "/", name);
}

static bool plan_store(const struct assay_tool *tool, struct assay_serving *s)
{
    if (assay_args_has(&tool->args, "demo") && assay_args_global(&tool->args, "store") == NULL) {
        return assay_path_join(s->store, sizeof s->store, s->run_dir, "/demo-store");
    }
    char room[ASSAY_PATH_ROOM];
    const char *path = NULL;
    return assay_tool_store_path(tool, room, sizeof room, &path, &s->store_chosen) &&
           assay_path_absolute(path, s->store, sizeof s->store);
}

static bool plan_prefix(const struct assay_tool *tool, struct assay_serving *s, int *ret_exit)
{
    s->token_prefix = assay_args_global(&tool->args, "token-prefix");
    return s->token_prefix == NULL ||
           assay_token_prefix_valid(assay_slice_of_text(s->token_prefix)) ||
           refuse_value("token-prefix", s->token_prefix, ASSAY_TOKEN_PREFIX_RULE, ret_exit);
}

bool assay_serving_plan(const struct assay_tool *tool, struct assay_serving *ret, int *ret_exit)
{
    memset(ret, 0, sizeof *ret);
    *ret_exit = ASSAY_EXIT_NO;
    ret->demo = assay_args_has(&tool->args, "demo");
    ret->user = geteuid() == 0 ? WORKER_USER : NULL;
    return plan_prefix(tool, ret, ret_exit) && plan_listen(tool, ret, ret_exit) &&
           plan_run_dir(ret) && plan_certificate(tool, ret, ret_exit) &&
           plan_issuer(tool, ret, ret_exit) &&
           plan_module(MODULE, ret->module, sizeof ret->module) &&
           plan_module(GUARD_MODULE, ret->guard_module, sizeof ret->guard_module) &&
           assay_path_join(ret->gateway_secret, sizeof ret->gateway_secret, ret->run_dir,
                           "/gateway.secret") &&
           plan_store(tool, ret);
}
