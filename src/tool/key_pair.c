#include "tool/key_pair.h"

#include "base/secret.h"
#include "crypto/cert.h"
#include "tool/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_MAX 65536 /* a chain of certificates and more */

struct pem {
    uint8_t bytes[PEM_MAX];
    size_t len;
};

static bool read_all(int fd, struct pem *pem)
{
    while (pem->len < sizeof pem->bytes) {
        ssize_t got = read(fd, pem->bytes + pem->len, sizeof pem->bytes - pem->len);
        if (got == 0) {
            return true;
        }
        if (got < 0 && errno != EINTR) {
            return false;
        }
        pem->len += got > 0 ? (size_t)got : 0;
    }
    return false;
}

/* NULL, or why the file cannot be used. A group may read a key: some systems have one for that. */
static const char *read_pem(const char *path, mode_t closed, struct pem *pem)
{
    struct stat st;
    const char *why = NULL;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? "it does not exist" : "it cannot be opened";
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        why = "it is not a regular file";
    } else if ((st.st_mode & closed) != 0) {
        why = "everybody on this machine may read or write it (chmod 600 it)";
    } else if (!read_all(fd, pem)) {
        why = "it cannot be read, or is too long";
    }
    (void)close(fd); /* nothing was written */
    return why;
}

bool assay_key_pair_check(const char *certificate, const char *key)
{
    struct pem cert_pem = {.len = 0};
    struct pem key_pem = {.len = 0};
    struct assay_error error = {0};
    const char *why = read_pem(certificate, S_IWOTH, &cert_pem);
    if (why != NULL) {
        return assay_path_complain("cannot use the certificate", certificate, why);
    }
    why = read_pem(key, S_IRWXO, &key_pem);
    if (why == NULL &&
        assay_cert_check(assay_slice_of(cert_pem.bytes, cert_pem.len),
                         assay_slice_of(key_pem.bytes, key_pem.len), &error) != ASSAY_OK) {
        why = error.what;
    }
    assay_secret_wipe(key_pem.bytes, sizeof key_pem.bytes);
    return why == NULL || assay_path_complain("cannot use the key", key, why);
}
