#include "tool/serving.h"

#include "base/buf.h"
#include "base/secret.h"
#include "crypto/cert.h"
#include "store/lmdb/lmdb_store.h"
#include "tool/nginx_conf.h"
#include "tool/text.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WORKER_USER "www-data"
#define MODULE "ngx_http_assay_server_module.so"
#define SYSTEM_MODULES "/usr/lib/nginx/modules"
#define DEFAULT_LISTEN "127.0.0.1:8443"
#define CONF_ROOM 32768
#define PEM_ROOM 8192

static bool complain(const char *what, const char *path, const char *why)
{
    fprintf(stderr, "assay: %s ", what);
    assay_text_print(stderr, assay_slice_of_text(path));
    fprintf(stderr, ": %s\n", why);
    return false;
}

static bool join(char *out, size_t size, const char *a, const char *b)
{
    int written = snprintf(out, size, "%s%s", a, b);
    if (written > 0 && (size_t)written < size) {
        return true;
    }
    return complain("cannot use", a, "the path is too long");
}

/* nginx and we work in different directories; links are left alone, the store refuses them. */
static bool make_absolute(const char *path, char *out, size_t size)
{
    char here[ASSAY_SERVING_PATH];
    if (path[0] == '/') {
        return join(out, size, path, "");
    }
    if (getcwd(here, sizeof here - 1) == NULL) {
        return complain("cannot use", path, "the working directory is unknown");
    }
    size_t len = strlen(here);
    here[len] = '/';
    here[len + 1] = '\0';
    return join(out, size, here, path);
}

/* --- the plan --- */

static bool usage(const char *text, int *ret_exit)
{
    fprintf(stderr, "assay: %s\n", text);
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
    static const char allowed[] = "--listen is ADDRESS:PORT, such as 127.0.0.1:8443 or [::1]:8443";
    const char *given = assay_args_value(&tool->args, "listen");
    given = given == NULL ? DEFAULT_LISTEN : given;
    const char *colon = strrchr(given, ':');
    if (colon == NULL || colon == given || !is_port(colon + 1) ||
        strlen(given) >= sizeof s->listen) {
        return usage(allowed, ret_exit);
    }
    size_t len = (size_t)(colon - given);
    bool bracketed = given[0] == '[' && colon[-1] == ']';
    size_t plain = strspn(given, bracketed ? "0123456789abcdefABCDEF:[]." : "0123456789.");
    if (plain < len) {
        return usage(allowed, ret_exit);
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
    if (given != NULL) {
        if (strlen(given) >= sizeof s->issuer) {
            return usage("--issuer is too long", ret_exit);
        }
        memcpy(s->issuer, given, strlen(given) + 1);
        return true;
    }
    bool tls = s->certificate[0] != '\0';
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
    return complain("cannot use", "XDG_RUNTIME_DIR", "the path is too long");
}

static bool plan_certificate(const struct assay_tool *tool, struct assay_serving *s, int *ret_exit)
{
    const char *certificate = assay_args_value(&tool->args, "cert");
    const char *key = assay_args_value(&tool->args, "key");
    s->allow_cleartext = assay_args_has(&tool->args, "allow-cleartext");
    if ((certificate == NULL) != (key == NULL)) {
        return usage("--cert and --key belong together", ret_exit);
    }
    *ret_exit = ASSAY_EXIT_NO;
    if (certificate != NULL) {
        return make_absolute(certificate, s->certificate, sizeof s->certificate) &&
               make_absolute(key, s->key, sizeof s->key);
    }
    if (s->allow_cleartext) {
        return true;
    }
    s->development_certificate = true;
    return join(s->certificate, sizeof s->certificate, s->run_dir, "/localhost.crt") &&
           join(s->key, sizeof s->key, s->run_dir, "/localhost.key");
}

/* Beside the command in a build tree, else where Debian keeps modules. */
static bool plan_module(struct assay_serving *s)
{
    char self[ASSAY_SERVING_PATH];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len > 0) {
        self[len] = '\0';
        char *slash = strrchr(self, '/');
        slash[1] = '\0';
        if (join(s->module, sizeof s->module, self, "modules/" MODULE) &&
            access(s->module, R_OK) == 0) {
            return true;
        }
    }
    return join(s->module, sizeof s->module, SYSTEM_MODULES "/", MODULE);
}

static bool plan_store(const struct assay_tool *tool, struct assay_serving *s)
{
    if (assay_args_has(&tool->args, "demo") && assay_args_global(&tool->args, "store") == NULL) {
        return join(s->store, sizeof s->store, s->run_dir, "/demo-store");
    }
    char room[ASSAY_SERVING_PATH];
    const char *path = NULL;
    return assay_tool_store_path(tool, room, sizeof room, &path, &s->store_chosen) &&
           make_absolute(path, s->store, sizeof s->store);
}

bool assay_serving_plan(const struct assay_tool *tool, struct assay_serving *ret, int *ret_exit)
{
    memset(ret, 0, sizeof *ret);
    *ret_exit = ASSAY_EXIT_NO;
    ret->token_prefix = assay_args_global(&tool->args, "token-prefix");
    ret->user = geteuid() == 0 ? WORKER_USER : NULL;
    return plan_listen(tool, ret, ret_exit) && plan_run_dir(ret) &&
           plan_certificate(tool, ret, ret_exit) && plan_issuer(tool, ret, ret_exit) &&
           plan_module(ret) && plan_store(tool, ret);
}

/* --- what it needs --- */

/* Ours alone, or nobody's: in /tmp another may have been there first. Root's workers must be able
 * to pass through it. */
static bool make_run_dir(const struct assay_serving *s)
{
    mode_t mode = s->user != NULL ? 0711 : 0700;
    if (mkdir(s->run_dir, 0700) != 0 && errno != EEXIST) {
        return complain("cannot make", s->run_dir, strerror(errno)); /* NOLINT(concurrency-*) */
    }
    struct stat st;
    if (lstat(s->run_dir, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid()) {
        return complain("cannot use", s->run_dir, "it is not a directory of yours");
    }
    if (chmod(s->run_dir, mode) != 0) {
        return complain("cannot use", s->run_dir, "its mode cannot be set");
    }
    return true;
}

/* Held by this process, which becomes nginx; the descriptor is left open for it. */
static bool take_run_dir(const struct assay_serving *s)
{
    char path[ASSAY_SERVING_PATH];
    if (!join(path, sizeof path, s->run_dir, "/taken")) {
        return false;
    }
    /* NOLINTNEXTLINE(android-cloexec-open): the lock ends with the descriptor, so nginx keeps it */
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fd < 0 || fcntl(fd, F_SETLK, &whole) != 0) {
        return complain("cannot use", s->run_dir, "another 'assay serve' runs from it");
    }
    return true;
}

static bool write_all(int fd, struct assay_slice s)
{
    while (s.len > 0) {
        ssize_t done = write(fd, s.data, s.len);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return false;
        }
        s = assay_slice_from(s, (size_t)done);
    }
    return true;
}

static bool write_file(const char *path, mode_t mode, struct assay_slice text)
{
    if (unlink(path) != 0 && errno != ENOENT) {
        return complain("cannot replace", path, "it cannot be removed");
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) {
        return complain("cannot write", path, "it cannot be made");
    }
    bool ok = write_all(fd, text) && fchmod(fd, mode) == 0;
    if (close(fd) != 0 || !ok) {
        return complain("cannot write", path, "the write failed");
    }
    return true;
}

static bool make_certificate(const struct assay_serving *s)
{
    uint8_t key_room[PEM_ROOM];
    uint8_t cert_room[PEM_ROOM];
    struct assay_buf key;
    struct assay_buf cert;
    assay_buf_init(&key, key_room, sizeof key_room);
    assay_buf_init(&cert, cert_room, sizeof cert_room);
    struct assay_error error = {0};
    bool ok = assay_cert_make((int64_t)time(NULL), &key, &cert, &error) == ASSAY_OK;
    if (!ok) {
        (void)complain("cannot make the development certificate", s->certificate, error.what);
    }
    ok = ok && write_file(s->key, 0600, assay_buf_slice(&key)) &&
         write_file(s->certificate, 0644, assay_buf_slice(&cert));
    assay_secret_wipe(key_room, sizeof key_room);
    return ok;
}

/* Makes the directories above `path`, for the default store. */
static bool make_parents(const char *path)
{
    char part[ASSAY_SERVING_PATH];
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        size_t len = (size_t)(slash - path);
        memcpy(part, path, len);
        part[len] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            return complain("cannot make", part, strerror(errno)); /* NOLINT(concurrency-*) */
        }
    }
    return true;
}

/* A store that somebody named is not made by accident: a mistyped name would be an empty server. */
static bool find_store(struct assay_serving *s)
{
    struct assay_error error = {0};
    enum assay_status status = assay_lmdb_check(s->store, &error);
    if (status == ASSAY_OK) {
        return true;
    }
    if (status != ASSAY_ERR_ABSENT || s->store_chosen) {
        return complain("cannot use the store", s->store, error.what);
    }
    if (!make_parents(s->store)) {
        return false;
    }
    if (assay_lmdb_create(s->store, &error) != ASSAY_OK) {
        return complain("cannot make the store", s->store, error.what);
    }
    s->store_made = true;
    return true;
}

bool assay_serving_prepare(struct assay_serving *s)
{
    return make_run_dir(s) && take_run_dir(s) &&
           (!s->development_certificate || make_certificate(s)) && find_store(s);
}

/* --- root's store --- */

static bool give_file(const struct assay_serving *s, const char *name, const struct passwd *user)
{
    char path[ASSAY_SERVING_PATH];
    if (!join(path, sizeof path, s->store, name)) {
        return false;
    }
    if (lchown(path, user->pw_uid, user->pw_gid) != 0 && errno != ENOENT) {
        return complain("cannot give away", path, "its owner cannot be changed");
    }
    return true;
}

bool assay_serving_give_away(const struct assay_serving *s)
{
    if (s->user == NULL) {
        return true;
    }
    const struct passwd *user = getpwnam(s->user); /* NOLINT(concurrency-mt-unsafe): one thread */
    if (user == NULL) {
        return complain("workers cannot run as", s->user, "there is no such user");
    }
    static const char *const names[] = {"", "/data", "/data-lock", "/wake", "/witness", "/ballast"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!give_file(s, names[i], user)) {
            return false;
        }
    }
    return true;
}

/* --- nginx --- */

static bool stderr_can_be_opened(void)
{
    int fd = open("/dev/stderr", O_WRONLY | O_APPEND | O_CLOEXEC);
    return fd >= 0 && close(fd) == 0;
}

static bool write_conf(const struct assay_serving *s, struct assay_buf *out)
{
    bool tls = s->certificate[0] != '\0';
    struct assay_nginx_conf conf = {
        .module = s->module,
        .run_dir = s->run_dir,
        .store = s->store,
        .listen = s->listen,
        .issuer = s->issuer,
        .token_prefix = s->token_prefix,
        .certificate = tls ? s->certificate : NULL,
        .key = tls ? s->key : NULL,
        .access_log = stderr_can_be_opened() ? "/dev/stderr" : NULL,
        .user = s->user,
        .allow_cleartext = s->allow_cleartext,
    };
    struct assay_error error = {0};
    if (assay_nginx_conf_write(&conf, out, &error) != ASSAY_OK) {
        fprintf(stderr, "assay: cannot write nginx.conf: %s\n", error.what);
        return false;
    }
    return true;
}

bool assay_serving_print_config(const struct assay_serving *s, FILE *out)
{
    uint8_t room[CONF_ROOM];
    struct assay_buf conf;
    assay_buf_init(&conf, room, sizeof room);
    if (!write_conf(s, &conf)) {
        return false;
    }
    fwrite(conf.data, 1, conf.len, out);
    return true;
}

/* The administrator's programs are not on every user's PATH. */
static bool find_nginx(char *out, size_t size)
{
    static const char *const places[] = {"/usr/sbin/nginx", "/usr/local/sbin/nginx",
                                         "/usr/local/nginx/sbin/nginx", "/usr/bin/nginx"};
    const char *path = getenv("PATH"); /* NOLINT(concurrency-mt-unsafe): one thread */
    struct assay_slice rest = assay_slice_of_text(path);
    while (rest.data != NULL) {
        struct assay_slice dir = assay_slice_cut(&rest, ':');
        if (dir.len == 0 || dir.data[0] != '/' || dir.len + sizeof "/nginx" > size) {
            continue;
        }
        memcpy(out, dir.data, dir.len);
        memcpy(out + dir.len, "/nginx", sizeof "/nginx");
        if (access(out, X_OK) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (access(places[i], X_OK) == 0) {
            return join(out, size, places[i], "");
        }
    }
    fputs("assay: nginx is not installed here\n", stderr);
    return false;
}

int assay_serving_run(const struct assay_serving *s)
{
    char conf_path[ASSAY_SERVING_PATH];
    char nginx[ASSAY_SERVING_PATH];
    uint8_t room[CONF_ROOM];
    struct assay_buf conf;
    assay_buf_init(&conf, room, sizeof room);
    if (!find_nginx(nginx, sizeof nginx) ||
        !join(conf_path, sizeof conf_path, s->run_dir, "/nginx.conf") || !write_conf(s, &conf) ||
        !write_file(conf_path, 0600, assay_buf_slice(&conf))) {
        return ASSAY_EXIT_NO;
    }
    if (access(s->module, R_OK) != 0) {
        (void)complain("cannot load", s->module, "there is no such module");
        return ASSAY_EXIT_NO;
    }
    execl(nginx, "nginx", "-p", s->run_dir, "-c", conf_path, "-e", "stderr", "-g", "daemon off;",
          (char *)NULL);
    (void)complain("cannot run", nginx, "the system refused");
    return ASSAY_EXIT_NO;
}
