#include "admin/client.h"

#include "admin/client_json.h"
#include "admin/generate.h"
#include "base/secret.h"
#include "crypto/digest.h"
#include "crypto/random.h"

#include <string.h>

#define MAX_TRIES 3 /* of a change that meets another one of the same client */
#define DEFAULT_OVERLAP_S 86400
#define MIN_OWN_SECRET 8 /* characters */

/* A client on its way. Lives in the arena. */
struct client_op {
    struct assay_client_record record;
    struct assay_slice secret; /* a generated one, shown in the reply; secret */
    struct assay_client_secret hashed;
    struct assay_slice only_audience; /* of the only resource server; data NULL: none seen */
    bool several;                     /* there is more than one */
};

static enum assay_status spent(struct assay_error *reterr)
{
    return assay_fail(ASSAY_ERR_LIMIT, "no room for an administrative request", reterr);
}

static struct client_op *begin(struct assay_admin *admin)
{
    struct client_op *op =
        assay_arena_take(admin->ex->arena, sizeof *op, _Alignof(struct client_op));
    if (op != NULL) {
        memset(op, 0, sizeof *op);
        admin->state = op;
    }
    return op;
}

static enum assay_status wrong(struct assay_admin *admin, const struct assay_admin_fault *fault,
                               enum assay_step *ret_step, struct assay_error *reterr)
{
    return assay_admin_refuse(admin, 400, "invalid_request", fault->member, fault->what, ret_step,
                              reterr);
}

static enum assay_status absent(struct assay_admin *admin, enum assay_step *ret_step,
                                struct assay_error *reterr)
{
    return assay_admin_absent(admin, "there is no such client", ret_step, reterr);
}

/* The reply: the client as it is now, its new secret if there is one, and whether something
 * changed. */
static enum assay_status reply_client(struct assay_admin *admin, const struct client_op *op,
                                      const bool *changed, enum assay_step *ret_step,
                                      struct assay_error *reterr)
{
    enum assay_status status = assay_admin_open(admin, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    assay_admin_client_write(&admin->w, &op->record, op->secret);
    if (changed != NULL) {
        assay_json_member_bool(&admin->w, ASSAY_SLICE("changed"), *changed);
    }
    return assay_admin_close(admin, ret_step, reterr);
}

/* --- secrets --- */

/* Visible ASCII and space (RFC 6749 appendix A.2). */
static bool own_secret_valid(struct assay_slice secret)
{
    for (size_t i = 0; i < secret.len; i++) {
        if (secret.data[i] < 0x20 || secret.data[i] > 0x7E) {
            return false;
        }
    }
    return secret.len >= MIN_OWN_SECRET;
}

/* 256 random bits need no slow hash: one SHA-256 gives nothing to guess. */
static enum assay_status generate_secret(struct assay_admin *admin, struct client_op *op,
                                         int64_t now_s, struct assay_error *reterr)
{
    enum assay_status status =
        assay_admin_generate(admin->ex->arena, ASSAY_GENERATED_SECRET_LEN, &op->secret, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    op->hashed = (struct assay_client_secret){.form = ASSAY_SECRET_SHA256, .created_at_s = now_s};
    return assay_sha256(admin->ex->server->digester, op->secret, op->hashed.hash, reterr);
}

/* The operator's own secret may be short: the host hashes it slowly, off its loop. */
static enum assay_status hash_own_secret(struct assay_admin *admin, assay_admin_piece *next,
                                         enum assay_step *ret_step, struct assay_error *reterr)
{
    struct assay_exchange *ex = admin->ex;
    if (!own_secret_valid(admin->input.client_secret)) {
        return assay_admin_wrong(admin, "client_secret must be 8 or more visible ASCII characters",
                                 ret_step, reterr);
    }
    enum assay_status status = assay_random(ex->kdf_salt, sizeof ex->kdf_salt, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    ex->kdf_secret = admin->input.client_secret;
    admin->next = next;
    *ret_step = ASSAY_STEP_SCRYPT;
    return ASSAY_OK;
}

static enum assay_status take_own_secret(struct assay_admin *admin, struct client_op *op,
                                         int64_t now_s, struct assay_error *reterr)
{
    struct assay_exchange *ex = admin->ex;
    if (ex->kdf_failed) {
        return assay_fail(ASSAY_ERR_CRYPTO, "scrypt failed", reterr);
    }
    op->hashed = (struct assay_client_secret){.form = ASSAY_SECRET_SCRYPT, .created_at_s = now_s};
    memcpy(op->hashed.hash, ex->kdf_out, sizeof op->hashed.hash);
    memcpy(op->hashed.salt, ex->kdf_salt, sizeof op->hashed.salt);
    assay_secret_wipe(ex->kdf_out, sizeof ex->kdf_out);
    return ASSAY_OK;
}

/* --- add --- */

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
    return reply_client(admin, op, NULL, ret_step, reterr);
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
        return spent(reterr);
    }
    op->record.created_at_s = now_s;
    change->u.client.record = op->record;
    return assay_admin_carry(admin, added, ret_step);
}

static enum assay_status own_secret_hashed(struct assay_admin *admin, int64_t now_s,
                                           enum assay_step *ret_step, struct assay_error *reterr)
{
    enum assay_status status = take_own_secret(admin, admin->state, now_s, reterr);
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
        return hash_own_secret(admin, own_secret_hashed, ret_step, reterr);
    }
    enum assay_status status = generate_secret(admin, op, now_s, reterr);
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
    struct client_op *op = begin(admin);
    if (op == NULL) {
        return spent(reterr);
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
        return wrong(admin, &fault, ret_step, reterr);
    }
    bool needs_audience = op->record.audience.len == 0 && !op->record.admin;
    return needs_audience ? find_audience(admin, ret_step)
                          : add_secret(admin, now_s, ret_step, reterr);
}

/* --- list and show --- */

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
        return spent(reterr);
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
        return absent(admin, ret_step, reterr);
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

/* --- update, disable, enable, rotate --- */

/* Takes the record that was looked up. Sets `*ret_over` when there is a reply already. */
static enum assay_status take_record(struct assay_admin *admin, bool *ret_over,
                                     enum assay_step *ret_step, struct assay_error *reterr)
{
    struct assay_exchange *ex = admin->ex;
    struct client_op *op = admin->state;
    *ret_over = true;
    if (ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    if (ex->lookup.caller == NULL) {
        return absent(admin, ret_step, reterr);
    }
    *ret_over = false;
    return assay_admin_client_copy(ex->lookup.caller, ex->arena, &op->record) ? ASSAY_OK
                                                                              : spent(reterr);
}

/* A change of the same client came between: look again, a few times. */
static enum assay_status updated(struct assay_admin *admin, int64_t now_s,
                                 enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    struct assay_exchange *ex = admin->ex;
    struct client_op *op = admin->state;
    if (ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    if (ex->change->outcome == ASSAY_REFUSED_ABSENT) {
        return absent(admin, ret_step, reterr);
    }
    if (ex->change->outcome == ASSAY_REFUSED_STALE) {
        if (++admin->tries < MAX_TRIES) {
            return admin->verb->run(admin, now_s, ret_step, reterr);
        }
        return assay_admin_refuse(admin, 409, "conflict", (struct assay_slice){0},
                                  "others change this client all the time: nothing was changed",
                                  ret_step, reterr);
    }
    static const bool changed = true;
    return reply_client(admin, op, &changed, ret_step, reterr);
}

static enum assay_status store_changed(struct assay_admin *admin, bool cut, int64_t now_s,
                                       enum assay_step *ret_step, struct assay_error *reterr)
{
    struct client_op *op = admin->state;
    struct assay_change *change = assay_admin_change(admin, ASSAY_CHANGE_CLIENT_UPDATE, now_s);
    if (change == NULL) {
        return spent(reterr);
    }
    change->u.client.record = op->record;
    change->u.client.cut = cut;
    return assay_admin_carry(admin, updated, ret_step);
}

static enum assay_status change_found(struct assay_admin *admin, int64_t now_s,
                                      enum assay_step *ret_step, struct assay_error *reterr)
{
    bool over = false;
    struct client_op *op = admin->state;
    enum assay_status status = take_record(admin, &over, ret_step, reterr);
    if (status != ASSAY_OK || over) {
        return status;
    }
    bool was_public = op->record.auth_method == ASSAY_AUTH_NONE;
    struct assay_admin_fault fault;
    if (!assay_admin_client_apply(&admin->input, &op->record, &fault)) {
        return wrong(admin, &fault, ret_step, reterr);
    }
    if (was_public != (op->record.auth_method == ASSAY_AUTH_NONE)) {
        return assay_admin_wrong(admin, "a client stays public, or confidential: add another one",
                                 ret_step, reterr);
    }
    return store_changed(admin, false, now_s, ret_step, reterr);
}

enum assay_status assay_admin_client_update(struct assay_admin *admin, int64_t now_s,
                                            enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    if (begin(admin) == NULL) {
        return spent(reterr);
    }
    return assay_admin_find_client(admin, admin->input.client_id, change_found, ret_step);
}

static enum assay_status set_disabled(struct assay_admin *admin, bool disabled, int64_t now_s,
                                      enum assay_step *ret_step, struct assay_error *reterr)
{
    bool over = false;
    struct client_op *op = admin->state;
    enum assay_status status = take_record(admin, &over, ret_step, reterr);
    if (status != ASSAY_OK || over) {
        return status;
    }
    if (op->record.disabled == disabled) {
        static const bool changed = false;
        return reply_client(admin, op, &changed, ret_step, reterr);
    }
    op->record.disabled = disabled;
    return store_changed(admin, disabled, now_s, ret_step, reterr);
}

static enum assay_status disable_found(struct assay_admin *admin, int64_t now_s,
                                       enum assay_step *ret_step, struct assay_error *reterr)
{
    return set_disabled(admin, true, now_s, ret_step, reterr);
}

static enum assay_status enable_found(struct assay_admin *admin, int64_t now_s,
                                      enum assay_step *ret_step, struct assay_error *reterr)
{
    return set_disabled(admin, false, now_s, ret_step, reterr);
}

enum assay_status assay_admin_client_disable(struct assay_admin *admin, int64_t now_s,
                                             enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    if (begin(admin) == NULL) {
        return spent(reterr);
    }
    return assay_admin_find_client(admin, admin->input.client_id, disable_found, ret_step);
}

enum assay_status assay_admin_client_enable(struct assay_admin *admin, int64_t now_s,
                                            enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    if (begin(admin) == NULL) {
        return spent(reterr);
    }
    return assay_admin_find_client(admin, admin->input.client_id, enable_found, ret_step);
}

/* The secret of before goes on for the overlap, but no longer than it would have. */
static void push_secret(struct client_op *op, int64_t overlap_s, int64_t now_s)
{
    struct assay_client_record *record = &op->record;
    struct assay_client_secret old = record->secrets[0];
    bool keep = record->secret_count > 0 && overlap_s > 0 &&
                (old.expires_at_s == 0 || old.expires_at_s > now_s);
    record->secrets[0] = op->hashed;
    record->secret_count = 1;
    if (keep) {
        int64_t end_s = now_s + overlap_s;
        old.expires_at_s =
            old.expires_at_s != 0 && old.expires_at_s < end_s ? old.expires_at_s : end_s;
        record->secrets[record->secret_count++] = old;
    }
}

static enum assay_status store_rotated(struct assay_admin *admin, int64_t now_s,
                                       enum assay_step *ret_step, struct assay_error *reterr)
{
    bool given = (admin->input.given & ASSAY_IN_OVERLAP) != 0;
    push_secret(admin->state, given ? admin->input.overlap_s : DEFAULT_OVERLAP_S, now_s);
    return store_changed(admin, false, now_s, ret_step, reterr);
}

static enum assay_status rotated_secret_hashed(struct assay_admin *admin, int64_t now_s,
                                               enum assay_step *ret_step,
                                               struct assay_error *reterr)
{
    enum assay_status status = take_own_secret(admin, admin->state, now_s, reterr);
    return status == ASSAY_OK ? store_rotated(admin, now_s, ret_step, reterr) : status;
}

static enum assay_status rotate_found(struct assay_admin *admin, int64_t now_s,
                                      enum assay_step *ret_step, struct assay_error *reterr)
{
    bool over = false;
    struct client_op *op = admin->state;
    enum assay_status status = take_record(admin, &over, ret_step, reterr);
    if (status != ASSAY_OK || over) {
        return status;
    }
    if (op->record.auth_method == ASSAY_AUTH_NONE) {
        return assay_admin_wrong(admin, "a public client has no secret", ret_step, reterr);
    }
    if ((admin->input.given & ASSAY_IN_CLIENT_SECRET) != 0) {
        return hash_own_secret(admin, rotated_secret_hashed, ret_step, reterr);
    }
    status = generate_secret(admin, op, now_s, reterr);
    return status == ASSAY_OK ? store_rotated(admin, now_s, ret_step, reterr) : status;
}

enum assay_status assay_admin_client_rotate_secret(struct assay_admin *admin, int64_t now_s,
                                                   enum assay_step *ret_step,
                                                   struct assay_error *reterr)
{
    (void)now_s;
    if (begin(admin) == NULL) {
        return spent(reterr);
    }
    return assay_admin_find_client(admin, admin->input.client_id, rotate_found, ret_step);
}

/* --- remove --- */

static enum assay_status removed(struct assay_admin *admin, int64_t now_s,
                                 enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    if (admin->ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    if (admin->ex->change->outcome == ASSAY_REFUSED_ABSENT) {
        return absent(admin, ret_step, reterr);
    }
    enum assay_status status = assay_admin_open(admin, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    assay_json_member_string(&admin->w, ASSAY_SLICE("client_id"), admin->input.client_id);
    assay_json_member_bool(&admin->w, ASSAY_SLICE("removed"), true);
    return assay_admin_close(admin, ret_step, reterr);
}

enum assay_status assay_admin_client_remove(struct assay_admin *admin, int64_t now_s,
                                            enum assay_step *ret_step, struct assay_error *reterr)
{
    struct assay_change *change = assay_admin_change(admin, ASSAY_CHANGE_CLIENT_REMOVE, now_s);
    if (change == NULL) {
        return spent(reterr);
    }
    change->u.client.record.client_id = admin->input.client_id;
    change->u.client.cut = true;
    return assay_admin_carry(admin, removed, ret_step);
}
