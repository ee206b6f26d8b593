#include "admin/client_priv.h"

#include <string.h>

#define MAX_TRIES 3 /* of a change that meets another one of the same client */
#define DEFAULT_OVERLAP_S 86400

/* Looks the client up; `found` runs inside the look-up's done(). */
static enum assay_status start(struct assay_admin *admin, assay_admin_piece *found,
                               enum assay_step *ret_step, struct assay_error *reterr)
{
    return client_op_begin(admin) == NULL
               ? assay_admin_spent(reterr)
               : assay_admin_find_client(admin, admin->input.client_id, found, ret_step);
}

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
        return assay_admin_no_client(admin, ret_step, reterr);
    }
    *ret_over = false;
    return assay_admin_client_copy(ex->lookup.caller, ex->arena, &op->record)
               ? ASSAY_OK
               : assay_admin_spent(reterr);
}

static enum assay_status reply_changed(struct assay_admin *admin, bool changed,
                                       enum assay_step *ret_step, struct assay_error *reterr)
{
    return client_op_reply(admin, admin->state, &changed, ret_step, reterr);
}

/* A change of the same client came between: look again, a few times. */
static enum assay_status updated(struct assay_admin *admin, int64_t now_s,
                                 enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    struct assay_exchange *ex = admin->ex;
    if (ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    if (ex->change->outcome == ASSAY_REFUSED_ABSENT) {
        return assay_admin_no_client(admin, ret_step, reterr);
    }
    if (ex->change->outcome == ASSAY_REFUSED_STALE) {
        if (++admin->tries < MAX_TRIES) {
            return admin->verb->run(admin, now_s, ret_step, reterr);
        }
        return assay_admin_refuse(admin, 409, "conflict", (struct assay_slice){0},
                                  "others change this client all the time: nothing was changed",
                                  ret_step, reterr);
    }
    return reply_changed(admin, true, ret_step, reterr);
}

static enum assay_status store_changed(struct assay_admin *admin, bool cut, int64_t now_s,
                                       enum assay_step *ret_step, struct assay_error *reterr)
{
    struct client_op *op = admin->state;
    struct assay_change *change = assay_admin_change(admin, ASSAY_CHANGE_CLIENT_UPDATE, now_s);
    if (change == NULL) {
        return assay_admin_spent(reterr);
    }
    change->u.client.record = op->record;
    change->u.client.cut = cut;
    return assay_admin_carry(admin, updated, ret_step);
}

/* Is the record that was looked up written with the same bytes as the one on its way? */
static enum assay_status compare(struct assay_admin *admin, bool *ret_same,
                                 struct assay_error *reterr)
{
    const struct client_op *op = admin->state;
    uint8_t *before = assay_arena_take(admin->ex->arena, ASSAY_MAX_CLIENT_RECORD, 1);
    uint8_t *after = assay_arena_take(admin->ex->arena, ASSAY_MAX_CLIENT_RECORD, 1);
    size_t before_len = 0;
    size_t after_len = 0;
    if (before == NULL || after == NULL) {
        return assay_admin_spent(reterr);
    }
    enum assay_status status = assay_client_record_write(
        admin->ex->lookup.caller, before, ASSAY_MAX_CLIENT_RECORD, &before_len, reterr);
    if (status == ASSAY_OK) {
        status = assay_client_record_write(&op->record, after, ASSAY_MAX_CLIENT_RECORD, &after_len,
                                           reterr);
    }
    *ret_same = before_len == after_len && memcmp(before, after, after_len) == 0;
    return status;
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
        return client_op_wrong(admin, &fault, ret_step, reterr);
    }
    if (was_public != (op->record.auth_method == ASSAY_AUTH_NONE)) {
        return assay_admin_wrong(admin, "a client stays public, or confidential: add another one",
                                 ret_step, reterr);
    }
    bool same = false;
    status = compare(admin, &same, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    return same ? reply_changed(admin, false, ret_step, reterr)
                : store_changed(admin, false, now_s, ret_step, reterr);
}

enum assay_status assay_admin_client_update(struct assay_admin *admin, int64_t now_s,
                                            enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    return start(admin, change_found, ret_step, reterr);
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
        return reply_changed(admin, false, ret_step, reterr);
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
    return start(admin, disable_found, ret_step, reterr);
}

enum assay_status assay_admin_client_enable(struct assay_admin *admin, int64_t now_s,
                                            enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    return start(admin, enable_found, ret_step, reterr);
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
    enum assay_status status = client_op_take_own_secret(admin, admin->state, now_s, reterr);
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
        return client_op_hash_own_secret(admin, rotated_secret_hashed, ret_step, reterr);
    }
    status = client_op_generate_secret(admin, op, now_s, reterr);
    return status == ASSAY_OK ? store_rotated(admin, now_s, ret_step, reterr) : status;
}

enum assay_status assay_admin_client_rotate_secret(struct assay_admin *admin, int64_t now_s,
                                                   enum assay_step *ret_step,
                                                   struct assay_error *reterr)
{
    (void)now_s;
    return start(admin, rotate_found, ret_step, reterr);
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
        return assay_admin_no_client(admin, ret_step, reterr);
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
        return assay_admin_spent(reterr);
    }
    change->u.client.record.client_id = admin->input.client_id;
    change->u.client.cut = true;
    return assay_admin_carry(admin, removed, ret_step);
}
