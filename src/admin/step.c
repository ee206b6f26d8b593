#include "admin/step.h"

#include "oauth/error.h"

#include <string.h>

enum assay_status assay_admin_find_client(struct assay_admin *admin, struct assay_slice client_id,
                                          assay_admin_piece *next, enum assay_step *ret_step)
{
    admin->ex->lookup = (struct assay_lookup){.caller_id = client_id};
    admin->next = next;
    *ret_step = ASSAY_STEP_LOOKUP;
    return ASSAY_OK;
}

struct assay_change *assay_admin_change(struct assay_admin *admin, enum assay_change_verb verb,
                                        int64_t now_s)
{
    struct assay_change *change =
        assay_arena_take(admin->ex->arena, sizeof *change, _Alignof(struct assay_change));
    if (change == NULL) {
        return NULL;
    }
    memset(change, 0, sizeof *change);
    change->verb = verb;
    change->now_s = now_s;
    change->origin = ASSAY_BY_ADMIN;
    change->prefix = admin->ex->server->token_prefix;
    admin->ex->change = change;
    return change;
}

enum assay_status assay_admin_carry(struct assay_admin *admin, assay_admin_piece *next,
                                    enum assay_step *ret_step)
{
    admin->next = next;
    *ret_step = ASSAY_STEP_CHANGE;
    return ASSAY_OK;
}

enum assay_status assay_admin_list(struct assay_admin *admin, assay_admin_piece *next,
                                   enum assay_step *ret_step)
{
    admin->next = next;
    *ret_step = ASSAY_STEP_QUERY;
    return ASSAY_OK;
}

static enum assay_status open_object(struct assay_admin *admin, size_t size,
                                     struct assay_error *reterr)
{
    void *room = assay_arena_take(admin->ex->arena, size, 1);
    if (room == NULL) {
        return assay_fail(ASSAY_ERR_LIMIT, "no room for an administrative reply", reterr);
    }
    assay_buf_init(&admin->out, room, size);
    assay_json_init(&admin->w, &admin->out);
    assay_json_object_open(&admin->w);
    return ASSAY_OK;
}

enum assay_status assay_admin_open(struct assay_admin *admin, struct assay_error *reterr)
{
    return open_object(admin, ASSAY_MAX_REPLY, reterr);
}

static enum assay_status close_object(struct assay_admin *admin, unsigned http_status,
                                      enum assay_step *ret_step, struct assay_error *reterr)
{
    assay_json_object_close(&admin->w);
    if (admin->out.spent) {
        return assay_fail(ASSAY_ERR_LIMIT, "an administrative reply is too long", reterr);
    }
    assay_json_reply(http_status, assay_buf_slice(&admin->out), &admin->ex->reply);
    *ret_step = ASSAY_STEP_REPLY;
    return ASSAY_OK;
}

enum assay_status assay_admin_reply(struct assay_admin *admin, struct assay_slice body,
                                    enum assay_step *ret_step)
{
    assay_json_reply(200, body, &admin->ex->reply);
    *ret_step = ASSAY_STEP_REPLY;
    return ASSAY_OK;
}

enum assay_status assay_admin_close(struct assay_admin *admin, enum assay_step *ret_step,
                                    struct assay_error *reterr)
{
    return close_object(admin, 200, ret_step, reterr);
}

/* `about` and `what` as one sentence in the arena. */
static struct assay_slice sentence(struct assay_admin *admin, struct assay_slice about,
                                   const char *what)
{
    struct assay_slice text = assay_slice_of_text(what);
    uint8_t *room = assay_arena_take(admin->ex->arena, about.len + 1 + text.len, 1);
    if (about.len == 0 || room == NULL) {
        return text;
    }
    memcpy(room, about.data, about.len);
    room[about.len] = ' ';
    memcpy(room + about.len + 1, text.data, text.len);
    return assay_slice_of(room, about.len + 1 + text.len);
}

enum assay_status assay_admin_refuse(struct assay_admin *admin, unsigned http_status,
                                     const char *error, struct assay_slice about, const char *what,
                                     enum assay_step *ret_step, struct assay_error *reterr)
{
    struct assay_slice description = sentence(admin, about, what);
    enum assay_status status = open_object(admin, 1024, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    assay_json_member_string(&admin->w, ASSAY_SLICE("error"), assay_slice_of_text(error));
    assay_json_member_string(&admin->w, ASSAY_SLICE("error_description"), description);
    return close_object(admin, http_status, ret_step, reterr);
}

enum assay_status assay_admin_wrong(struct assay_admin *admin, const char *what,
                                    enum assay_step *ret_step, struct assay_error *reterr)
{
    return assay_admin_refuse(admin, 400, "invalid_request", (struct assay_slice){0}, what,
                              ret_step, reterr);
}

enum assay_status assay_admin_absent(struct assay_admin *admin, const char *what,
                                     enum assay_step *ret_step, struct assay_error *reterr)
{
    return assay_admin_refuse(admin, 404, "not_found", (struct assay_slice){0}, what, ret_step,
                              reterr);
}

static const char *what_ails(enum assay_status status)
{
    switch (status) {
    case ASSAY_ERR_FULL:
        return "the store is full: nothing was changed";
    case ASSAY_ERR_CORRUPT:
        return "the store is damaged: see 'assay store restore'";
    case ASSAY_ERR_CRYPTO:
        return "cryptography failed: nothing was changed";
    case ASSAY_OK:
    case ASSAY_ERR_SYNTAX:
    case ASSAY_ERR_LIMIT:
    case ASSAY_ERR_STORE:
    case ASSAY_ERR_EXISTS:
    case ASSAY_ERR_ABSENT:
    case ASSAY_ERR_CONFLICT:
    case ASSAY_ERR_SYSTEM:
        return "the store gave no answer in time: ask again, and see whether it was done";
    }
    return "the store gave no answer";
}

enum assay_status assay_admin_no_client(struct assay_admin *admin, enum assay_step *ret_step,
                                        struct assay_error *reterr)
{
    return assay_admin_absent(admin, "there is no such client", ret_step, reterr);
}

enum assay_status assay_admin_spent(struct assay_error *reterr)
{
    return assay_fail(ASSAY_ERR_LIMIT, "no room for an administrative request", reterr);
}

enum assay_status assay_admin_unable(struct assay_admin *admin, enum assay_step *ret_step,
                                     struct assay_error *reterr)
{
    enum assay_status status =
        assay_admin_refuse(admin, 503, "temporarily_unavailable", (struct assay_slice){0},
                           what_ails(admin->ex->store_status), ret_step, reterr);
    admin->ex->reply.retry_after_s = 1;
    return status;
}

void assay_admin_member_number(struct assay_json_writer *w, struct assay_slice name,
                               uint64_t number)
{
    uint8_t room[20];
    struct assay_buf text;
    assay_buf_init(&text, room, sizeof room);
    assay_buf_append_u64(&text, number);
    assay_json_member_string(w, name, assay_buf_slice(&text));
}
