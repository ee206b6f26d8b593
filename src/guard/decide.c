#include "guard/decide.h"

#include "base/limits.h"
#include "base/secret.h"

struct assay_slice assay_source_name(enum assay_decide_source source)
{
    switch (source) {
    case ASSAY_SOURCE_NONE:
        return ASSAY_SLICE("NONE");
    case ASSAY_SOURCE_HIT:
        return ASSAY_SLICE("HIT");
    case ASSAY_SOURCE_MISS:
        return ASSAY_SLICE("MISS");
    case ASSAY_SOURCE_SHARED:
        return ASSAY_SLICE("SHARED");
    case ASSAY_SOURCE_STALE:
        return ASSAY_SLICE("STALE");
    case ASSAY_SOURCE_LOCAL:
        return ASSAY_SLICE("LOCAL");
    }
    return ASSAY_SLICE("NONE");
}

/* --- entries of the cache --- */

/* How `fault` is kept in the flags of an entry. */
#define FAULT_MASK 0x7u

static struct assay_kept kept_of(const struct assay_cached *cached)
{
    return (struct assay_kept){
        .active = true,
        .fault = (enum assay_kept_fault)(cached->flags & FAULT_MASK),
        .expires_at_s = cached->expires_at_s,
        .not_before_s = cached->not_before_s,
        .values = assay_slice_of(cached->payload, cached->len),
    };
}

/* What is left of a token's life, by the server's own clock, counted from when it was asked. */
static int64_t dies_at(const struct assay_kept *kept, int64_t asked_us, int64_t server_now_s)
{
    static const int64_t longest_s = INT64_MAX / 4000000; /* nothing below overflows */
    int64_t left_s = kept->expires_at_s - server_now_s;
    if (kept->expires_at_s == 0 || left_s > longest_s) {
        return INT64_MAX;
    }
    return asked_us + (left_s > 0 ? left_s * 1000000 : 0);
}

bool assay_decide_keep(const struct assay_told *told, int64_t asked_us, int64_t server_now_s,
                       struct assay_cached *ret)
{
    const struct assay_kept *kept = &told->kept;
    if (!kept->active || kept->values.len > sizeof(ret->payload)) {
        return false;
    }
    *ret = (struct assay_cached){
        .asked_us = asked_us,
        .dies_us = dies_at(kept, asked_us, server_now_s),
        .expires_at_s = kept->expires_at_s,
        .not_before_s = kept->not_before_s,
        .log = told->freshness.log,
        .as_of = told->freshness.as_of,
        .subject = told->subject,
        .client = told->client,
        .flags = (uint32_t)kept->fault,
        .len = (uint16_t)kept->values.len,
    };
    memcpy(ret->keys, told->freshness.keys, sizeof(ret->keys));
    if (kept->values.len != 0) {
        memcpy(ret->payload, kept->values.data, kept->values.len);
    }
    return true;
}

/* --- deciding --- */

static void decide(struct assay_decide *op, int64_t now_s)
{
    op->known = true;
    op->reason = assay_rules_judge(&op->policy->rules, &op->kept, op->certificate, now_s,
                                   op->policy->provider->leeway_s, &op->failed);
}

static enum assay_decide_step done(struct assay_decide *op, enum assay_reason reason)
{
    op->reason = reason;
    return ASSAY_DECIDE_DONE;
}

/* Microseconds. */
static int64_t age_allowed(const struct assay_decide *op, bool active)
{
    int64_t max_age = op->policy->max_age_ms;
    int64_t inactive = op->policy->provider->inactive_age_ms;
    return 1000 * (active || max_age < inactive ? max_age : inactive);
}

bool assay_decide_accepts(const struct assay_decide *op, bool active, int64_t asked_us)
{
    return op->entered_us - asked_us <= age_allowed(op, active);
}

/* An inactive answer that is young enough. */
static bool is_known_dead(struct assay_decide *op)
{
    int64_t asked_us = 0;
    if (!assay_cache_find_inactive(op->cache, op->key, &asked_us) ||
        !assay_decide_accepts(op, false, asked_us)) {
        return false;
    }
    op->kept = (struct assay_kept){0};
    return true;
}

/* An active one, no older than `age_us` and within the life that the server gave the token. */
static bool is_known_alive(struct assay_decide *op, int64_t age_us)
{
    if (op->cache == NULL || !assay_cache_find(op->cache, op->key, op->room)) {
        return false;
    }
    op->kept = kept_of(op->room);
    if (op->told_by == ASSAY_TOLD_BY_TOKEN && op->room->log != op->keys_version) {
        return false; /* its key may be among them no more */
    }
    return op->entered_us - op->room->asked_us <= age_us && op->entered_us < op->room->dies_us;
}

static enum assay_decide_step look(struct assay_decide *op, enum assay_decide_source source,
                                   int64_t now_s)
{
    if (is_known_alive(op, age_allowed(op, true)) || (op->cache != NULL && is_known_dead(op))) {
        op->source = source;
        decide(op, now_s);
        return ASSAY_DECIDE_DONE;
    }
    return ASSAY_DECIDE_ASK;
}

static enum assay_decide_step look_for(struct assay_decide *op, enum assay_told_by by,
                                       struct assay_pmac *pmac, int64_t now_s)
{
    op->told_by = by;
    if (assay_provider_key(op->policy->scope[by], op->token, pmac, op->key, NULL) != ASSAY_OK) {
        return done(op, ASSAY_REASON_FAULT);
    }
    return look(op, ASSAY_SOURCE_HIT, now_s);
}

/* The server's word. */
static enum assay_decide_step look_for_answer(struct assay_decide *op, struct assay_pmac *pmac,
                                              int64_t now_s)
{
    return look_for(op, ASSAY_TOLD_BY_SERVER, pmac, now_s);
}

/* A signed token has been judged. That is enough, unless the location wants the server's word too.
 */
static enum assay_decide_step settle(struct assay_decide *op, struct assay_pmac *pmac,
                                     int64_t now_s)
{
    return op->reason == ASSAY_REASON_OK && op->policy->introspect_jwt == ASSAY_INTROSPECT_ALWAYS
               ? look_for_answer(op, pmac, now_s)
               : ASSAY_DECIDE_DONE;
}

static enum assay_decide_step look_for_judgement(struct assay_decide *op, struct assay_pmac *pmac,
                                                 int64_t now_s)
{
    return look_for(op, ASSAY_TOLD_BY_TOKEN, pmac, now_s) == ASSAY_DECIDE_ASK
               ? ASSAY_DECIDE_JUDGE
               : settle(op, pmac, now_s);
}

enum assay_decide_step assay_decide_begin(struct assay_decide *op,
                                          const struct assay_bearer_request *request,
                                          struct assay_arena *arena, struct assay_pmac *pmac,
                                          int64_t now_s)
{
    op->known = false;
    op->failed = NULL;
    op->source = ASSAY_SOURCE_NONE;
    op->has_token = true;
    switch (assay_bearer_find(request, &op->policy->sources, arena, &op->token)) {
    case ASSAY_BEARER_NONE:
        op->has_token = false;
        return done(op, op->policy->optional ? ASSAY_REASON_OK : ASSAY_REASON_NO_TOKEN);
    case ASSAY_BEARER_ONE:
        break;
    case ASSAY_BEARER_SEVERAL:
    case ASSAY_BEARER_MALFORMED:
    case ASSAY_BEARER_TOO_LONG:
        return done(op, ASSAY_REASON_MALFORMED);
    }
    enum assay_guard_mode mode = op->policy->provider->mode;
    if (mode != ASSAY_GUARD_MODE_OPAQUE && assay_local_is_signed(op->token)) {
        return look_for_judgement(op, pmac, now_s);
    }
    return mode == ASSAY_GUARD_MODE_JWT ? done(op, ASSAY_REASON_INVALID)
                                        : look_for_answer(op, pmac, now_s);
}

/* --- signed tokens --- */

static void keep_told(struct assay_decide *op, const struct assay_told *told,
                      const struct assay_process *me, int64_t now_s)
{
    if (op->cache == NULL || !assay_decide_keep(told, op->entered_us, now_s, op->room)) {
        return;
    }
    op->room->generation = assay_cache_generation(op->cache);
    op->room->log = op->keys_version;
    if (assay_cache_may_use(op->cache, op->key, op->room)) {
        assay_cache_put(op->cache, op->key, op->room, me);
    }
}

/* The key of the token is not known. */
static enum assay_decide_step want_key(struct assay_decide *op,
                                       const struct assay_decide_keys *keys,
                                       struct assay_pmac *pmac, int64_t now_s)
{
    if (keys->may_fetch) {
        return ASSAY_DECIDE_KEYS;
    }
    if (keys->fetched) {
        return done(op, ASSAY_REASON_INVALID);
    }
    if (op->policy->introspect_jwt != ASSAY_INTROSPECT_NEVER) {
        return look_for_answer(op, pmac, now_s);
    }
    bool trouble = keys->known == NULL || keys->in_trouble;
    return done(op, trouble ? ASSAY_REASON_UNREACHABLE : ASSAY_REASON_INVALID);
}

static enum assay_decide_step take_told(struct assay_decide *op, const struct assay_told *told,
                                        const struct assay_decide_host *host, int64_t now_s)
{
    keep_told(op, told, host->me, now_s);
    assay_decide_told(op, &told->kept, ASSAY_SOURCE_LOCAL, now_s);
    return settle(op, host->pmac, now_s);
}

enum assay_decide_step assay_decide_judge(struct assay_decide *op,
                                          const struct assay_decide_keys *keys,
                                          const struct assay_decide_host *host, int64_t now_s)
{
    uint8_t memory[2 * ASSAY_MAX_TOKEN_PARAM]; /* one and a half times a token are enough */
    struct assay_arena arena;
    struct assay_told told;
    enum assay_local_verdict verdict = ASSAY_LOCAL_NO_KEY;
    op->keys_version = keys->version;
    assay_arena_init(&arena, memory, sizeof(memory));
    if (keys->known != NULL) {
        verdict =
            assay_local_judge(op->policy->provider, op->token, keys->known, op->policy->claims,
                              now_s, &arena, host->values, host->digester, &told, &op->fault);
    }
    assay_arena_release(&arena);
    switch (verdict) {
    case ASSAY_LOCAL_GOOD:
        return take_told(op, &told, host, now_s);
    case ASSAY_LOCAL_BAD:
        return done(op, ASSAY_REASON_INVALID);
    case ASSAY_LOCAL_NO_KEY:
        return want_key(op, keys, host->pmac, now_s);
    case ASSAY_LOCAL_FOREIGN:
        return op->policy->provider->mode == ASSAY_GUARD_MODE_AUTO
                   ? look_for_answer(op, host->pmac, now_s)
                   : done(op, ASSAY_REASON_INVALID);
    case ASSAY_LOCAL_FAULT:
        break;
    }
    return done(op, ASSAY_REASON_FAULT);
}

enum assay_decide_step assay_decide_again(struct assay_decide *op, int64_t now_s)
{
    return look(op, ASSAY_SOURCE_SHARED, now_s);
}

void assay_decide_told(struct assay_decide *op, const struct assay_kept *kept,
                       enum assay_decide_source source, int64_t now_s)
{
    op->kept = *kept;
    op->source = source;
    decide(op, now_s);
}

void assay_decide_trouble(struct assay_decide *op, enum assay_reason why, int64_t now_s)
{
    bool may_be_stale =
        !op->policy->own_max_age && why != ASSAY_REASON_FAULT && why != ASSAY_REASON_AS_REJECTS_US;
    if (may_be_stale && is_known_alive(op, 1000 * op->policy->provider->staleness_ms)) {
        op->source = ASSAY_SOURCE_STALE;
        decide(op, now_s);
        return;
    }
    (void)done(op, why);
}

/* --- refusals --- */

static enum assay_challenge_error error_of(enum assay_reason reason)
{
    switch (reason) {
    case ASSAY_REASON_MALFORMED:
        return ASSAY_CHALLENGE_INVALID_REQUEST;
    case ASSAY_REASON_INACTIVE:
    case ASSAY_REASON_INVALID:
    case ASSAY_REASON_EXPIRED:
    case ASSAY_REASON_NOT_YET:
    case ASSAY_REASON_WRONG_ISSUER:
    case ASSAY_REASON_BOUND:
    case ASSAY_REASON_NO_ACCESS_TOKEN:
    case ASSAY_REASON_WRONG_AUDIENCE:
        return ASSAY_CHALLENGE_INVALID_TOKEN;
    case ASSAY_REASON_AUTHENTICATION:
        return ASSAY_CHALLENGE_STEP_UP;
    case ASSAY_REASON_SCOPE:
    case ASSAY_REASON_CLAIM:
        return ASSAY_CHALLENGE_INSUFFICIENT_SCOPE;
    case ASSAY_REASON_OK:
    case ASSAY_REASON_NO_TOKEN:
    case ASSAY_REASON_UNREACHABLE:
    case ASSAY_REASON_UNUSABLE:
    case ASSAY_REASON_AS_REJECTS_US:
    case ASSAY_REASON_BUSY:
    case ASSAY_REASON_FAULT:
        break;
    }
    return ASSAY_CHALLENGE_NONE;
}

static bool is_trouble(enum assay_reason reason)
{
    return reason == ASSAY_REASON_UNREACHABLE || reason == ASSAY_REASON_UNUSABLE ||
           reason == ASSAY_REASON_AS_REJECTS_US || reason == ASSAY_REASON_BUSY ||
           reason == ASSAY_REASON_FAULT;
}

/* What the failed rule says instead, if it does. */
static enum assay_challenge_error chosen_error(const struct assay_decide *op)
{
    bool step_up = op->reason == ASSAY_REASON_AUTHENTICATION; /* which has a status of its own */
    unsigned chosen = op->failed == NULL || step_up ? 0 : op->failed->http_status;
    if (chosen == 0) {
        return error_of(op->reason);
    }
    return chosen == 401 ? ASSAY_CHALLENGE_INVALID_TOKEN : ASSAY_CHALLENGE_INSUFFICIENT_SCOPE;
}

unsigned assay_decide_status(const struct assay_decide *op)
{
    return is_trouble(op->reason) ? 503 : assay_challenge_status(chosen_error(op));
}

void assay_decide_challenge(const struct assay_decide *op, struct assay_buf *out)
{
    struct assay_challenge challenge = {.realm = op->policy->realm, .error = chosen_error(op)};
    uint8_t room[ASSAY_MAX_SCOPE];
    struct assay_buf scope;
    if (is_trouble(op->reason)) {
        return;
    }
    if (op->reason == ASSAY_REASON_SCOPE) {
        assay_buf_init(&scope, room, sizeof(room)); /* enough: the configuration sees to that */
        assay_rules_scope(&op->policy->rules, &scope);
        challenge.scope = assay_buf_slice(&scope);
    }
    if (op->reason == ASSAY_REASON_AUTHENTICATION) {
        assay_rules_authentication(&op->policy->rules, &challenge.acr_values, &challenge.max_age_s);
    }
    assay_challenge_write(&challenge, out);
}
