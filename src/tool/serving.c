#include "tool/serving.h"

#include "base/buf.h"
#include "base/secret.h"
#include "crypto/cert.h"
#include "store/lmdb/lmdb_store.h"
#include "tool/demo.h"
#include "tool/key_pair.h"
#include "tool/nginx_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONF_ROOM 32768
#define PEM_ROOM 8192

/* Ours alone, or nobody's: in /tmp another may have been there first. Root's workers must be able
 * to pass through it. */
static bool make_run_dir(const struct assay_serving *s)
{
    mode_t mode = s->user != NULL ? 0711 : 0700;
    if (mkdir(s->run_dir, 0700) != 0 && errno != EEXIST) {
        return assay_path_complain("cannot make", s->run_dir,
                                   strerror(errno)); /* NOLINT(concurrency-*) */
    }
    struct stat st;
    if (lstat(s->run_dir, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid()) {
        return assay_path_complain("cannot use", s->run_dir, "it is not a directory of yours");
    }
    if (chmod(s->run_dir, mode) != 0) {
        return assay_path_complain("cannot use", s->run_dir, "its mode cannot be set");
    }
    return true;
}

/* Held by this process, which becomes nginx; the descriptor is left open for it. */
static bool take_run_dir(const struct assay_serving *s)
{
    char path[ASSAY_PATH_ROOM];
    if (!assay_path_join(path, sizeof path, s->run_dir, "/taken")) {
        return false;
    }
    /* NOLINTNEXTLINE(android-cloexec-open): the lock ends with the descriptor, so nginx keeps it */
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fd < 0 || fcntl(fd, F_SETLK, &whole) != 0) {
        return assay_path_complain("cannot use", s->run_dir, "another 'assay serve' runs from it");
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
        (void)assay_path_complain("cannot make the development certificate", s->certificate,
                                  error.what);
    }
    ok = ok && assay_path_write(s->key, 0600, assay_buf_slice(&key)) &&
         assay_path_write(s->certificate, 0644, assay_buf_slice(&cert));
    assay_secret_wipe(key_room, sizeof key_room);
    return ok;
}

/* Root's workers run as another user, whom the store is given to; but it is not taken from a third
 * one. */
static bool check_owner(const struct assay_serving *s)
{
    struct stat st;
    if (s->user == NULL || lstat(s->store, &st) != 0 || st.st_uid == 0) {
        return true;
    }
    const struct passwd *user = getpwnam(s->user); /* NOLINT(concurrency-mt-unsafe): one thread */
    return (user != NULL && st.st_uid == user->pw_uid) ||
           assay_path_complain(
               "cannot use the store", s->store,
               "it is another user's: serve it as that user, or give it to the user "
               "of nginx's workers first (chown -R)");
}

/* A store that somebody named is not made by accident: a mistyped name would be an empty server. */
static bool find_store(struct assay_serving *s)
{
    struct assay_error error = {0};
    enum assay_status status = assay_lmdb_check(s->store, &error);
    if (status == ASSAY_OK) {
        return check_owner(s);
    }
    if (status != ASSAY_ERR_ABSENT || s->store_chosen) {
        return assay_path_complain("cannot use the store", s->store, error.what);
    }
    if (!assay_path_make_parents(s->store)) {
        return false;
    }
    if (assay_lmdb_create(s->store, &error) != ASSAY_OK) {
        return assay_path_complain("cannot make the store", s->store, error.what);
    }
    s->store_made = true;
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
            return assay_path_join(out, size, places[i], "");
        }
    }
    fputs("assay: nginx is not installed here\n", stderr);
    return false;
}

/* What cannot be made here must be there already; better to say so before anything is made. */
static bool check_installed(const struct assay_serving *s)
{
    char nginx[ASSAY_PATH_ROOM];
    if (!find_nginx(nginx, sizeof nginx)) {
        return false;
    }
    const char *missing = access(s->module, R_OK) != 0 ? s->module : NULL;
    if (s->demo && access(s->guard_module, R_OK) != 0) {
        missing = s->guard_module;
    }
    return missing == NULL ||
           assay_path_complain("cannot load", missing, "there is no such module");
}

static const char *listen_fault(int why)
{
    switch (why) {
    case EADDRINUSE:
        return "another program listens there; --listen names another port";
    case EADDRNOTAVAIL:
        return "this machine has no such address";
    case EACCES:
        return "ports below 1024 are root's; --listen names another port";
    default:
        return "the system refused";
    }
}

/* nginx would say so, too, but only when all the rest has been made. */
static bool check_listen(const struct assay_serving *s)
{
    char host[sizeof s->listen];
    const char *colon = strrchr(s->listen, ':');
    bool bracketed = s->listen[0] == '[';
    size_t len = (size_t)(colon - s->listen) - (bracketed ? 2 : 0);
    memcpy(host, s->listen + (bracketed ? 1 : 0), len);
    host[len] = '\0';
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *address = NULL;
    if (getaddrinfo(host, colon + 1, &hints, &address) != 0) {
        return assay_path_complain("cannot listen on", s->listen, "it is no IP address and port");
    }
    static const int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                 bind(fd, address->ai_addr, address->ai_addrlen) == 0;
    int why = errno;
    if (fd >= 0) {
        close(fd);
    }
    freeaddrinfo(address);
    return bound || assay_path_complain("cannot listen on", s->listen, listen_fault(why));
}

bool assay_serving_prepare(struct assay_serving *s)
{
    bool brought = s->certificate[0] != '\0' && !s->development_certificate;
    return check_installed(s) && (!brought || assay_key_pair_check(s->certificate, s->key)) &&
           make_run_dir(s) && take_run_dir(s) && check_listen(s) &&
           (!s->development_certificate || make_certificate(s)) && find_store(s);
}

static bool give_file(const struct assay_serving *s, const char *name, const struct passwd *user)
{
    char path[ASSAY_PATH_ROOM];
    if (!assay_path_join(path, sizeof path, s->store, name)) {
        return false;
    }
    if (lchown(path, user->pw_uid, user->pw_gid) != 0 && errno != ENOENT) {
        return assay_path_complain("cannot give away", path, "its owner cannot be changed");
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
        return assay_path_complain("workers cannot run as", s->user, "there is no such user");
    }
    static const char *const names[] = {"", "/data", "/data-lock", "/wake", "/witness", "/ballast"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!give_file(s, names[i], user)) {
            return false;
        }
    }
    return true;
}

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
        .guard_module = s->demo ? s->guard_module : NULL,
        .gateway = ASSAY_DEMO_GATEWAY,
        .gateway_secret = s->gateway_secret,
        .audience = ASSAY_DEMO_AUDIENCE,
        .authorities = s->development_certificate ? s->certificate : NULL,
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

/* The arguments that nginx gets, NULL behind them. */
#define NGINX_ARGUMENTS 10

static void nginx_arguments(const struct assay_serving *s, const char *conf, bool test,
                            const char *ret[NGINX_ARGUMENTS])
{
    const char *const common[] = {"nginx", "-p", s->run_dir, "-c", conf, "-e", "stderr"};
    memcpy(ret, common, sizeof common);
    ret[7] = test ? "-t" : "-g";
    ret[8] = test ? "-q" : "daemon off;";
    ret[9] = NULL;
}

/* Becomes nginx. Returns only if that fails. */
static void become_nginx(const struct assay_serving *s, bool test)
{
    char conf[ASSAY_PATH_ROOM];
    char nginx[ASSAY_PATH_ROOM];
    const char *arguments[NGINX_ARGUMENTS];
    if (!find_nginx(nginx, sizeof nginx) ||
        !assay_path_join(conf, sizeof conf, s->run_dir, "/nginx.conf")) {
        return;
    }
    nginx_arguments(s, conf, test, arguments);
    /* execv takes char *const[] for old programs' sake, and changes nothing. */
    execv(nginx, (char *const *)(uintptr_t)arguments);
    (void)assay_path_complain("cannot run", nginx, "the system refused");
}

/* One that was killed leaves the sample's socket behind. */
static void drop_socket(const struct assay_serving *s)
{
    char path[ASSAY_PATH_ROOM];
    if (assay_path_join(path, sizeof path, s->run_dir, "/api.sock")) {
        (void)unlink(path);
    }
}

static bool write_conf_file(const struct assay_serving *s)
{
    char path[ASSAY_PATH_ROOM];
    uint8_t room[CONF_ROOM];
    struct assay_buf conf;
    assay_buf_init(&conf, room, sizeof room);
    return assay_path_join(path, sizeof path, s->run_dir, "/nginx.conf") && write_conf(s, &conf) &&
           assay_path_write(path, 0600, assay_buf_slice(&conf));
}

bool assay_serving_test(const struct assay_serving *s)
{
    if (!write_conf_file(s)) {
        return false;
    }
    drop_socket(s);
    pid_t child = fork();
    if (child == 0) {
        become_nginx(s, true);
        _exit(ASSAY_EXIT_NO);
    }
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            child = -1;
        }
    }
    return (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
           assay_path_complain("cannot serve from", s->run_dir, "nginx refuses its configuration");
}

int assay_serving_run(const struct assay_serving *s)
{
    become_nginx(s, false);
    return ASSAY_EXIT_NO;
}
