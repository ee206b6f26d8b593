#include "fetch/request.h"

#include "base/buf.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

void assay_fetch_fields_drop(struct curl_slist *fields)
{
    for (struct curl_slist *at = fields; at != NULL; at = at->next) {
        assay_secret_wipe(at->data, strlen(at->data));
    }
    curl_slist_free_all(fields);
}

static bool append_line(struct curl_slist **fields, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*fields, line);
    if (longer == NULL) {
        return false;
    }
    *fields = longer;
    return true;
}

/* `name` (": " included) and `value`. */
static bool append_field(struct curl_slist **fields, const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(value) + 1;
    char *line = value[0] == '\0' ? NULL : malloc(size);
    if (line == NULL) {
        return false;
    }
    struct assay_buf buf;
    assay_buf_init(&buf, line, size);
    assay_buf_append(&buf, assay_slice_of_text(name));
    assay_buf_append(&buf, assay_slice_of_text(value));
    assay_buf_append_byte(&buf, '\0');
    bool good = append_line(fields, line);
    assay_secret_wipe(line, size);
    free(line);
    return good;
}

/* `Expect:` is dropped: the body is small, and a server may not answer it. */
struct curl_slist *assay_fetch_fields_make(const struct assay_fetch *fetch)
{
    struct curl_slist *fields = NULL;
    bool good = append_line(&fields, "Expect:") && append_line(&fields, "User-Agent: assay");
    good = good && (fetch->content_type == NULL ||
                    append_field(&fields, "Content-Type: ", fetch->content_type));
    good = good && (fetch->accept == NULL || append_field(&fields, "Accept: ", fetch->accept));
    good = good && (fetch->authorization == NULL ||
                    append_field(&fields, "Authorization: ", fetch->authorization));
    good = good && (fetch->header == NULL || append_line(&fields, fetch->header));
    if (!good) {
        assay_fetch_fields_drop(fields);
        return NULL;
    }
    return fields;
}

/* Borrowed, as the options are, and not read from a file, which who asks may not. */
static struct curl_blob borrowed(struct assay_slice text)
{
    return (struct curl_blob){.data = (void *)(uintptr_t)text.data, .len = text.len};
}

static CURLcode set_certificate(CURL *curl, const struct assay_fetch_options *options)
{
    struct curl_blob certificate = borrowed(options->certificate);
    struct curl_blob key = borrowed(options->certificate_key);
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_SSLCERT_BLOB, &certificate);
    return rc ? rc : curl_easy_setopt(curl, CURLOPT_SSLKEY_BLOB, &key);
}

CURLcode assay_fetch_request_prepare(CURL *curl, const struct assay_fetch_options *options,
                                     const char *ca_file)
{
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_PROXY, "");
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_HTTP09_ALLOWED, 0L);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_ms);
    if (rc == CURLE_OK && ca_file != NULL) {
        rc = curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
        rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
    return rc || options->certificate.len == 0 ? rc : set_certificate(curl, options);
}

CURLcode assay_fetch_request_set(CURL *curl, const struct assay_fetch *fetch,
                                 const struct curl_slist *fields)
{
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_URL, fetch->url);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)fetch->timeout_ms);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
    if (rc == CURLE_OK && fetch->content_type != NULL) {
        rc = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)fetch->body.len);
        rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)fetch->body.data);
    } else if (rc == CURLE_OK) {
        rc = curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    return rc;
}
