#include "jose/jwks.h"

#include "base/limits.h"

#define SET_DEPTH 8

/* --- reading --- */

static void ignore(struct assay_jwks *set, const char *why)
{
    set->ignored_of = set->ignored == 0 ? why : set->ignored_of;
    set->ignored++;
}

/* Adds the key, or ignores it. Fails only when the code could not work: a set that lacks keys
 * because there was no memory must not replace one that has them. */
static enum assay_status add(const struct assay_json_value *value, struct assay_arena *arena,
                             struct assay_jwks *set, struct assay_error *reterr)
{
    struct assay_jwk jwk;
    struct assay_error error = {0};
    enum assay_status status = assay_jwk_read(value, arena, &jwk, &error);
    if (status == ASSAY_ERR_SYNTAX) {
        ignore(set, error.what);
        return ASSAY_OK;
    }
    if (status != ASSAY_OK) {
        return assay_fail(status, error.what, reterr);
    }
    if (!jwk.is_for_verifying) {
        assay_jwk_close(&jwk);
        ignore(set, "the key is not for verifying");
        return ASSAY_OK;
    }
    set->keys[set->count++] = jwk;
    return ASSAY_OK;
}

static bool is_rival(const struct assay_jwk *a, const struct assay_jwk *b)
{
    return a->kid.data != NULL && b->kid.data != NULL && assay_slice_equal(a->kid, b->kid) &&
           !assay_pkey_equal(a->pkey, b->pkey);
}

/* Nobody can tell which of them is meant (RFC 7517 section 4.5), so neither is used. */
static void drop_rivals(struct assay_jwks *set)
{
    bool rival[ASSAY_MAX_JWKS_KEYS] = {false};
    for (size_t i = 0; i < set->count; i++) {
        for (size_t j = 0; j < set->count && !rival[i]; j++) {
            rival[i] = is_rival(&set->keys[i], &set->keys[j]);
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (rival[i]) {
            assay_jwk_close(&set->keys[i]);
            ignore(set, "two keys have the same kid");
        } else {
            set->keys[kept++] = set->keys[i];
        }
    }
    set->count = kept;
}

static enum assay_status read_keys(const struct assay_json_value *keys, struct assay_arena *arena,
                                   struct assay_jwks *set, struct assay_error *reterr)
{
    size_t count = assay_json_value_count(keys);
    if (assay_json_value_type(keys) != ASSAY_JSON_ARRAY) {
        return assay_fail(ASSAY_ERR_SYNTAX, "the key set has no array keys", reterr);
    }
    if (count > ASSAY_MAX_JWKS_KEYS) {
        return assay_fail(ASSAY_ERR_LIMIT, "the key set has more than 100 keys", reterr);
    }
    set->keys = assay_arena_take(arena, count * sizeof(*set->keys), _Alignof(struct assay_jwk));
    if (set->keys == NULL) {
        return assay_fail(ASSAY_ERR_LIMIT, "no room for the key set", reterr);
    }
    for (size_t i = 0; i < count; i++) {
        enum assay_status status = add(assay_json_value_item(keys, i), arena, set, reterr);
        if (status != ASSAY_OK) {
            return status;
        }
    }
    drop_rivals(set);
    return set->count != 0 ? ASSAY_OK
                           : assay_fail(ASSAY_ERR_ABSENT, "no key of the set can be used", reterr);
}

enum assay_status assay_jwks_read(struct assay_slice text, struct assay_arena *arena,
                                  struct assay_jwks *ret, struct assay_error *reterr)
{
    struct assay_jwks set = {0};
    struct assay_json *json = NULL;
    if (text.len > ASSAY_MAX_JWKS) {
        return assay_fail(ASSAY_ERR_LIMIT, "the key set is longer than 64 KiB", reterr);
    }
    enum assay_status status = assay_json_open(text, SET_DEPTH, &json, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    const struct assay_json_value *keys =
        assay_json_value_member(assay_json_root(json), ASSAY_SLICE("keys"));
    status = read_keys(keys, arena, &set, reterr);
    assay_json_close(json);
    if (status != ASSAY_OK) {
        assay_jwks_close(&set);
        return status;
    }
    *ret = set;
    return ASSAY_OK;
}

void assay_jwks_close(struct assay_jwks *jwks)
{
    for (size_t i = 0; i < jwks->count; i++) {
        assay_jwk_close(&jwks->keys[i]);
    }
    *jwks = (struct assay_jwks){0};
}

/* --- finding --- */

static enum assay_jose_fault find_named(const struct assay_jwks *jwks, struct assay_slice kid,
                                        const struct assay_alg *alg, struct assay_jwk **ret)
{
    enum assay_jose_fault fault = ASSAY_JOSE_KEY_UNKNOWN;
    for (size_t i = 0; i < jwks->count; i++) {
        struct assay_jwk *key = &jwks->keys[i];
        if (key->kid.data == NULL || !assay_slice_equal(key->kid, kid)) {
            continue;
        }
        if (assay_jwk_fits(key, alg)) {
            *ret = key;
            return ASSAY_JOSE_OK;
        }
        fault = ASSAY_JOSE_KEY_UNFIT;
    }
    return fault;
}

static enum assay_jose_fault find_only(const struct assay_jwks *jwks, const struct assay_alg *alg,
                                       struct assay_jwk **ret)
{
    struct assay_jwk *found = NULL;
    for (size_t i = 0; i < jwks->count; i++) {
        struct assay_jwk *key = &jwks->keys[i];
        if (!assay_jwk_fits(key, alg)) {
            continue;
        }
        if (found != NULL && !assay_pkey_equal(found->pkey, key->pkey)) {
            return ASSAY_JOSE_KEY_AMBIGUOUS;
        }
        found = key;
    }
    *ret = found == NULL ? *ret : found;
    return found == NULL ? ASSAY_JOSE_KEY_UNKNOWN : ASSAY_JOSE_OK;
}

enum assay_jose_fault assay_jwks_find(const struct assay_jwks *jwks, struct assay_slice kid,
                                      const struct assay_alg *alg, struct assay_jwk **ret)
{
    return kid.data != NULL ? find_named(jwks, kid, alg, ret) : find_only(jwks, alg, ret);
}

/* --- writing --- */

void assay_jwks_write(const struct assay_jwk *keys, size_t count, struct assay_json_writer *w)
{
    assay_json_object_open(w);
    assay_json_name(w, ASSAY_SLICE("keys"));
    assay_json_array_open(w);
    for (size_t i = 0; i < count; i++) {
        assay_jwk_write(&keys[i], w);
    }
    assay_json_array_close(w);
    assay_json_object_close(w);
}
