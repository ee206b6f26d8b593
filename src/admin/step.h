/* What the administrative verbs share: one request on its way, its steps and its reply. */
#ifndef ASSAY_ADMIN_STEP_H
#define ASSAY_ADMIN_STEP_H

#include "admin/input.h"
#include "base/attr.h"
#include "base/buf.h"
#include "json/writer.h"
#include "server/exchange.h"

#include <stdbool.h>
#include <stdint.h>

struct assay_admin;

/* A piece of a verb: runs until it needs the host, says how it goes on, and sets `*ret_step`. Fails
 * as assay_admin_run does. (A typedef, which the tree has no other of: five signatures below take
 * such a function.) */
typedef enum assay_status assay_admin_piece(struct assay_admin *admin, int64_t now_s,
                                            enum assay_step *ret_step, struct assay_error *reterr);

/* One request. Lives in the exchange's arena. */
struct assay_admin {
    struct assay_exchange *ex;
    assay_admin_piece *next;          /* what runs when the host is done */
    assay_admin_piece *authenticated; /* what runs when it is known who asks */
    const struct assay_admin_verb *verb;
    struct assay_admin_input input;
    struct assay_buf out;       /* of the reply */
    struct assay_json_writer w; /* into `out` */
    unsigned tries;             /* of a change that met another one */
    void *state;                /* the verb's own */
};

/* One verb: `POST path` with the members of `takes`, of which `needs` must stand. */
struct assay_admin_verb {
    const char *path;
    uint32_t takes; /* ASSAY_IN_* */
    uint32_t needs;
    assay_admin_piece *run;
};

/* The failure of a request whose arena is spent: ASSAY_ERR_LIMIT. */
enum assay_status assay_admin_spent(struct assay_error *reterr);

/* Asks the host for a look-up of the client `client_id`; `next` runs inside its done(). */
enum assay_status assay_admin_find_client(struct assay_admin *admin, struct assay_slice client_id,
                                          assay_admin_piece *next, enum assay_step *ret_step);

/* A change of `verb` from the arena, zeroed but for what every change has. NULL: arena spent. */
struct assay_change *assay_admin_change(struct assay_admin *admin, enum assay_change_verb verb,
                                        int64_t now_s);
/* Asks the host to carry ex->change out. */
enum assay_status assay_admin_carry(struct assay_admin *admin, assay_admin_piece *next,
                                    enum assay_step *ret_step);
/* Asks the host for the rows of ex->query, whose row() and context are set. */
enum assay_status assay_admin_list(struct assay_admin *admin, assay_admin_piece *next,
                                   enum assay_step *ret_step);

/* Opens the JSON object of a 200 reply; members are then written to admin->w. Fails with
 * ASSAY_ERR_LIMIT. */
ASSAY_MUST_USE enum assay_status assay_admin_open(struct assay_admin *admin,
                                                  struct assay_error *reterr);
/* Closes it and makes it the reply. Fails with ASSAY_ERR_LIMIT when it did not fit. */
ASSAY_MUST_USE enum assay_status
assay_admin_close(struct assay_admin *admin, enum assay_step *ret_step, struct assay_error *reterr);

/* `body` (JSON) is the 200 reply. */
enum assay_status assay_admin_reply(struct assay_admin *admin, struct assay_slice body,
                                    enum assay_step *ret_step);

/* The reply is a refusal: {"error":…,"error_description":…}. `error` and `what` are constant text;
 * `about` (may be empty) stands before `what`. Fails with ASSAY_ERR_LIMIT. */
enum assay_status assay_admin_refuse(struct assay_admin *admin, unsigned http_status,
                                     const char *error, struct assay_slice about, const char *what,
                                     enum assay_step *ret_step, struct assay_error *reterr);
/* The same for a request that is wrong: 400 invalid_request. */
enum assay_status assay_admin_wrong(struct assay_admin *admin, const char *what,
                                    enum assay_step *ret_step, struct assay_error *reterr);
/* The same for a name that nothing has: 404 not_found. */
enum assay_status assay_admin_absent(struct assay_admin *admin, const char *what,
                                     enum assay_step *ret_step, struct assay_error *reterr);
/* The same for a client. */
enum assay_status assay_admin_no_client(struct assay_admin *admin, enum assay_step *ret_step,
                                        struct assay_error *reterr);
/* The same for a store that could not: ex->store_status. */
enum assay_status assay_admin_unable(struct assay_admin *admin, enum assay_step *ret_step,
                                     struct assay_error *reterr);

/* A number as a decimal string, which JSON in JavaScript keeps whole. */
void assay_admin_member_number(struct assay_json_writer *w, struct assay_slice name,
                               uint64_t number);

#endif
