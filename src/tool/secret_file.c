#include "tool/secret_file.h"

#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static bool refuse(const char *why, const char **ret_why)
{
    *ret_why = why;
    return false;
}

/* Reads to the end, or until the room is full (which is then too much). */
static bool read_all(int fd, uint8_t *room, size_t size, size_t *ret_len, const char **ret_why)
{
    size_t len = 0;
    for (;;) {
        if (len == size) {
            return refuse("it is too long", ret_why);
        }
        ssize_t got = read(fd, room + len, size - len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return refuse("it cannot be read", ret_why);
        }
        if (got == 0) {
            *ret_len = len;
            return true;
        }
        len += (size_t)got;
    }
}

/* As read_all, but up to the first line end: a terminal sends lines. */
static bool read_line(int fd, uint8_t *room, size_t size, size_t *ret_len, const char **ret_why)
{
    size_t len = 0;
    while (len == 0 || room[len - 1] != '\n') {
        if (len == size) {
            return refuse("it is too long", ret_why);
        }
        ssize_t got = read(fd, room + len, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return refuse("it cannot be read", ret_why);
        }
        if (got == 0) {
            break;
        }
        len++;
    }
    *ret_len = len;
    return true;
}

/* Cuts one line end and looks at what is left. */
static bool take_line(uint8_t *room, size_t len, struct assay_slice *ret, const char **ret_why)
{
    if (len > 0 && room[len - 1] == '\n') {
        len--;
    }
    if (len > 0 && room[len - 1] == '\r') {
        len--;
    }
    if (len == 0) {
        return refuse("it is empty", ret_why);
    }
    for (size_t i = 0; i < len; i++) {
        if (room[i] == '\n' || room[i] == '\r' || room[i] == '\0') {
            return refuse("it holds more than one line, or is not text", ret_why);
        }
    }
    *ret = assay_slice_of(room, len);
    return true;
}

static bool check_file(int fd, const char **ret_why)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return refuse("it cannot be looked at", ret_why);
    }
    if (!S_ISREG(st.st_mode)) {
        return refuse("it is not a regular file", ret_why);
    }
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return refuse("others than its owner may read or write it (chmod 600 it)", ret_why);
    }
    if (st.st_size > ASSAY_MAX_SECRET_FILE) {
        return refuse("it is too long", ret_why);
    }
    return true;
}

static bool read_file(const char *path, uint8_t *room, size_t size, size_t *ret_len,
                      const char **ret_why)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return refuse(errno == ELOOP    ? "it is a symbolic link, which is not followed"
                      : errno == ENOENT ? "it does not exist"
                                        : "it cannot be opened",
                      ret_why);
    }
    bool ok = check_file(fd, ret_why) && read_all(fd, room, size, ret_len, ret_why);
    if (close(fd) != 0 && ok) {
        ok = refuse("it cannot be read", ret_why);
    }
    return ok;
}

static bool ask(const char *prompt, uint8_t *room, size_t size, size_t *ret_len,
                const char **ret_why)
{
    struct termios shown;
    if (tcgetattr(STDIN_FILENO, &shown) != 0) {
        return refuse("the terminal does not answer", ret_why);
    }
    struct termios hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) != 0) {
        return refuse("the terminal does not hide what is typed", ret_why);
    }
    fputs(prompt, stderr);
    bool ok = read_line(STDIN_FILENO, room, size, ret_len, ret_why);
    fputc('\n', stderr);
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown) != 0 && ok) {
        ok = refuse("the terminal does not answer", ret_why);
    }
    return ok;
}

static bool read_stdin(const char *prompt, uint8_t *room, size_t size, size_t *ret_len,
                       const char **ret_why)
{
    if (isatty(STDIN_FILENO)) {
        return ask(prompt, room, size, ret_len, ret_why);
    }
    return read_all(STDIN_FILENO, room, size, ret_len, ret_why);
}

bool assay_secret_file_read(const char *path, uint8_t *room, size_t size, struct assay_slice *ret,
                            const char **ret_why)
{
    size_t len = 0;
    bool ok = strcmp(path, "-") == 0 ? read_stdin("secret: ", room, size, &len, ret_why)
                                     : read_file(path, room, size, &len, ret_why);
    ok = ok && take_line(room, len, ret, ret_why);
    if (!ok) {
        assay_secret_wipe(room, size);
    }
    return ok;
}

bool assay_stdin_line_read(uint8_t *room, size_t size, struct assay_slice *ret,
                           const char **ret_why)
{
    size_t len = 0;
    bool ok = read_stdin("token or jti: ", room, size, &len, ret_why) &&
              take_line(room, len, ret, ret_why);
    if (!ok) {
        assay_secret_wipe(room, size);
    }
    return ok;
}
