#include "oauth/resource.h"

#include "base/limits.h"

#include <stddef.h>
#include <string.h>

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* RFC 3986 section 2: reserved but for '#', and unreserved; '%' is looked at by its escape. */
static bool is_uri_char(uint8_t c)
{
    return is_letter(c) || is_digit(c) || (c != '\0' && strchr("-._~:/?[]@!$&'()*+,;=", c) != NULL);
}

/* Bytes of the scheme in front of ':', 0 when there is none (RFC 3986 section 3.1). */
static size_t scheme_len(struct assay_slice uri)
{
    size_t len = 0;
    while (len < uri.len && (is_letter(uri.data[len]) ||
                             (len > 0 && (is_digit(uri.data[len]) || uri.data[len] == '+' ||
                                          uri.data[len] == '-' || uri.data[len] == '.')))) {
        len++;
    }
    return len < uri.len && uri.data[len] == ':' ? len : 0;
}

bool assay_resource_valid(struct assay_slice uri)
{
    size_t scheme = scheme_len(uri);
    if (uri.len > ASSAY_MAX_AUDIENCE || scheme == 0 || uri.len == scheme + 1) {
        return false;
    }
    for (size_t i = scheme + 1; i < uri.len; i++) {
        if (uri.data[i] == '%') {
            if (uri.len - i < 3 || !is_hex(uri.data[i + 1]) || !is_hex(uri.data[i + 2])) {
                return false;
            }
            i += 2;
        } else if (!is_uri_char(uri.data[i])) {
            return false;
        }
    }
    return true;
}
