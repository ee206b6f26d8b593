#include "oauth/issuer.h"

#include "base/limits.h"

#include <string.h>

static const char *const wanted = "an https URL is wanted, as in https://auth.example.com";

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_port(struct assay_slice text)
{
    uint32_t port = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i]) || text.len > 5) {
            return false;
        }
        port = port * 10 + (uint32_t)(text.data[i] - '0');
    }
    return port >= 1 && port <= 65535;
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* A name or an IPv4 address, or an IPv6 one in brackets. */
static bool is_host(struct assay_slice host)
{
    bool bracketed = host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
    size_t from = bracketed ? 1 : 0;
    for (size_t i = from; i < host.len - from; i++) {
        uint8_t c = host.data[i];
        bool in_address = is_hex(c) || c == ':' || c == '.';
        bool in_name = is_digit(c) || is_letter(c) || c == '.' || c == '-' || c == '_';
        if (!(bracketed ? in_address : in_name)) {
            return false;
        }
    }
    return host.len != 0;
}

/* Splits HOST or HOST:PORT, [V6] or [V6]:PORT. */
static bool split_authority(struct assay_slice authority, struct assay_slice *ret_host)
{
    size_t colon = authority.len;
    for (size_t i = authority.len; i > 0 && authority.data[i - 1] != ']'; i--) {
        if (authority.data[i - 1] == ':') {
            colon = i - 1;
            break;
        }
    }
    *ret_host = assay_slice_head(authority, colon);
    return colon == authority.len || is_port(assay_slice_from(authority, colon + 1));
}

static bool is_this_machine(struct assay_slice host)
{
    return assay_slice_equal(host, ASSAY_SLICE("localhost")) ||
           assay_slice_equal(host, ASSAY_SLICE("127.0.0.1")) ||
           assay_slice_equal(host, ASSAY_SLICE("[::1]"));
}

/* Characters that stand for themselves in a path, whoever sends it. */
static bool is_path_char(uint8_t c)
{
    return is_digit(c) || is_letter(c) || (c != '\0' && strchr("-._~!$&'()*+,;=:@", c) != NULL);
}

/* `path` stands behind the first slash. A slash may stand at its end. */
static bool is_plain_path(struct assay_slice path)
{
    struct assay_slice rest = path;
    while (rest.len != 0) {
        struct assay_slice segment = assay_slice_cut(&rest, '/');
        if (segment.len == 0 || assay_slice_equal(segment, ASSAY_SLICE(".")) ||
            assay_slice_equal(segment, ASSAY_SLICE(".."))) {
            return false;
        }
        for (size_t i = 0; i < segment.len; i++) {
            if (!is_path_char(segment.data[i])) {
                return false;
            }
        }
    }
    return true;
}

const char *assay_issuer_fault(struct assay_slice url)
{
    static const struct assay_slice https = {(const uint8_t *)"https://", 8};
    static const struct assay_slice http = {(const uint8_t *)"http://", 7};
    struct assay_slice host;
    bool secure = assay_slice_starts_with(url, https);
    if (!secure && !assay_slice_starts_with(url, http)) {
        return wanted;
    }
    if (url.len > ASSAY_MAX_AUDIENCE) {
        return "it is too long: an issuer has at most 512 bytes";
    }
    struct assay_slice rest = assay_slice_from(url, secure ? https.len : http.len);
    if (memchr(url.data, '?', url.len) != NULL || memchr(url.data, '#', url.len) != NULL) {
        return "an issuer has no query and no fragment (RFC 8414 section 2)";
    }
    struct assay_slice authority = assay_slice_cut(&rest, '/');
    if (!split_authority(authority, &host) || !is_host(host)) {
        return "HOST or HOST:PORT is wanted behind the slashes, as in "
               "https://auth.example.com:8443";
    }
    if (!secure && !is_this_machine(host)) {
        return "http is for this machine alone (localhost, 127.0.0.1, [::1]): an https URL is "
               "wanted";
    }
    if (!is_plain_path(rest)) {
        return "its path is compared byte for byte: plain segments are wanted, as in "
               "https://auth.example.com/tenant";
    }
    return NULL;
}

struct assay_slice assay_issuer_path(struct assay_slice issuer)
{
    struct assay_slice rest = issuer;
    for (int slashes = 0; slashes < 3 && rest.data != NULL; slashes++) {
        (void)assay_slice_cut(&rest, '/'); /* "https:", "", the host */
    }
    if (rest.data != NULL && rest.len > 0 && rest.data[rest.len - 1] == '/') {
        rest = assay_slice_head(rest, rest.len - 1);
    }
    if (rest.len == 0) {
        return (struct assay_slice){0};
    }
    return assay_slice_of(rest.data - 1, rest.len + 1); /* with the slash before it */
}
