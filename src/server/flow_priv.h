/* What the endpoints share: a request with a form and a caller, on its way through look-up and
 * change. */
#ifndef ASSAY_SERVER_FLOW_PRIV_H
#define ASSAY_SERVER_FLOW_PRIV_H

#include "oauth/error.h"
#include "server/caller.h"
#include "server/exchange.h"

struct flow;

/* An endpoint that takes a form from an authenticated client. */
struct flow_endpoint {
    /* Reads what it needs of the form, before anybody is known: may set the token to look up. What
     * is wrong with the request it keeps in flow->fault, to be told once the caller is known. */
    void (*prepare)(struct assay_exchange *ex, struct flow *flow);
    /* Decides, inside the look-up's done(), with the caller known. Sets the reply and *ret_step
     * REPLY, or ex->change and *ret_step CHANGE. */
    enum assay_status (*decide)(struct assay_exchange *ex, struct flow *flow, int64_t now_s,
                                enum assay_step *ret_step, struct assay_error *reterr);
    /* Makes the reply once the change is done (ex->store_status is OK). */
    enum assay_status (*finish)(struct assay_exchange *ex, struct flow *flow,
                                struct assay_error *reterr);
};

struct flow {
    struct assay_form form;
    struct assay_caller caller;
    const struct flow_endpoint *endpoint;
    bool faulty;
    enum assay_oauth_error fault;
    bool again; /* the client changed between look-up and change, and was looked up anew */
    struct assay_slice token;   /* the text asked about, presented, or revoked */
    enum assay_token_kind kind; /* what the text says it is */
};

extern const struct flow_endpoint flow_introspect;
extern const struct flow_endpoint flow_revoke;
extern const struct flow_endpoint flow_token;

/* Takes the token text of the parameter `name`: absent, too long, or with characters no token has
 * is a fault; a text that is spelled as one of ours is looked up. */
void flow_take_token(struct assay_exchange *ex, struct flow *flow, struct assay_slice name);

/* The token found is the one whose text was presented: SHA-256 over the whole text, in constant
 * time. */
ASSAY_MUST_USE enum assay_status flow_token_matches(struct assay_exchange *ex,
                                                    const struct flow *flow, bool *ret,
                                                    struct assay_error *reterr);

/* The reply is that error; *ret_step is REPLY. Always ASSAY_OK, so that it can be returned. */
enum assay_status flow_refuse(struct assay_exchange *ex, enum assay_oauth_error error,
                              enum assay_step *ret_step);

/* A zeroed change of the arena with what every change has. NULL when the arena is spent. */
struct assay_change *flow_change(struct assay_exchange *ex, enum assay_change_verb verb,
                                 int64_t now_s);

/* metadata.c, health.c: endpoints without a caller */
ASSAY_MUST_USE enum assay_status server_metadata(struct assay_exchange *ex,
                                                 struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status server_ready(struct assay_exchange *ex,
                                              struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status server_metrics(struct assay_exchange *ex,
                                                struct assay_error *reterr);

#endif
