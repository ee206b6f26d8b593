#include "store/lmdb/lmdb_priv.h"

#include "base/secret.h"

#include <string.h>

/* What the transaction finds of the refresh token that was presented. */
struct parent {
    struct assay_token_record record;
    bool text_matches;
    bool cut;
    bool own; /* it belongs to the client that presents it */
    bool client_good;
};

static enum assay_status read_parent(struct lmdb_write *w, const struct assay_change *change,
                                     struct parent *ret, bool *ret_found,
                                     struct assay_error *reterr)
{
    const struct assay_change_rotate *rotate = &change->u.rotate;
    struct assay_token_id id;
    struct assay_cutoff cutoff;
    struct assay_client_record client;
    uint8_t digest[ASSAY_SHA256_LEN];
    *ret_found = false;
    if (!assay_address_open(&w->store->writer_ring.ring, &rotate->address, &id)) {
        return ASSAY_OK;
    }
    enum assay_status status = lmdb_get_token(w->store, w->txn, id, &ret->record, reterr);
    if (status != ASSAY_OK) {
        return status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
    }
    status = assay_sha256(w->store->digester, rotate->text, digest, reterr);
    if (status == ASSAY_OK) {
        status = lmdb_find_cutoff(w->store, w->txn, &w->header, &ret->record, &ret->cut, &cutoff,
                                  reterr);
    }
    if (status != ASSAY_OK) {
        return status;
    }
    ret->text_matches = assay_secret_equal(assay_slice_of(digest, sizeof(digest)),
                                           assay_slice_of(ret->record.text_sha256, sizeof(digest)));
    ret->own = assay_slice_equal(ret->record.client_id, rotate->client_id);
    status = lmdb_get_client(w->store, w->txn, rotate->client_id, &client, reterr);
    ret->client_good =
        status == ASSAY_OK && !client.disabled && (client.grants & ASSAY_GRANT_REFRESH_TOKEN) != 0;
    *ret_found = ret->text_matches && ret->record.kind == ASSAY_TOKEN_REFRESH;
    return status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
}

/* Is the whole grant of `parent` over? Any cutoff that ends it ends its grant, but one of itself
 * alone. */
static enum assay_status find_grant_end(struct lmdb_write *w,
                                        const struct assay_token_record *parent, bool *ret_over,
                                        struct assay_error *reterr)
{
    struct assay_cutoff cutoff;
    struct assay_header_record others = w->header;
    others.newest_cutoff[ASSAY_CUTOFF_TOKEN] = 0;
    return lmdb_find_cutoff(w->store, w->txn, &others, parent, ret_over, &cutoff, reterr);
}

/* A rotated token came back and this is no safe retry: the grant is over (RFC 9700 section 4.14.2).
 */
static enum assay_status punish(struct lmdb_write *w, struct assay_change *change,
                                const struct assay_token_record *parent, struct assay_error *reterr)
{
    uint8_t id[8];
    uint64_t seq;
    bool over = false;
    change->outcome = ASSAY_REFUSED_REUSE;
    enum assay_status status = find_grant_end(w, parent, &over, reterr);
    if (status != ASSAY_OK || over) {
        return status;
    }
    struct assay_change by_reuse = {.now_s = change->now_s, .origin = ASSAY_BY_REUSE};
    return lmdb_put_cutoff(w, &by_reuse, ASSAY_CUTOFF_GRANT,
                           assay_cutoff_number_id(parent->grant, id),
                           lmdb_keep_until(w, change->now_s), &seq, reterr);
}

/* The successor's text, derived from the old text and the salt that is kept with it. */
static enum assay_status derive(struct lmdb_write *w, struct assay_change *change,
                                const uint8_t salt[ASSAY_SALT_LEN], struct assay_error *reterr)
{
    struct assay_change_rotate *rotate = &change->u.rotate;
    struct assay_token_draft *refresh = &rotate->refresh;
    enum assay_status status =
        assay_successor_secret(rotate->text, assay_slice_of(salt, ASSAY_SALT_LEN),
                               &refresh->address, refresh->secret, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    struct assay_slice text = assay_token_text_write(
        change->prefix, ASSAY_TOKEN_REFRESH, &refresh->address, refresh->secret, refresh->text);
    refresh->text_len = text.len;
    return assay_sha256(w->store->digester, text, refresh->record.text_sha256, reterr);
}

static bool in_window(const struct assay_change *change, const struct assay_rotation *rotation)
{
    int64_t window_s = change->u.rotate.window_s;
    return window_s > 0 && rotation->salted && change->now_s >= rotation->rotated_at_s &&
           change->now_s < rotation->rotated_at_s + window_s;
}

/* What a retry would be given again. *ret_used: it was used, and the window is over; *ret_alive: it
 * can be given. */
static enum assay_status read_successor(struct lmdb_write *w, const struct assay_change *change,
                                        const struct assay_token_record *parent,
                                        struct assay_token_record *ret, bool *ret_used,
                                        bool *ret_alive, struct assay_error *reterr)
{
    struct assay_cutoff cutoff;
    bool cut = false;
    *ret_used = false;
    *ret_alive = false;
    enum assay_status status =
        lmdb_get_token(w->store, w->txn, parent->rotation.successor, ret, reterr);
    if (status != ASSAY_OK) {
        return status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
    }
    status = lmdb_find_cutoff(w->store, w->txn, &w->header, ret, &cut, &cutoff, reterr);
    *ret_used = ret->rotation.rotated_at_s != 0;
    *ret_alive =
        !cut && ret->expires_at_s > change->now_s && ret->expires_at_s > w->header.horizon_s;
    return status;
}

/* The same refresh token, and a fresh access token. */
static enum assay_status give_again(struct lmdb_write *w, struct assay_change *change,
                                    const struct assay_token_record *parent,
                                    const struct assay_token_record *successor,
                                    struct assay_error *reterr)
{
    struct assay_change_rotate *rotate = &change->u.rotate;
    const struct assay_rotation *rotation = &parent->rotation;
    int64_t expires_at_s = successor->expires_at_s;
    uint8_t expected[ASSAY_SHA256_LEN];
    memcpy(expected, successor->text_sha256, sizeof(expected));
    enum assay_status status =
        assay_address_seal_as(&w->store->writer_ring.ring, rotation->successor_generation,
                              rotation->successor, &rotate->refresh.address, reterr);
    if (status == ASSAY_OK) {
        status = derive(w, change, rotation->salt, reterr);
    }
    if (status != ASSAY_OK) {
        return status;
    }
    if (!assay_secret_equal(assay_slice_of(expected, sizeof(expected)),
                            assay_slice_of(rotate->refresh.record.text_sha256, sizeof(expected)))) {
        return assay_fail(ASSAY_ERR_CORRUPT, "a successor does not match its record", reterr);
    }
    rotate->refresh.record.id = rotation->successor;
    rotate->refresh.record.expires_at_s = expires_at_s;
    rotate->access.record.grant = parent->grant;
    rotate->retried = true;
    change->outcome = ASSAY_DONE;
    return lmdb_put_draft(w, change->prefix, &rotate->access, reterr);
}

/* A token that was rotated comes back. From its own client, inside the window and before the
 * successor was used, it is a retry: an answer was lost on its way. The clock of the parent has run
 * out by then, maybe; that of the successor counts. Anything else is a theft. */
static enum assay_status come_back(struct lmdb_write *w, struct assay_change *change,
                                   const struct parent *parent, struct assay_error *reterr)
{
    struct assay_token_record successor;
    bool used = false;
    bool alive = false;
    if (!parent->own || parent->cut || !in_window(change, &parent->record.rotation)) {
        return punish(w, change, &parent->record, reterr);
    }
    enum assay_status status =
        read_successor(w, change, &parent->record, &successor, &used, &alive, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    if (used) {
        return punish(w, change, &parent->record, reterr);
    }
    if (!alive || !parent->client_good) {
        return ASSAY_OK;
    }
    bool any = false;
    status = lmdb_narrow_scope(w, change, &change->u.rotate.access.record, &any, reterr);
    return status == ASSAY_OK && any ? give_again(w, change, &parent->record, &successor, reterr)
                                     : status;
}

static enum assay_status put_successor(struct lmdb_write *w, struct assay_change *change,
                                       struct assay_error *reterr)
{
    struct assay_token_draft *refresh = &change->u.rotate.refresh;
    enum assay_status status = lmdb_place_draft(w, refresh, reterr);
    if (status == ASSAY_OK) {
        status = derive(w, change, change->u.rotate.salt, reterr);
    }
    return status == ASSAY_OK ? lmdb_put_token(w, &refresh->record, MDB_APPEND, reterr) : status;
}

/* Rewrites the parent with its rotation, and sees to it that the salt goes when the window is over.
 */
static enum assay_status mark_rotated(struct lmdb_write *w, struct assay_change *change,
                                      struct assay_token_record *parent, struct assay_error *reterr)
{
    const struct assay_change_rotate *rotate = &change->u.rotate;
    uint8_t place[9];
    parent->rotation = (struct assay_rotation){
        .rotated_at_s = change->now_s,
        .successor = rotate->refresh.record.id,
        .successor_generation = rotate->refresh.record.generation,
        .salted = rotate->window_s > 0,
    };
    memcpy(parent->rotation.salt, rotate->salt, ASSAY_SALT_LEN);
    enum assay_status status = lmdb_put_token(w, parent, 0, reterr);
    if (status != ASSAY_OK || rotate->window_s == 0) {
        return status;
    }
    place[0] = parent->id.lifetime_class;
    assay_cutoff_number_id(parent->id.seq, place + 1);
    return lmdb_put_end(w, change->now_s + rotate->window_s, ASSAY_END_SALT,
                        assay_slice_of(place, sizeof(place)), reterr);
}

static enum assay_status move_grant(struct lmdb_write *w, const struct assay_token_record *parent,
                                    const struct assay_token_record *successor,
                                    struct assay_error *reterr)
{
    struct assay_grant_record grant;
    struct assay_slice bytes;
    enum assay_status status =
        lmdb_get_number(w->txn, w->store->dbis.db[LMDB_DB_GRANT], parent->grant, &bytes, reterr);
    if (status == ASSAY_OK) {
        status = assay_grant_record_parse(parent->grant, bytes, &grant, reterr);
    }
    if (status != ASSAY_OK) {
        return status == ASSAY_ERR_ABSENT
                   ? assay_fail(ASSAY_ERR_CORRUPT, "a refresh token's grant is missing", reterr)
                   : status;
    }
    if (!assay_token_id_equal(grant.current, parent->id)) {
        return assay_fail(ASSAY_ERR_CORRUPT, "a refresh token and its grant do not agree", reterr);
    }
    grant.current = successor->id;
    if (successor->expires_at_s > grant.expires_at_s) {
        grant.expires_at_s = successor->expires_at_s;
    }
    return lmdb_put_grant(w, &grant, reterr);
}

static enum assay_status rotate_first(struct lmdb_write *w, struct assay_change *change,
                                      struct assay_token_record *parent, struct assay_error *reterr)
{
    struct assay_change_rotate *rotate = &change->u.rotate;
    bool any = false;
    enum assay_status status = lmdb_narrow_scope(w, change, &rotate->access.record, &any, reterr);
    if (status != ASSAY_OK || !any) {
        return status;
    }
    change->outcome = ASSAY_DONE;
    rotate->refresh.record.grant = parent->grant;
    rotate->access.record.grant = parent->grant;
    status = put_successor(w, change, reterr);
    if (status == ASSAY_OK) {
        status = lmdb_put_draft(w, change->prefix, &rotate->access, reterr);
    }
    if (status == ASSAY_OK) {
        status = move_grant(w, parent, &rotate->refresh.record, reterr);
    }
    return status == ASSAY_OK ? mark_rotated(w, change, parent, reterr) : status;
}

/* LMDB's pages move under a write: what is read from them and used after one is copied first. */
static enum assay_status copy_parent(struct lmdb_write *w, struct assay_token_id id, uint8_t *room,
                                     struct assay_token_record *ret, struct assay_error *reterr)
{
    struct assay_slice bytes;
    enum assay_status status =
        lmdb_get_number(w->txn, w->store->dbis.tokens[id.lifetime_class], id.seq, &bytes, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    if (bytes.len > ASSAY_MAX_TOKEN_RECORD) {
        return assay_fail(ASSAY_ERR_CORRUPT, "token record is too long", reterr);
    }
    memcpy(room, bytes.data, bytes.len);
    return assay_token_record_parse(id, assay_slice_of(room, bytes.len), ret, reterr);
}

enum assay_status lmdb_rotate_run(struct lmdb_write *w, struct assay_change *change,
                                  struct assay_error *reterr)
{
    struct parent parent;
    bool found = false;
    uint8_t room[ASSAY_MAX_TOKEN_RECORD];
    change->outcome = ASSAY_REFUSED_PARENT;
    change->u.rotate.retried = false;
    enum assay_status status = read_parent(w, change, &parent, &found, reterr);
    if (status != ASSAY_OK || !found) {
        return status;
    }
    bool rotated = parent.record.rotation.rotated_at_s != 0;
    bool expired = parent.record.expires_at_s <= change->now_s ||
                   parent.record.expires_at_s <= w->header.horizon_s;
    if (!rotated && (expired || !parent.own || parent.cut || !parent.client_good)) {
        return ASSAY_OK;
    }
    status = copy_parent(w, parent.record.id, room, &parent.record, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    return rotated ? come_back(w, change, &parent, reterr)
                   : rotate_first(w, change, &parent.record, reterr);
}
