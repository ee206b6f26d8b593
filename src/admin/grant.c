#include "admin/grant.h"

#include <string.h>

/* A grant on its way. Lives in the arena. */
struct grant_op {
    uint64_t number; /* list: of the last row shown; end: what is to end */
    bool full;       /* list: no room for another row */
    bool found;      /* end */
    uint8_t id[8];
};

#define ROW_ROOM (ASSAY_MAX_GRANT_RECORD + 512)

static struct grant_op *begin(struct assay_admin *admin)
{
    struct grant_op *op = assay_arena_take(admin->ex->arena, sizeof *op, _Alignof(struct grant_op));
    if (op != NULL) {
        memset(op, 0, sizeof *op);
        admin->state = op;
    }
    return op;
}

/* A number of the store: digits alone, without leading zeros, at most ASSAY_SEQ_MAX. */
static bool read_number(struct assay_slice text, uint64_t *ret)
{
    uint64_t number = 0;
    if (text.len == 0 || text.len > 18 || text.data[0] == '0') {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        number = number * 10 + (text.data[i] - (uint64_t)'0');
    }
    *ret = number;
    return number <= ASSAY_SEQ_MAX;
}

/* --- list --- */

static bool list_row(struct assay_query *query)
{
    struct assay_admin *admin = query->context;
    struct grant_op *op = admin->state;
    struct assay_json_writer *w = &admin->w;
    if (admin->out.size - admin->out.len < ROW_ROOM) {
        op->full = true;
        return false;
    }
    const struct assay_grant_record *grant = &query->grant;
    assay_json_object_open(w);
    assay_admin_member_number(w, ASSAY_SLICE("grant"), grant->grant);
    assay_json_member_string(w, ASSAY_SLICE("client_id"), grant->client_id);
    assay_json_member_string(w, ASSAY_SLICE("subject"), grant->subject);
    assay_json_member_string(w, ASSAY_SLICE("scope"), grant->scope);
    assay_json_member_i64(w, ASSAY_SLICE("created_at"), grant->created_at_s);
    assay_json_member_i64(w, ASSAY_SLICE("expires_at"), grant->expires_at_s);
    assay_json_member_bool(w, ASSAY_SLICE("ended"), query->grant_cut);
    assay_json_object_close(w);
    op->number = grant->grant;
    return true;
}

static enum assay_status listed(struct assay_admin *admin, int64_t now_s, enum assay_step *ret_step,
                                struct assay_error *reterr)
{
    (void)now_s;
    const struct grant_op *op = admin->state;
    if (admin->ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    assay_json_array_close(&admin->w);
    if (op->full || admin->ex->query.more) {
        assay_admin_member_number(&admin->w, ASSAY_SLICE("next"), op->number);
    }
    return assay_admin_close(admin, ret_step, reterr);
}

enum assay_status assay_admin_grant_list(struct assay_admin *admin, int64_t now_s,
                                         enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    struct grant_op *op = begin(admin);
    if (op == NULL) {
        return assay_admin_spent(reterr);
    }
    if ((admin->input.given & ASSAY_IN_AFTER) != 0 &&
        !read_number(admin->input.after, &op->number)) {
        return assay_admin_wrong(admin, "after is no number of a grant", ret_step, reterr);
    }
    enum assay_status status = assay_admin_open(admin, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    assay_json_name(&admin->w, ASSAY_SLICE("grants"));
    assay_json_array_open(&admin->w);
    bool of_subject = (admin->input.given & ASSAY_IN_SUBJECT) != 0;
    admin->ex->query = (struct assay_query){
        .verb = of_subject ? ASSAY_QUERY_GRANTS_OF_SUBJECT : ASSAY_QUERY_GRANTS,
        .subject = admin->input.subject,
        .after = op->number,
        .limit = ASSAY_MAX_LIST_ROWS,
        .row = list_row,
        .context = admin,
    };
    return assay_admin_list(admin, listed, ret_step);
}

/* --- end --- */

static enum assay_status reply_ended(struct assay_admin *admin, struct assay_slice name,
                                     struct assay_slice value, enum assay_step *ret_step,
                                     struct assay_error *reterr)
{
    if (admin->ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    enum assay_status status = assay_admin_open(admin, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    assay_json_member_string(&admin->w, name, value);
    assay_json_member_bool(&admin->w, ASSAY_SLICE("ended"), true);
    assay_json_member_bool(&admin->w, ASSAY_SLICE("changed"),
                           admin->ex->change->outcome == ASSAY_DONE);
    return assay_admin_close(admin, ret_step, reterr);
}

static enum assay_status grant_ended(struct assay_admin *admin, int64_t now_s,
                                     enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    return reply_ended(admin, ASSAY_SLICE("grant"), admin->input.grant, ret_step, reterr);
}

static bool see_grant(struct assay_query *query)
{
    struct assay_admin *admin = query->context;
    struct grant_op *op = admin->state;
    op->found = query->grant.grant == op->number;
    return false;
}

static enum assay_status grant_found(struct assay_admin *admin, int64_t now_s,
                                     enum assay_step *ret_step, struct assay_error *reterr)
{
    struct grant_op *op = admin->state;
    if (admin->ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    if (!op->found) {
        return assay_admin_absent(admin, "there is no such grant (or it expired long ago)",
                                  ret_step, reterr);
    }
    struct assay_change *change = assay_admin_change(admin, ASSAY_CHANGE_CUT, now_s);
    if (change == NULL) {
        return assay_admin_spent(reterr);
    }
    change->u.cut.kind = ASSAY_CUTOFF_GRANT;
    change->u.cut.id = assay_cutoff_number_id(op->number, op->id);
    return assay_admin_carry(admin, grant_ended, ret_step);
}

/* A mistyped number must not look like a grant that was ended: so it is looked for first. */
enum assay_status assay_admin_grant_end(struct assay_admin *admin, int64_t now_s,
                                        enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    struct grant_op *op = begin(admin);
    if (op == NULL) {
        return assay_admin_spent(reterr);
    }
    if (!read_number(admin->input.grant, &op->number)) {
        return assay_admin_wrong(admin, "grant is no number of a grant", ret_step, reterr);
    }
    admin->ex->query = (struct assay_query){
        .verb = ASSAY_QUERY_GRANTS,
        .after = op->number - 1,
        .limit = 1,
        .row = see_grant,
        .context = admin,
    };
    return assay_admin_list(admin, grant_found, ret_step);
}

static enum assay_status subject_ended(struct assay_admin *admin, int64_t now_s,
                                       enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    return reply_ended(admin, ASSAY_SLICE("subject"), admin->input.subject, ret_step, reterr);
}

/* Subjects are not registered: any id can be ended, also before its first token. */
enum assay_status assay_admin_subject_end(struct assay_admin *admin, int64_t now_s,
                                          enum assay_step *ret_step, struct assay_error *reterr)
{
    if (admin->input.subject.len == 0) {
        return assay_admin_wrong(admin, "subject is empty", ret_step, reterr);
    }
    struct assay_change *change = assay_admin_change(admin, ASSAY_CHANGE_CUT, now_s);
    if (change == NULL) {
        return assay_admin_spent(reterr);
    }
    change->u.cut.kind = ASSAY_CUTOFF_SUBJECT;
    change->u.cut.id = admin->input.subject;
    return assay_admin_carry(admin, subject_ended, ret_step);
}
