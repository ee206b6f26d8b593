#include "tool/path.h"

#include "tool/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool assay_path_complain(const char *what, const char *path, const char *why)
{
    fprintf(stderr, "assay: %s ", what);
    assay_text_print(stderr, assay_slice_of_text(path));
    fprintf(stderr, ": %s\n", why);
    return false;
}

bool assay_path_join(char *out, size_t size, const char *a, const char *b)
{
    int written = snprintf(out, size, "%s%s", a, b);
    if (written > 0 && (size_t)written < size) {
        return true;
    }
    return assay_path_complain("cannot use", a, "the path is too long");
}

bool assay_path_absolute(const char *path, char *out, size_t size)
{
    char here[ASSAY_PATH_ROOM];
    if (path[0] == '/') {
        return assay_path_join(out, size, path, "");
    }
    if (getcwd(here, sizeof here - 1) == NULL) {
        return assay_path_complain("cannot use", path, "the working directory is unknown");
    }
    size_t len = strlen(here);
    here[len] = '/';
    here[len + 1] = '\0';
    return assay_path_join(out, size, here, path);
}

bool assay_path_make_parents(const char *path)
{
    char part[ASSAY_PATH_ROOM];
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        size_t len = (size_t)(slash - path);
        memcpy(part, path, len);
        part[len] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            return assay_path_complain("cannot make", part,
                                       strerror(errno)); /* NOLINT(concurrency-*) */
        }
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

bool assay_path_write(const char *path, mode_t mode, struct assay_slice text)
{
    if (unlink(path) != 0 && errno != ENOENT) {
        return assay_path_complain("cannot replace", path, "it cannot be removed");
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) {
        return assay_path_complain("cannot write", path, "it cannot be made");
    }
    bool ok = write_all(fd, text) && fchmod(fd, mode) == 0;
    if (close(fd) != 0 || !ok) {
        return assay_path_complain("cannot write", path, "the write failed");
    }
    return true;
}
