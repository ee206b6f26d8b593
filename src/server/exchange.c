#include "server/exchange.h"

#include "base/base64url.h"
#include "base/secret.h"
#include "http/media_type.h"
#include "oauth/issuer.h"
#include "server/flow_priv.h"
#include "server/metrics.h"

#include <string.h>

static const struct {
    struct assay_slice path;
    enum assay_endpoint endpoint;
} paths[] = {
#define PATH(literal)                                                                              \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }
    {PATH("/oauth2/introspect"), ASSAY_ENDPOINT_INTROSPECT},
    {PATH("/oauth2/token"), ASSAY_ENDPOINT_TOKEN},
    {PATH("/oauth2/revoke"), ASSAY_ENDPOINT_REVOKE},
    {PATH("/healthz"), ASSAY_ENDPOINT_HEALTHZ},
    {PATH("/readyz"), ASSAY_ENDPOINT_READYZ},
    {PATH("/metrics"), ASSAY_ENDPOINT_METRICS},
#undef PATH
};

static bool is_metadata_path(struct assay_slice path, struct assay_slice issuer_path)
{
    struct assay_slice well_known = ASSAY_SLICE("/.well-known/oauth-authorization-server");
    return assay_slice_starts_with(path, well_known) &&
           assay_slice_equal(assay_slice_from(path, well_known.len), issuer_path);
}

struct assay_slice assay_path_below_issuer(const struct assay_server *server,
                                           struct assay_slice path)
{
    struct assay_slice above = assay_issuer_path(server->issuer);
    return assay_slice_starts_with(path, above) ? assay_slice_from(path, above.len) : path;
}

static enum assay_endpoint known_path(struct assay_slice path)
{
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (assay_slice_equal(path, paths[i].path)) {
            return paths[i].endpoint;
        }
    }
    return ASSAY_ENDPOINT_NONE;
}

enum assay_endpoint assay_endpoint_of(const struct assay_server *server, struct assay_slice path)
{
    enum assay_endpoint plain = known_path(path); /* most issuers have no path */
    if (plain != ASSAY_ENDPOINT_NONE) {
        return plain;
    }
    if (is_metadata_path(path, assay_issuer_path(server->issuer))) {
        return ASSAY_ENDPOINT_METADATA;
    }
    path = assay_path_below_issuer(server, path);
    if (assay_slice_starts_with(path, ASSAY_SLICE("/admin/"))) {
        return ASSAY_ENDPOINT_ADMIN;
    }
    return known_path(path);
}

enum assay_status flow_refuse(struct assay_exchange *ex, enum assay_oauth_error error,
                              enum assay_step *ret_step)
{
    assay_oauth_error_reply(error, &ex->reply);
    *ret_step = ASSAY_STEP_REPLY;
    return ASSAY_OK;
}

struct assay_change *flow_change(struct assay_exchange *ex, enum assay_change_verb verb,
                                 int64_t now_s)
{
    struct assay_change *change =
        assay_arena_take(ex->arena, sizeof(*change), _Alignof(struct assay_change));
    if (change == NULL) {
        return NULL;
    }
    memset(change, 0, sizeof(*change));
    change->verb = verb;
    change->now_s = now_s;
    change->origin = ASSAY_BY_CLIENT;
    change->prefix = ex->server->token_prefix;
    ex->change = change;
    return change;
}

/* --- what is asked of every form request --- */

static bool is_form(const struct assay_request *request)
{
    return assay_media_type_is(request->content_type,
                               ASSAY_SLICE("application/x-www-form-urlencoded"));
}

/* Cleartext shows credentials and tokens to the network: refused but from this very machine, unless
 * the operator vouches for the path. Revocation is carried out all the same, since a token that was
 * sent in clear is better dead (RFC 7009 section 2). */
static bool is_exposed(const struct assay_exchange *ex)
{
    const struct assay_request *request = &ex->request;
    return !request->secure && !request->loopback && !ex->server->allow_cleartext &&
           ex->endpoint != ASSAY_ENDPOINT_REVOKE;
}

/* True when the request may go on; else `*ret` says why not. */
static bool is_acceptable(const struct assay_exchange *ex, enum assay_oauth_error *ret)
{
    const struct assay_request *request = &ex->request;
    if (!assay_slice_equal(request->method, ASSAY_SLICE("POST"))) {
        *ret = ASSAY_ERROR_METHOD;
    } else if (is_exposed(ex)) {
        *ret = ASSAY_ERROR_CLEARTEXT;
    } else if (request->body_too_large) {
        *ret = ASSAY_ERROR_TOO_LARGE;
    } else if (request->content_type_count > 1 || request->authorization_count > 1 ||
               request->connection_fields) {
        *ret = ASSAY_ERROR_REQUEST;
    } else if (!is_form(request) || request->content_encoding.len != 0) {
        *ret = ASSAY_ERROR_MEDIA;
    } else {
        return true;
    }
    return false;
}

/* Parameters that some specification gives a meaning here: none of them may be repeated. Only
 * `resource` may (RFC 8707), and what nobody knows is ignored however often it stands. */
static bool repeats(const struct assay_form *form)
{
    static const struct assay_slice known[] = {
#define NAME(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}
        NAME("token"),
        NAME("token_type_hint"),
        NAME("client_id"),
        NAME("client_secret"),
        NAME("client_assertion"),
        NAME("client_assertion_type"),
        NAME("grant_type"),
        NAME("scope"),
        NAME("refresh_token"),
#undef NAME
    };
    for (size_t i = 0; form->count > 1 && i < sizeof(known) / sizeof(known[0]); i++) {
        if (assay_form_find(form, known[i], NULL) > 1) {
            return true;
        }
    }
    return false;
}

/* The length and characters that some token may have; one of ours has them all the more. */
static bool may_be_token(struct assay_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x21 || text.data[i] > 0x7E) {
            return false;
        }
    }
    return text.len != 0 && text.len <= ASSAY_MAX_TOKEN_PARAM;
}

void flow_take_token(struct assay_exchange *ex, struct flow *flow, struct assay_slice name)
{
    struct assay_token_text text;
    flow->token = (struct assay_slice){0};
    (void)assay_form_find(&flow->form, name, &flow->token);
    if (assay_token_text_parse(flow->token, ex->server->token_prefix, &text)) {
        ex->lookup.want_token = true;
        ex->lookup.address = text.address;
        flow->kind = text.kind;
    } else if (!may_be_token(flow->token)) {
        flow->faulty = true;
        flow->fault = ASSAY_ERROR_REQUEST;
    }
}

enum assay_status flow_token_matches(struct assay_exchange *ex, const struct flow *flow, bool *ret,
                                     struct assay_error *reterr)
{
    uint8_t digest[ASSAY_SHA256_LEN];
    *ret = false;
    if (ex->lookup.token == NULL) {
        return ASSAY_OK;
    }
    enum assay_status status = assay_sha256(ex->server->digester, flow->token, digest, reterr);
    if (status == ASSAY_OK) {
        *ret = assay_secret_equal(assay_slice_of(digest, sizeof(digest)),
                                  assay_slice_of(ex->lookup.token->text_sha256, sizeof(digest)));
    }
    return status;
}

static const struct flow_endpoint *endpoint_of(enum assay_endpoint endpoint)
{
    switch (endpoint) {
    case ASSAY_ENDPOINT_INTROSPECT:
        return &flow_introspect;
    case ASSAY_ENDPOINT_REVOKE:
        return &flow_revoke;
    case ASSAY_ENDPOINT_TOKEN:
        return &flow_token;
    case ASSAY_ENDPOINT_NONE:
    case ASSAY_ENDPOINT_METADATA:
    case ASSAY_ENDPOINT_HEALTHZ:
    case ASSAY_ENDPOINT_READYZ:
    case ASSAY_ENDPOINT_METRICS:
    case ASSAY_ENDPOINT_ADMIN:
        break;
    }
    return NULL;
}

enum progress {
    AT_START = 0,
    AT_LOOKUP, /* the caller's record, and the token's, are there */
    AT_SCRYPT,
    AT_CHANGE,
    AT_QUERY,
};

static enum assay_status start_flow(struct assay_exchange *ex, enum assay_step *ret_step,
                                    struct assay_error *reterr)
{
    enum assay_oauth_error refusal;
    enum assay_caller_verdict verdict;
    if (!is_acceptable(ex, &refusal)) {
        return flow_refuse(ex, refusal, ret_step);
    }
    struct flow *flow = assay_arena_take(ex->arena, sizeof(*flow), _Alignof(struct flow));
    if (flow == NULL) {
        return assay_fail(ASSAY_ERR_LIMIT, "no room for a request", reterr);
    }
    ex->state = flow;
    flow->endpoint = endpoint_of(ex->endpoint);
    flow->faulty = false;
    flow->again = false;
    if (assay_form_parse(ex->request.body, ex->arena, &flow->form, NULL) != ASSAY_OK ||
        repeats(&flow->form)) {
        return flow_refuse(ex, ASSAY_ERROR_REQUEST, ret_step);
    }
    enum assay_status status = assay_caller_start(ex, &flow->form, &flow->caller, &verdict, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    if (verdict == ASSAY_CALLER_REFUSED) {
        *ret_step = ASSAY_STEP_REPLY;
        return ASSAY_OK;
    }
    flow->endpoint->prepare(ex, flow);
    ex->progress = AT_LOOKUP;
    *ret_step = ASSAY_STEP_LOOKUP;
    return ASSAY_OK;
}

static enum assay_status judge_flow(struct assay_exchange *ex, int64_t now_s,
                                    enum assay_step *ret_step, struct assay_error *reterr)
{
    struct flow *flow = ex->state;
    enum assay_caller_verdict verdict;
    if (ex->store_status != ASSAY_OK) {
        return flow_refuse(ex, ASSAY_ERROR_UNAVAILABLE, ret_step);
    }
    enum assay_status status = assay_caller_judge(ex, &flow->caller, now_s, &verdict, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    switch (verdict) {
    case ASSAY_CALLER_REFUSED:
        *ret_step = ASSAY_STEP_REPLY;
        return ASSAY_OK;
    case ASSAY_CALLER_SCRYPT:
        ex->progress = AT_SCRYPT;
        *ret_step = ASSAY_STEP_SCRYPT;
        return ASSAY_OK;
    case ASSAY_CALLER_KNOWN:
        break;
    }
    ex->progress = AT_CHANGE;
    return flow->endpoint->decide(ex, flow, now_s, ret_step, reterr);
}

static enum assay_status finish_flow(struct assay_exchange *ex, enum assay_step *ret_step,
                                     struct assay_error *reterr)
{
    struct flow *flow = ex->state;
    enum assay_status status = ASSAY_OK;
    if (ex->store_status == ASSAY_OK && ex->change->outcome == ASSAY_REFUSED_CLIENT &&
        !flow->again) {
        /* The client has changed since it was looked up: what it is told is what it is now. */
        flow->again = true;
        assay_change_wipe(ex->change);
        ex->progress = AT_LOOKUP;
        *ret_step = ASSAY_STEP_LOOKUP;
        return ASSAY_OK;
    }
    *ret_step = ASSAY_STEP_REPLY;
    if (ex->store_status != ASSAY_OK) {
        assay_oauth_error_reply(ASSAY_ERROR_UNAVAILABLE, &ex->reply);
    } else {
        status = flow->endpoint->finish(ex, flow, reterr);
    }
    assay_change_wipe(ex->change);
    return status;
}

static enum assay_status run_flow(struct assay_exchange *ex, int64_t now_s,
                                  enum assay_step *ret_step, struct assay_error *reterr)
{
    switch ((enum progress)ex->progress) {
    case AT_START:
        return start_flow(ex, ret_step, reterr);
    case AT_LOOKUP:
        return judge_flow(ex, now_s, ret_step, reterr);
    case AT_SCRYPT: /* the record may have changed meanwhile: look again, then judge by what was
                       computed */
        ex->progress = AT_LOOKUP;
        *ret_step = ASSAY_STEP_LOOKUP;
        return ASSAY_OK;
    case AT_CHANGE:
    case AT_QUERY:
        break;
    }
    return finish_flow(ex, ret_step, reterr);
}

/* --- endpoints without a form --- */

static bool is_get(const struct assay_request *request)
{
    return assay_slice_equal(request->method, ASSAY_SLICE("GET")) ||
           assay_slice_equal(request->method, ASSAY_SLICE("HEAD"));
}

static bool no_row(struct assay_query *query)
{
    (void)query;
    return true;
}

static enum assay_status run_stat(struct assay_exchange *ex, enum assay_step *ret_step,
                                  struct assay_error *reterr)
{
    if (ex->progress == AT_START) {
        ex->query = (struct assay_query){.verb = ASSAY_QUERY_STAT, .row = no_row};
        ex->progress = AT_QUERY;
        *ret_step = ASSAY_STEP_QUERY;
        return ASSAY_OK;
    }
    *ret_step = ASSAY_STEP_REPLY;
    return ex->endpoint == ASSAY_ENDPOINT_READYZ ? server_ready(ex, reterr)
                                                 : server_metrics(ex, reterr);
}

static enum assay_status run_get(struct assay_exchange *ex, enum assay_step *ret_step,
                                 struct assay_error *reterr)
{
    if (!is_get(&ex->request)) {
        return flow_refuse(ex, ASSAY_ERROR_METHOD_GET, ret_step);
    }
    if (ex->endpoint == ASSAY_ENDPOINT_METRICS && !ex->request.loopback &&
        !ex->server->open_metrics) {
        return flow_refuse(ex, ASSAY_ERROR_FORBIDDEN, ret_step);
    }
    if (ex->endpoint == ASSAY_ENDPOINT_METRICS || ex->endpoint == ASSAY_ENDPOINT_READYZ) {
        return run_stat(ex, ret_step, reterr);
    }
    *ret_step = ASSAY_STEP_REPLY;
    if (ex->endpoint == ASSAY_ENDPOINT_METADATA) {
        return server_metadata(ex, reterr);
    }
    assay_json_reply(200, ASSAY_SLICE("{\"status\":\"ok\"}"), &ex->reply);
    return ASSAY_OK;
}

enum assay_status assay_exchange_run(struct assay_exchange *ex, int64_t now_s,
                                     enum assay_step *ret_step, struct assay_error *reterr)
{
    if (ex->progress == AT_START && ex->endpoint == ASSAY_ENDPOINT_NONE) {
        ex->endpoint = assay_endpoint_of(ex->server, ex->request.path);
    }
    if (endpoint_of(ex->endpoint) != NULL) {
        return run_flow(ex, now_s, ret_step, reterr);
    }
    return ex->endpoint == ASSAY_ENDPOINT_NONE ? flow_refuse(ex, ASSAY_ERROR_NOT_FOUND, ret_step)
                                               : run_get(ex, ret_step, reterr);
}

void assay_exchange_fail(struct assay_exchange *ex, unsigned http_status)
{
    assay_oauth_error_reply(http_status == 503 ? ASSAY_ERROR_UNAVAILABLE : ASSAY_ERROR_SERVER,
                            &ex->reply);
}

static enum assay_outcome outcome_of(const struct assay_exchange *ex)
{
    unsigned http_status = ex->reply.http_status;
    if (http_status == 401) {
        return ASSAY_OUTCOME_UNAUTHENTICATED;
    }
    if (http_status == 429) {
        return ASSAY_OUTCOME_LIMITED;
    }
    if (http_status >= 400) {
        return http_status >= 500 ? ASSAY_OUTCOME_FAILED : ASSAY_OUTCOME_REFUSED;
    }
    return ex->inactive ? ASSAY_OUTCOME_INACTIVE : ASSAY_OUTCOME_OK;
}

void assay_exchange_count(const struct assay_exchange *ex, uint64_t took_us)
{
    struct assay_metrics *metrics = ex->server->metrics;
    if (metrics == NULL) {
        return;
    }
    assay_metrics_request(metrics, ex->endpoint, (enum assay_caller_role)ex->caller_role,
                          outcome_of(ex), took_us);
    if (ex->lookup.want_token && ex->store_status == ASSAY_OK) {
        assay_metrics_token(metrics, ex->lookup.address_opened);
    }
}
