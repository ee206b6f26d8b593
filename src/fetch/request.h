/* One request, as libcurl wants it. */
#ifndef ASSAY_FETCH_REQUEST_H
#define ASSAY_FETCH_REQUEST_H

#include "fetch/fetch.h"

#include <curl/curl.h>

/* The header fields of `fetch`; NULL: no memory. Drop them with what follows. */
struct curl_slist *assay_fetch_fields_make(const struct assay_fetch *fetch);

/* Wipes and frees; NULL is fine. */
void assay_fetch_fields_drop(struct curl_slist *fields);

/* Sets `curl` up for what all requests of a fetcher share. `ca_file` NULL: the system's. */
CURLcode assay_fetch_request_prepare(CURL *curl, const struct assay_fetch_options *options,
                                     const char *ca_file);

/* And for one of them, which it borrows from with `fields`. */
CURLcode assay_fetch_request_set(CURL *curl, const struct assay_fetch *fetch,
                                 const struct curl_slist *fields);

#endif
