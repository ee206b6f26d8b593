#include "admin/upkeep.h"

#include "base/base64url.h"
#include "crypto/random.h"

static enum assay_status key_rotated(struct assay_admin *admin, int64_t now_s,
                                     enum assay_step *ret_step, struct assay_error *reterr)
{
    assay_change_wipe(admin->ex->change);
    if (admin->ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    enum assay_status status = assay_admin_open(admin, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    assay_json_member_bool(&admin->w, ASSAY_SLICE("rotated"), true);
    assay_json_member_i64(&admin->w, ASSAY_SLICE("rotated_at"), now_s);
    return assay_admin_close(admin, ret_step, reterr);
}

enum assay_status assay_admin_key_rotate(struct assay_admin *admin, int64_t now_s,
                                         enum assay_step *ret_step, struct assay_error *reterr)
{
    struct assay_change *change = assay_admin_change(admin, ASSAY_CHANGE_SEAL_ROTATE, now_s);
    if (change == NULL) {
        return assay_fail(ASSAY_ERR_LIMIT, "no room for an administrative request", reterr);
    }
    enum assay_status status = assay_random(change->u.seal.key, sizeof change->u.seal.key, reterr);
    return status == ASSAY_OK ? assay_admin_carry(admin, key_rotated, ret_step) : status;
}

static void write_u64(struct assay_json_writer *w, struct assay_slice name, uint64_t value)
{
    assay_json_name(w, name);
    assay_json_u64(w, value);
}

static void write_stat(struct assay_json_writer *w, const struct assay_store_stat *stat)
{
    uint8_t log[ASSAY_BASE64URL_LEN(sizeof stat->log)];
    assay_base64url_encode(assay_slice_of(stat->log, sizeof stat->log), log);
    assay_json_member_string(w, ASSAY_SLICE("log"), assay_slice_of(log, sizeof log));
    assay_admin_member_number(w, ASSAY_SLICE("seq"), stat->seq);
    write_u64(w, ASSAY_SLICE("tokens"), stat->tokens);
    write_u64(w, ASSAY_SLICE("clients"), stat->clients);
    write_u64(w, ASSAY_SLICE("grants"), stat->grants);
    write_u64(w, ASSAY_SLICE("cutoffs"), stat->cutoffs);
    write_u64(w, ASSAY_SLICE("events"), stat->events);
    write_u64(w, ASSAY_SLICE("bytes_used"), stat->bytes_used);
    write_u64(w, ASSAY_SLICE("bytes_file"), stat->bytes_file);
    write_u64(w, ASSAY_SLICE("bytes_resident"), stat->bytes_resident);
    write_u64(w, ASSAY_SLICE("bytes_max"), stat->bytes_max);
    assay_json_member_i64(w, ASSAY_SLICE("horizon"), stat->horizon_s);
    assay_json_member_bool(w, ASSAY_SLICE("ready"), !stat->blocking);
    assay_json_name(w, ASSAY_SLICE("reasons"));
    assay_json_array_open(w);
    for (size_t i = 0; i < stat->reason_count; i++) {
        assay_json_string(w, assay_slice_of_text(stat->reasons[i]));
    }
    assay_json_array_close(w);
}

static enum assay_status stat_found(struct assay_admin *admin, int64_t now_s,
                                    enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    if (admin->ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    enum assay_status status = assay_admin_open(admin, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    write_stat(&admin->w, &admin->ex->query.stat);
    return assay_admin_close(admin, ret_step, reterr);
}

/* STAT has no rows. */
static bool no_row(struct assay_query *query)
{
    (void)query;
    return false;
}

enum assay_status assay_admin_store_stat(struct assay_admin *admin, int64_t now_s,
                                         enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    (void)reterr;
    admin->ex->query =
        (struct assay_query){.verb = ASSAY_QUERY_STAT, .want_resident = true, .row = no_row};
    return assay_admin_list(admin, stat_found, ret_step);
}
