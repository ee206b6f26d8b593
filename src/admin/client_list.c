#include "admin/client_priv.h"

#include <string.h>

/* Rows until the reply is nearly full: the next page starts behind the last one that fitted. */
struct list_op {
    struct assay_slice last; /* client_id */
    bool full;
    uint8_t last_room[ASSAY_MAX_CLIENT_ID];
};

#define ROW_ROOM (ASSAY_MAX_CLIENT_RECORD + 1024)

static bool list_row(struct assay_query *query)
{
    struct assay_admin *admin = query->context;
    struct list_op *op = admin->state;
    if (admin->out.size - admin->out.len < ROW_ROOM) {
        op->full = true;
        return false;
    }
    assay_json_object_open(&admin->w);
    assay_admin_client_write(&admin->w, &query->client, (struct assay_slice){0});
    assay_json_object_close(&admin->w);
    memcpy(op->last_room, query->client.client_id.data, query->client.client_id.len);
    op->last = assay_slice_of(op->last_room, query->client.client_id.len);
    return true;
}

static enum assay_status listed(struct assay_admin *admin, int64_t now_s, enum assay_step *ret_step,
                                struct assay_error *reterr)
{
    (void)now_s;
    const struct list_op *op = admin->state;
    if (admin->ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    assay_json_array_close(&admin->w);
    if (op->full || admin->ex->query.more) {
        assay_json_member_text(&admin->w, ASSAY_SLICE("next"), op->last);
    }
    return assay_admin_close(admin, ret_step, reterr);
}

enum assay_status assay_admin_client_list(struct assay_admin *admin, int64_t now_s,
                                          enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    struct list_op *op = assay_arena_take(admin->ex->arena, sizeof *op, _Alignof(struct list_op));
    if (op == NULL) {
        return assay_admin_spent(reterr);
    }
    memset(op, 0, sizeof *op);
    admin->state = op;
    enum assay_status status = assay_admin_open(admin, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    assay_json_name(&admin->w, ASSAY_SLICE("clients"));
    assay_json_array_open(&admin->w);
    admin->ex->query = (struct assay_query){
        .verb = ASSAY_QUERY_CLIENTS,
        .after_client = admin->input.after,
        .limit = ASSAY_MAX_LIST_ROWS,
        .row = list_row,
        .context = admin,
    };
    return assay_admin_list(admin, listed, ret_step);
}

static enum assay_status shown(struct assay_admin *admin, int64_t now_s, enum assay_step *ret_step,
                               struct assay_error *reterr)
{
    (void)now_s;
    const struct assay_client_record *record = admin->ex->lookup.caller;
    if (admin->ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    if (record == NULL) {
        return assay_admin_no_client(admin, ret_step, reterr);
    }
    enum assay_status status = assay_admin_open(admin, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    assay_admin_client_write(&admin->w, record, (struct assay_slice){0});
    return assay_admin_close(admin, ret_step, reterr);
}

enum assay_status assay_admin_client_show(struct assay_admin *admin, int64_t now_s,
                                          enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    (void)reterr;
    return assay_admin_find_client(admin, admin->input.client_id, shown, ret_step);
}
