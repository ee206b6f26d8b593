#include "guard/rule.h"

#include "oauth/scope.h"

struct assay_slice assay_reason_name(enum assay_reason reason)
{
    switch (reason) {
    case ASSAY_REASON_OK:
        return ASSAY_SLICE("ok");
    case ASSAY_REASON_NO_TOKEN:
        return ASSAY_SLICE("no_token");
    case ASSAY_REASON_MALFORMED:
        return ASSAY_SLICE("malformed");
    case ASSAY_REASON_INACTIVE:
        return ASSAY_SLICE("inactive");
    case ASSAY_REASON_INVALID:
        return ASSAY_SLICE("invalid");
    case ASSAY_REASON_EXPIRED:
        return ASSAY_SLICE("expired");
    case ASSAY_REASON_NOT_YET:
        return ASSAY_SLICE("not_yet");
    case ASSAY_REASON_WRONG_ISSUER:
        return ASSAY_SLICE("wrong_issuer");
    case ASSAY_REASON_BOUND:
        return ASSAY_SLICE("bound");
    case ASSAY_REASON_NO_ACCESS_TOKEN:
        return ASSAY_SLICE("no_access_token");
    case ASSAY_REASON_WRONG_AUDIENCE:
        return ASSAY_SLICE("wrong_audience");
    case ASSAY_REASON_AUTHENTICATION:
        return ASSAY_SLICE("authentication");
    case ASSAY_REASON_SCOPE:
        return ASSAY_SLICE("scope");
    case ASSAY_REASON_CLAIM:
        return ASSAY_SLICE("claim");
    case ASSAY_REASON_UNREACHABLE:
        return ASSAY_SLICE("unreachable");
    case ASSAY_REASON_UNUSABLE:
        return ASSAY_SLICE("unusable");
    case ASSAY_REASON_AS_REJECTS_US:
        return ASSAY_SLICE("as_rejects_us");
    case ASSAY_REASON_BUSY:
        return ASSAY_SLICE("busy");
    case ASSAY_REASON_FAULT:
        return ASSAY_SLICE("fault");
    }
    return ASSAY_SLICE("fault");
}

static enum assay_reason judge_fault(enum assay_kept_fault fault)
{
    switch (fault) {
    case ASSAY_KEPT_GOOD:
        return ASSAY_REASON_OK;
    case ASSAY_KEPT_FOREIGN:
        return ASSAY_REASON_WRONG_ISSUER;
    case ASSAY_KEPT_BOUND:
    case ASSAY_KEPT_BOUND_TO_CERTIFICATE: /* which was not shown */
        return ASSAY_REASON_BOUND;
    case ASSAY_KEPT_NO_ACCESS:
        return ASSAY_REASON_NO_ACCESS_TOKEN;
    }
    return ASSAY_REASON_FAULT;
}

static bool is_shown(const struct assay_rules *rules, const struct assay_kept *kept,
                     struct assay_slice certificate)
{
    struct assay_kept_value bound = assay_kept_at(kept->values, rules->certificate_at);
    return kept->fault == ASSAY_KEPT_BOUND_TO_CERTIFICATE && bound.kind == ASSAY_KEPT_STRING &&
           certificate.len == ASSAY_CERTIFICATE_LEN && assay_slice_equal(bound.text, certificate);
}

static enum assay_reason judge_token(const struct assay_rules *rules, const struct assay_kept *kept,
                                     struct assay_slice certificate, int64_t now_s,
                                     int64_t leeway_s)
{
    if (!kept->active) {
        return ASSAY_REASON_INACTIVE;
    }
    if (kept->expires_at_s != 0 && now_s >= kept->expires_at_s) {
        return ASSAY_REASON_EXPIRED;
    }
    if (kept->not_before_s - leeway_s > now_s) { /* neither is negative */
        return ASSAY_REASON_NOT_YET;
    }
    return is_shown(rules, kept, certificate) ? ASSAY_REASON_OK : judge_fault(kept->fault);
}

/* Is one of the words of `wanted` the value, or one of several? */
static bool has_one_of(const struct assay_kept_value *value, struct assay_slice wanted)
{
    while (wanted.data != NULL) {
        struct assay_slice word = assay_slice_cut(&wanted, ' ');
        if (word.len != 0 && assay_kept_has(value, word)) {
            return true;
        }
    }
    return false;
}

/* A scope that is no string has been refused with the answer. */
static bool has_scope(const struct assay_kept_value *scope, struct assay_slice wanted)
{
    return scope->kind == ASSAY_KEPT_STRING && assay_scope_contains(scope->text, wanted);
}

/* RFC 9470 section 6: what the token does not say is not met. */
static bool is_authenticated(const struct assay_rules *rules, const struct assay_rule *rule,
                             struct assay_slice values, int64_t now_s)
{
    int64_t then_s = 0;
    struct assay_kept_value value;
    if (rule->acr.len != 0) {
        value = assay_kept_at(values, rules->acr_at);
        if (value.kind != ASSAY_KEPT_STRING || !has_one_of(&value, rule->acr)) {
            return false;
        }
    }
    if (rule->auth_age_s == 0) {
        return true;
    }
    value = assay_kept_at(values, rules->auth_time_at);
    return assay_kept_number(&value, &then_s) && now_s - then_s <= rule->auth_age_s;
}

static enum assay_reason judge_rule(const struct assay_rules *rules, const struct assay_rule *rule,
                                    struct assay_slice values, int64_t now_s)
{
    struct assay_kept_value value;
    if (rule->audience.len != 0) {
        value = assay_kept_at(values, rules->audience_at);
        if (!has_one_of(&value, rule->audience)) {
            return ASSAY_REASON_WRONG_AUDIENCE;
        }
    }
    if (rule->scope.len != 0) {
        value = assay_kept_at(values, rules->scope_at);
        if (!has_scope(&value, rule->scope)) {
            return ASSAY_REASON_SCOPE;
        }
    }
    if (!is_authenticated(rules, rule, values, now_s)) {
        return ASSAY_REASON_AUTHENTICATION;
    }
    if (rule->claim.len != 0) {
        value = assay_kept_at(values, rule->claim_at);
        if (!assay_kept_has(&value, rule->value)) {
            return ASSAY_REASON_CLAIM;
        }
    }
    return ASSAY_REASON_OK;
}

enum assay_reason assay_rules_judge(const struct assay_rules *rules, const struct assay_kept *kept,
                                    struct assay_slice certificate, int64_t now_s, int64_t leeway_s,
                                    const struct assay_rule **ret_failed)
{
    enum assay_reason reason = judge_token(rules, kept, certificate, now_s, leeway_s);
    *ret_failed = NULL;
    for (size_t i = 0; i < rules->count && reason == ASSAY_REASON_OK; i++) {
        reason = judge_rule(rules, &rules->rules[i], kept->values, now_s);
        *ret_failed = reason == ASSAY_REASON_OK ? NULL : &rules->rules[i];
    }
    return reason;
}

void assay_rules_authentication(const struct assay_rules *rules, struct assay_slice *ret_acr,
                                int64_t *ret_age_s)
{
    *ret_acr = (struct assay_slice){0};
    *ret_age_s = 0;
    for (size_t i = 0; i < rules->count; i++) {
        const struct assay_rule *rule = &rules->rules[i];
        if (ret_acr->len == 0) {
            *ret_acr = rule->acr;
        }
        if (rule->auth_age_s != 0 && (*ret_age_s == 0 || rule->auth_age_s < *ret_age_s)) {
            *ret_age_s = rule->auth_age_s;
        }
    }
}

static void append_new_words(struct assay_slice words, size_t from, struct assay_buf *out)
{
    while (words.len > 0) {
        struct assay_slice word = assay_slice_cut(&words, ' ');
        struct assay_slice written = assay_slice_from(assay_buf_slice(out), from);
        if (word.len == 0 || assay_slice_has_word(written, word)) {
            continue;
        }
        if (written.len != 0) {
            assay_buf_append(out, ASSAY_SLICE(" "));
        }
        assay_buf_append(out, word);
    }
}

void assay_rules_scope(const struct assay_rules *rules, struct assay_buf *out)
{
    size_t from = out->len;
    for (size_t i = 0; i < rules->count; i++) {
        append_new_words(rules->rules[i].scope, from, out);
    }
}
