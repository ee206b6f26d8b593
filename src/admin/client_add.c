#include "admin/client_priv.h"

#include "admin/generate.h"

static enum assay_status added(struct assay_admin *admin, int64_t now_s, enum assay_step *ret_step,
                               struct assay_error *reterr)
{
    (void)now_s;
    struct assay_exchange *ex = admin->ex;
    struct client_op *op = admin->state;
    if (ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    if (ex->change->outcome == ASSAY_REFUSED_EXISTS) {
        return assay_admin_refuse(admin, 409, "already_exists", (struct assay_slice){0},
                                  "there is a client of that id", ret_step, reterr);
    }
    if (ex->change->outcome != ASSAY_DONE) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    return client_op_reply(admin, op, NULL, ret_step, reterr);
}

static enum assay_status store_new(struct assay_admin *admin, int64_t now_s,
                                   enum assay_step *ret_step, struct assay_error *reterr)
{
    struct client_op *op = admin->state;
    if (op->hashed.form != 0) {
        op->record.secrets[0] = op->hashed;
        op->record.secret_count = 1;
    }
    struct assay_change *change = assay_admin_change(admin, ASSAY_CHANGE_CLIENT_ADD, now_s);
    if (change == NULL) {
        return assay_admin_spent(reterr);
    }
    op->record.created_at_s = now_s;
    change->u.client.record = op->record;
    return assay_admin_carry(admin, added, ret_step);
}

static enum assay_status own_secret_hashed(struct assay_admin *admin, int64_t now_s,
                                           enum assay_step *ret_step, struct assay_error *reterr)
{
    enum assay_status status = client_op_take_own_secret(admin, admin->state, now_s, reterr);
    return status == ASSAY_OK ? store_new(admin, now_s, ret_step, reterr) : status;
}

static enum assay_status add_secret(struct assay_admin *admin, int64_t now_s,
                                    enum assay_step *ret_step, struct assay_error *reterr)
{
    struct client_op *op = admin->state;
    bool own = (admin->input.given & ASSAY_IN_CLIENT_SECRET) != 0;
    if (op->record.auth_method == ASSAY_AUTH_NONE) {
        return own ? assay_admin_wrong(admin, "a public client has no secret", ret_step, reterr)
                   : store_new(admin, now_s, ret_step, reterr);
    }
    if (own) {
        return client_op_hash_own_secret(admin, own_secret_hashed, ret_step, reterr);
    }
    enum assay_status status = client_op_generate_secret(admin, op, now_s, reterr);
    return status == ASSAY_OK ? store_new(admin, now_s, ret_step, reterr) : status;
}

/* One row of the search for the only resource server. */
static bool see_resource_server(struct assay_query *query)
{
    struct assay_admin *admin = query->context;
    struct client_op *op = admin->state;
    if (!query->client.resource_server) {
        return true;
    }
    op->several = op->only_audience.data != NULL;
    return !op->several &&
           assay_arena_copy(admin->ex->arena, query->client.audience, &op->only_audience);
}

static enum assay_status audience_found(struct assay_admin *admin, int64_t now_s,
                                        enum assay_step *ret_step, struct assay_error *reterr)
{
    struct client_op *op = admin->state;
    if (admin->ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    if (!op->several && !admin->ex->query.more) {
        op->record.audience = op->only_audience;
        op->record.default_audience = op->only_audience;
    }
    return add_secret(admin, now_s, ret_step, reterr);
}

/* Tokens are for an audience. Where there is one resource server, a client that names none gets its
 * audiences, and the reply says so; where there are several, guessing would be a mistake. */
static enum assay_status find_audience(struct assay_admin *admin, enum assay_step *ret_step)
{
    admin->ex->query = (struct assay_query){
        .verb = ASSAY_QUERY_CLIENTS,
        .limit = ASSAY_MAX_LIST_ROWS,
        .row = see_resource_server,
        .context = admin,
    };
    return assay_admin_list(admin, audience_found, ret_step);
}

static enum assay_status choose_id(struct assay_admin *admin, struct client_op *op,
                                   struct assay_error *reterr)
{
    if ((admin->input.given & ASSAY_IN_CLIENT_ID) != 0) {
        op->record.client_id = admin->input.client_id;
        return ASSAY_OK;
    }
    return assay_admin_generate(admin->ex->arena, ASSAY_GENERATED_ID_LEN, &op->record.client_id,
                                reterr);
}

enum assay_status assay_admin_client_add(struct assay_admin *admin, int64_t now_s,
                                         enum assay_step *ret_step, struct assay_error *reterr)
{
    struct client_op *op = client_op_begin(admin);
    if (op == NULL) {
        return assay_admin_spent(reterr);
    }
    enum assay_status status = choose_id(admin, op, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    if (!assay_admin_client_id_valid(op->record.client_id)) {
        return assay_admin_wrong(admin,
                                 "client_id is letters, digits, '-', '.', '_', starting with a "
                                 "letter or digit",
                                 ret_step, reterr);
    }
    op->record.auth_method = ASSAY_AUTH_SECRET_BASIC;
    op->record.members = ASSAY_MEMBERS_DEFAULT;
    struct assay_admin_fault fault;
    if (!assay_admin_client_apply(&admin->input, &op->record, &fault)) {
        return client_op_wrong(admin, &fault, ret_step, reterr);
    }
    bool needs_audience = op->record.audience.len == 0 && !op->record.admin;
    return needs_audience ? find_audience(admin, ret_step)
                          : add_secret(admin, now_s, ret_step, reterr);
}
