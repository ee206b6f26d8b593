/* /readyz and /metrics: what the store says of itself, and what was counted. */
#include "json/writer.h"
#include "server/flow_priv.h"
#include "server/metrics.h"

enum assay_status server_ready(struct assay_exchange *ex, struct assay_error *reterr)
{
    static const size_t size = 1024;
    const struct assay_store_stat *stat = &ex->query.stat;
    bool answered = ex->store_status == ASSAY_OK;
    bool ready = answered && !stat->blocking;
    struct assay_buf out;
    struct assay_json_writer w;
    uint8_t *room = assay_arena_take(ex->arena, size, 1);
    if (room == NULL) {
        return assay_fail(ASSAY_ERR_LIMIT, "no room for readiness", reterr);
    }
    assay_buf_init(&out, room, size);
    assay_json_init(&w, &out);
    assay_json_object_open(&w);
    assay_json_member_bool(&w, ASSAY_SLICE("ready"), ready);
    assay_json_name(&w, ASSAY_SLICE("reasons"));
    assay_json_array_open(&w);
    if (!answered) {
        assay_json_string(&w, ASSAY_SLICE("store_unreadable"));
    }
    for (size_t i = 0; answered && i < stat->reason_count; i++) {
        assay_json_string(&w, assay_slice_of_text(stat->reasons[i]));
    }
    assay_json_array_close(&w);
    assay_json_object_close(&w);
    assay_json_reply(ready ? 200 : 503, assay_buf_slice(&out), &ex->reply);
    ex->reply.retry_after_s = ready ? 0 : 1;
    return ASSAY_OK;
}

enum assay_status server_metrics(struct assay_exchange *ex, struct assay_error *reterr)
{
    struct assay_buf out;
    uint8_t *room = assay_arena_take(ex->arena, ASSAY_METRICS_TEXT, 1);
    if (room == NULL || ex->server->metrics == NULL) {
        return assay_fail(ASSAY_ERR_LIMIT, "no room for metrics", reterr);
    }
    if (ex->store_status != ASSAY_OK) {
        assay_oauth_error_reply(ASSAY_ERROR_UNAVAILABLE, &ex->reply);
        return ASSAY_OK;
    }
    assay_buf_init(&out, room, ASSAY_METRICS_TEXT);
    assay_metrics_write(ex->server->metrics, &ex->query.stat, &out);
    if (out.spent) {
        return assay_fail(ASSAY_ERR_LIMIT, "the metrics do not fit", reterr);
    }
    assay_json_reply(200, assay_buf_slice(&out), &ex->reply);
    ex->reply.content_type = ASSAY_SLICE("text/plain; version=0.0.4; charset=utf-8");
    return ASSAY_OK;
}
