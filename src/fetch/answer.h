/* What comes back in one exchange, as libcurl hands it over: bounded in bytes, and refused where a
 * message may be framed in two ways (RFC 9112 section 6.3) or is encoded, which nobody asks for. */
#ifndef ASSAY_FETCH_ANSWER_H
#define ASSAY_FETCH_ANSWER_H

#include "fetch/fetch.h"

#include <curl/curl.h>

/* Zero it, but for `max_body`. */
struct assay_fetch_answer {
    size_t max_body;     /* bytes */
    uint8_t *body;       /* max_body bytes, allocated when the first ones come */
    size_t body_len;     /* bytes */
    size_t header_len;   /* bytes, of all header sections and trailers */
    bool framed;         /* the header has told how long the body is */
    bool header_whole;   /* the header of the last message has come to its end */
    const char *refusal; /* constant text; NULL: nothing is wrong so far */
};

/* Sets `curl` up to fill it. */
CURLcode assay_fetch_answer_attach(struct assay_fetch_answer *answer, CURL *curl);

/* Reads what the exchange is told of an answer that came whole; the body stays `answer`'s. */
void assay_fetch_answer_read(const struct assay_fetch_answer *answer, CURL *curl,
                             struct assay_fetch *ret);

/* For the next exchange. */
void assay_fetch_answer_clear(struct assay_fetch_answer *answer);

#endif
