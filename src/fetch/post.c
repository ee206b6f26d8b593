#include "fetch/post.h"

#include <curl/curl.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 5000L
#define WHOLE_MS 30000L

static size_t take(char *data, size_t size, size_t count, void *context)
{
    struct assay_buf *out = context;
    assay_buf_append(out, assay_slice_of(data, size * count));
    return out->spent ? 0 : size * count;
}

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

/* Cleartext never leaves the machine. A user name in the URL would hide which host it names. */
static bool is_allowed(const char *url, bool *ret_cleartext)
{
    static const char https[] = "https://";
    static const char http[] = "http://";
    *ret_cleartext = strncmp(url, http, sizeof http - 1) == 0;
    if (!*ret_cleartext && strncmp(url, https, sizeof https - 1) != 0) {
        return false;
    }
    const char *host = strstr(url, "://") + 3;
    size_t authority = strcspn(host, "/?#");
    if (authority == 0 || memchr(host, '@', authority) != NULL) {
        return false;
    }
    size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
    return !*ret_cleartext || is_this_machine(host, len);
}

static CURLcode set_options(CURL *curl, const struct assay_post *post, bool cleartext,
                            const struct curl_slist *headers, struct assay_buf *out)
{
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_URL, post->url);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, cleartext ? "http" : "https");
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_PROXY, cleartext ? "" : NULL);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, WHOLE_MS);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_USERNAME, post->user);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_PASSWORD, post->password);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)post->body.data);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)post->body.len);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    if (rc == CURLE_OK && post->ca_file != NULL) {
        rc = curl_easy_setopt(curl, CURLOPT_CAINFO, post->ca_file);
    }
    return rc;
}

/* `Expect:` is dropped: the body is small, and a server may not answer it. */
static struct curl_slist *make_headers(const char *content_type)
{
    char line[128] = "Content-Type: ";
    if (strlen(line) + strlen(content_type) >= sizeof line) {
        return NULL;
    }
    memcpy(line + strlen(line), content_type, strlen(content_type) + 1);
    struct curl_slist *list = curl_slist_append(NULL, line);
    struct curl_slist *both = list == NULL ? NULL : curl_slist_append(list, "Expect:");
    if (both == NULL) {
        curl_slist_free_all(list);
    }
    return both;
}

static enum assay_status perform(CURL *curl, const struct assay_buf *out, unsigned *ret_http_status,
                                 struct assay_error *reterr)
{
    CURLcode rc = curl_easy_perform(curl);
    if (out->spent) {
        return assay_fail(ASSAY_ERR_LIMIT, "the answer is too long", reterr);
    }
    long http_status = 0;
    if (rc == CURLE_OK) {
        rc = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status);
    }
    if (rc != CURLE_OK) {
        return assay_fail(ASSAY_ERR_SYSTEM, curl_easy_strerror(rc), reterr);
    }
    *ret_http_status = (unsigned)http_status;
    return ASSAY_OK;
}

enum assay_status assay_post_run(const struct assay_post *post, struct assay_buf *out,
                                 unsigned *ret_http_status, struct assay_error *reterr)
{
    bool cleartext = false;
    if (!is_allowed(post->url, &cleartext)) {
        return assay_fail(ASSAY_ERR_SYNTAX,
                          "the server's URL is neither https nor http to this machine", reterr);
    }
    struct curl_slist *headers = make_headers(post->content_type);
    CURL *curl = curl_easy_init();
    enum assay_status status = ASSAY_OK;
    CURLcode rc = CURLE_OUT_OF_MEMORY;
    if (curl != NULL && headers != NULL) {
        rc = set_options(curl, post, cleartext, headers, out);
    }
    if (rc == CURLE_OK) {
        status = perform(curl, out, ret_http_status, reterr);
    } else {
        status = assay_fail(ASSAY_ERR_SYSTEM, curl_easy_strerror(rc), reterr);
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return status;
}
