#include "fetch/certificate.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <stdbool.h>
#include <string.h>

/* Without brackets around an address, or the dot behind a name. */
static char *plain(char *host)
{
    size_t len = strlen(host);
    if (host[0] == '[') {
        host[len - 1] = '\0';
        return host + 1;
    }
    if (len > 0 && host[len - 1] == '.') {
        host[len - 1] = '\0';
    }
    return host;
}

static bool expect(SSL_CTX *context, char *host)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1 ||
           X509_VERIFY_PARAM_set1_host(param, host, strlen(host)) == 1;
}

static CURLcode on_context(CURL *curl, void *context, void *own)
{
    const char *const *url = own;
    CURLU *parts = curl_url();
    char *host = NULL;
    (void)curl;
    bool good = parts != NULL && curl_url_set(parts, CURLUPART_URL, *url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                expect(context, plain(host));
    curl_free(host);
    curl_url_cleanup(parts);
    return good ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

CURLcode assay_fetch_certificate_attach(const char *const *url, CURL *curl)
{
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, on_context);
    return rc ? rc : curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, url);
}
