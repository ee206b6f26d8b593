#include "fetch/fetch.h"

#include <string.h>

static bool is_this_machine(const char *host, size_t len)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == len && strncmp(host, names[i], len) == 0) {
            return true;
        }
    }
    return false;
}

/* Cleartext never leaves the machine unasked. A user name in the URL would hide which host it
 * names.
 */
bool assay_fetch_url_allowed(const char *url, bool allow_cleartext)
{
    static const char https[] = "https://";
    static const char http[] = "http://";
    bool cleartext = strncmp(url, http, sizeof http - 1) == 0;
    if (!cleartext && strncmp(url, https, sizeof https - 1) != 0) {
        return false;
    }
    const char *host = strstr(url, "://") + 3;
    size_t authority = strcspn(host, "/?#");
    if (authority == 0 || memchr(host, '@', authority) != NULL) {
        return false;
    }
    size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
    if (len > authority || (len < authority && host[len] != ':')) {
        return false; /* something stands behind the brackets */
    }
    return !cleartext || allow_cleartext || is_this_machine(host, len);
}
