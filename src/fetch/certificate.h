/* Which names of a server's certificate count: those in its subjectAltName, and no others (RFC 9525
 * section 2). libcurl would take the common name where there is none. */
#ifndef ASSAY_FETCH_CERTIFICATE_H
#define ASSAY_FETCH_CERTIFICATE_H

#include <curl/curl.h>

/* Has OpenSSL itself hold the certificate of each new connection of `curl` against the host of the
 * URL at `*url`, when it is made; `url` outlives `curl`. */
CURLcode assay_fetch_certificate_attach(const char *const *url, CURL *curl);

#endif
