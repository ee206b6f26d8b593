#include "tool/http.h"

#include "fetch/fetch.h"
#include "tool/loop_poll.h"

#define CONNECT_MS 5000
#define WHOLE_MS 30000
#define TURN_MS 1000

/* What done() leaves for whoever waits. */
struct outcome {
    struct assay_buf *out;
    bool done;
};

static void on_done(struct assay_fetch *fetch)
{
    struct outcome *outcome = fetch->context;
    outcome->done = true;
    if (fetch->result == ASSAY_FETCH_OK) {
        assay_buf_append(outcome->out, fetch->answer);
    }
}

static enum assay_status wait_for(struct assay_poll *poll, const struct outcome *outcome,
                                  struct assay_error *reterr)
{
    enum assay_status status = ASSAY_OK;
    while (!outcome->done && status == ASSAY_OK) {
        status = assay_poll_once(poll, TURN_MS, reterr);
    }
    return status;
}

static enum assay_status exchange(struct assay_fetcher *fetcher, struct assay_poll *poll,
                                  struct assay_fetch *fetch, struct assay_error *reterr)
{
    struct outcome *outcome = fetch->context;
    enum assay_status status = assay_fetch_start(fetcher, fetch, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    status = wait_for(poll, outcome, reterr);
    if (status != ASSAY_OK) {
        assay_fetch_cancel(fetch);
        return status;
    }
    switch (fetch->result) {
    case ASSAY_FETCH_OK:
        return outcome->out->spent ? assay_fail(ASSAY_ERR_LIMIT, "the answer is too long", reterr)
                                   : ASSAY_OK;
    case ASSAY_FETCH_FAILED:
    case ASSAY_FETCH_REFUSED:
    case ASSAY_FETCH_BUSY:
        break;
    }
    return assay_fail(ASSAY_ERR_SYSTEM, fetch->what, reterr);
}

enum assay_status assay_http_run(const struct assay_http *http, struct assay_buf *out,
                                 unsigned *ret_http_status, struct assay_error *reterr)
{
    struct assay_poll poll;
    struct assay_fetcher *fetcher = NULL;
    struct outcome outcome = {.out = out};
    struct assay_fetch_options options = {
        .ca_file = http->ca_file, .connect_ms = CONNECT_MS, .max_body = out->size - out->len};
    struct assay_fetch fetch = {
        .url = http->url,
        .timeout_ms = WHOLE_MS,
        .content_type = http->content_type,
        .accept = "application/json",
        .authorization = http->authorization,
        .body = http->body,
        .done = on_done,
        .context = &outcome,
    };
    assay_poll_init(&poll);
    enum assay_status status = assay_fetcher_open(&poll.loop, &options, &fetcher, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    status = exchange(fetcher, &poll, &fetch, reterr);
    assay_fetcher_close(fetcher);
    if (status == ASSAY_OK) {
        *ret_http_status = fetch.http_status;
    }
    return status;
}
