#include "fetch/answer.h"

#include <stdlib.h>
#include <string.h>

#define MAX_HEADERS ((size_t)16384) /* bytes of an answer's fields, interim answers included */
#define MAX_RETRY_AFTER_S 3600

static size_t refuse(struct assay_fetch_answer *answer, const char *what)
{
    answer->refusal = what;
    return 0; /* ends the exchange */
}

/* --- the body --- */

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct assay_fetch_answer *answer = context;
    size_t len = size * count;
    if (len > answer->max_body - answer->body_len) {
        return refuse(answer, "the answer is too long");
    }
    if (answer->body == NULL) {
        answer->body = malloc(answer->max_body);
        if (answer->body == NULL) {
            return refuse(answer, "no memory for the answer");
        }
    }
    memcpy(answer->body + answer->body_len, data, len);
    answer->body_len += len;
    return len;
}

/* --- the header --- */

/* Is `line` the field `name` (":" included)? Its value, without blanks around. */
static bool is_field(struct assay_slice line, struct assay_slice name, struct assay_slice *ret)
{
    if (line.len < name.len || !assay_slice_equal_nocase(assay_slice_head(line, name.len), name)) {
        return false;
    }
    struct assay_slice value = assay_slice_from(line, name.len);
    while (value.len > 0 && value.data[0] <= ' ') {
        value = assay_slice_from(value, 1);
    }
    while (value.len > 0 && value.data[value.len - 1] <= ' ') {
        value = assay_slice_head(value, value.len - 1);
    }
    *ret = value;
    return true;
}

static size_t read_field(struct assay_fetch_answer *answer, struct assay_slice line)
{
    struct assay_slice value = {0};
    bool chunked = is_field(line, ASSAY_SLICE("transfer-encoding:"), &value);
    if (chunked && !assay_slice_equal_nocase(value, ASSAY_SLICE("chunked"))) {
        return refuse(answer, "the answer's transfer is encoded, which nobody asked for");
    }
    if (is_field(line, ASSAY_SLICE("content-encoding:"), &value)) {
        return refuse(answer, "the answer is encoded, which nobody asked for");
    }
    if (chunked || is_field(line, ASSAY_SLICE("content-length:"), &value)) {
        if (answer->framed) {
            return refuse(answer, "the answer has two lengths");
        }
        answer->framed = true;
    }
    return line.len;
}

static bool is_end(struct assay_slice line)
{
    return assay_slice_equal(line, ASSAY_SLICE("\r\n")) ||
           assay_slice_equal(line, ASSAY_SLICE("\n"));
}

/* libcurl gives a line at a time, interim answers and trailers included. */
static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct assay_fetch_answer *answer = context;
    struct assay_slice line = assay_slice_of(data, size * count);
    answer->header_len += line.len;
    if (answer->header_len > MAX_HEADERS) {
        return refuse(answer, "the answer has too many fields");
    }
    if (assay_slice_starts_with(line, ASSAY_SLICE("HTTP/"))) {
        answer->framed = false; /* each message has a framing of its own */
        answer->header_whole = false;
        return line.len;
    }
    answer->header_whole = answer->header_whole || is_end(line);
    return read_field(answer, line);
}

CURLcode assay_fetch_answer_attach(struct assay_fetch_answer *answer, CURL *curl)
{
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    return rc ? rc : curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer);
}

/* --- the end --- */

void assay_fetch_answer_read(const struct assay_fetch_answer *answer, CURL *curl,
                             struct assay_fetch *ret)
{
    long status = 0;
    curl_off_t retry_after = 0;
    struct curl_header *date = NULL;
    char *type = NULL;
    if (!answer->header_whole) { /* libcurl takes it for one without a body */
        ret->result = ASSAY_FETCH_FAILED;
        ret->what = "the answer ends in its header";
        return;
    }
    if (curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK ||
        curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type) != CURLE_OK ||
        curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after) != CURLE_OK) {
        ret->result = ASSAY_FETCH_FAILED;
        ret->what = "the answer cannot be read";
        return;
    }
    ret->result = ASSAY_FETCH_OK;
    ret->http_status = (unsigned)status;
    ret->content_type_got = assay_slice_of_text(type);
    ret->answer = assay_slice_of(answer->body, answer->body_len);
    ret->retry_after_s = retry_after > MAX_RETRY_AFTER_S ? MAX_RETRY_AFTER_S : retry_after;
    if (curl_easy_header(curl, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK) {
        time_t when = curl_getdate(date->value, NULL);
        ret->date_s = when > 0 ? when : 0;
    }
}

void assay_fetch_answer_clear(struct assay_fetch_answer *answer)
{
    free(answer->body);
    *answer = (struct assay_fetch_answer){.max_body = answer->max_body};
}
