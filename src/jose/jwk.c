#include "jose/jwk.h"

#include "base/base64url.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/secret.h"

#include <assert.h>

/* --- kinds of keys, by `kty` and `crv` --- */

struct kind {
    const char *kty;
    const char *crv; /* NULL: the kind has none */
};

static const struct kind kinds[] = {
    [ASSAY_PKEY_RSA] = {"RSA", NULL},          [ASSAY_PKEY_P256] = {"EC", "P-256"},
    [ASSAY_PKEY_P384] = {"EC", "P-384"},       [ASSAY_PKEY_P521] = {"EC", "P-521"},
    [ASSAY_PKEY_ED25519] = {"OKP", "Ed25519"}, [ASSAY_PKEY_ED448] = {"OKP", "Ed448"},
    [ASSAY_PKEY_SECRET] = {"oct", NULL},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct assay_slice kty_of(enum assay_pkey_kind kind)
{
    return assay_slice_of_text(kinds[kind].kty);
}

static struct assay_slice crv_of(enum assay_pkey_kind kind)
{
    return assay_slice_of_text(kinds[kind].crv);
}

/* --- reading --- */

/* What is decoded on the way into a key; wiped behind. The longest is an RSA pair of 8192 bits: n
 * and d, and five numbers half as long. */
struct numbers {
    struct assay_pkey_parts parts;
    uint8_t room[8 * ASSAY_PKEY_MAX_RSA_LEN];
    size_t used;
};

static enum assay_status wrong(const char *what, struct assay_error *reterr)
{
    return assay_fail(ASSAY_ERR_SYNTAX, what, reterr);
}

static const struct assay_json_value *member(const struct assay_json_value *value, const char *name)
{
    return assay_json_value_member(value, assay_slice_of_text(name));
}

static bool read_kind(const struct assay_json_value *value, enum assay_pkey_kind *ret)
{
    struct assay_slice kty = {0};
    struct assay_slice crv = {0};
    if (!assay_json_value_string(member(value, "kty"), &kty)) {
        return false;
    }
    (void)assay_json_value_string(member(value, "crv"), &crv);
    for (size_t i = 0; i < KINDS; i++) {
        enum assay_pkey_kind kind = (enum assay_pkey_kind)i;
        if (assay_slice_equal(kty, kty_of(kind)) &&
            (kinds[i].crv == NULL || assay_slice_equal(crv, crv_of(kind)))) {
            *ret = kind;
            return true;
        }
    }
    return false;
}

static bool read_number(const struct assay_json_value *value, const char *name,
                        struct numbers *numbers, struct assay_slice *ret)
{
    struct assay_slice text = {0};
    size_t len = 0;
    uint8_t *room = numbers->room + numbers->used;
    if (!assay_json_value_string(member(value, name), &text) ||
        assay_base64url_decode(text, room, sizeof(numbers->room) - numbers->used, &len, NULL) !=
            ASSAY_OK) {
        return false;
    }
    numbers->used += len;
    *ret = assay_slice_of(room, len);
    return len != 0;
}

static bool read_public(const struct assay_json_value *value, struct numbers *numbers)
{
    struct assay_pkey_parts *parts = &numbers->parts;
    switch (parts->kind) {
    case ASSAY_PKEY_RSA:
        return read_number(value, "n", numbers, &parts->n) &&
               read_number(value, "e", numbers, &parts->e);
    case ASSAY_PKEY_P256:
    case ASSAY_PKEY_P384:
    case ASSAY_PKEY_P521:
        return read_number(value, "x", numbers, &parts->x) &&
               read_number(value, "y", numbers, &parts->y);
    case ASSAY_PKEY_ED25519:
    case ASSAY_PKEY_ED448:
        return read_number(value, "x", numbers, &parts->x);
    case ASSAY_PKEY_SECRET:
        return read_number(value, "k", numbers, &parts->k);
    }
    return false;
}

static bool read_private(const struct assay_json_value *value, struct numbers *numbers)
{
    struct assay_pkey_parts *parts = &numbers->parts;
    if (parts->kind == ASSAY_PKEY_SECRET || member(value, "d") == NULL) {
        return true;
    }
    return read_number(value, "d", numbers, &parts->d) &&
           (parts->kind != ASSAY_PKEY_RSA ||
            (member(value, "oth") == NULL && read_number(value, "p", numbers, &parts->p) &&
             read_number(value, "q", numbers, &parts->q) &&
             read_number(value, "dp", numbers, &parts->dp) &&
             read_number(value, "dq", numbers, &parts->dq) &&
             read_number(value, "qi", numbers, &parts->qi)));
}

/* Whoever publishes such a member gives away the key, whatever its type. */
static bool has_private(const struct assay_json_value *value)
{
    static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (member(value, names[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static bool read_kid(const struct assay_json_value *value, struct assay_arena *arena,
                     struct assay_jwk *jwk, enum assay_status *ret_status)
{
    struct assay_slice kid = {0};
    *ret_status = ASSAY_ERR_SYNTAX;
    if (member(value, "kid") == NULL) {
        return true;
    }
    if (!assay_json_value_string(member(value, "kid"), &kid) || kid.len > ASSAY_MAX_KID) {
        return false;
    }
    *ret_status = ASSAY_ERR_LIMIT;
    return assay_arena_copy(arena, kid, &jwk->kid);
}

static bool read_alg(const struct assay_json_value *value, enum assay_pkey_kind kind,
                     struct assay_jwk *jwk)
{
    struct assay_slice name = {0};
    if (member(value, "alg") == NULL) {
        return true;
    }
    if (!assay_json_value_string(member(value, "alg"), &name)) {
        return false;
    }
    jwk->alg = assay_alg_find(name);
    return jwk->alg != NULL && assay_alg_takes(jwk->alg, kind);
}

/* Keys for encryption are read as well, so that they have a thumbprint; they verify nothing. */
static bool read_use(const struct assay_json_value *value, struct assay_jwk *jwk)
{
    struct assay_slice use = ASSAY_SLICE("sig");
    if (member(value, "use") != NULL && !assay_json_value_string(member(value, "use"), &use)) {
        return false;
    }
    jwk->is_for_verifying = assay_slice_equal(use, ASSAY_SLICE("sig"));
    jwk->is_for_signing = jwk->is_for_verifying;
    return true;
}

#define MAX_KEY_OPS 16

/* An array of strings, each of them once (RFC 7517 section 4.3). */
static bool read_key_ops(const struct assay_json_value *value, struct assay_jwk *jwk)
{
    const struct assay_json_value *ops = member(value, "key_ops");
    struct assay_slice names[MAX_KEY_OPS];
    size_t count = assay_json_value_count(ops);
    bool verify = ops == NULL;
    bool sign = ops == NULL;
    if (ops != NULL && (assay_json_value_type(ops) != ASSAY_JSON_ARRAY || count > MAX_KEY_OPS)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!assay_json_value_string(assay_json_value_item(ops, i), &names[i])) {
            return false;
        }
        for (size_t before = 0; before < i; before++) {
            if (assay_slice_equal(names[before], names[i])) {
                return false;
            }
        }
        verify |= assay_slice_equal(names[i], ASSAY_SLICE("verify"));
        sign |= assay_slice_equal(names[i], ASSAY_SLICE("sign"));
    }
    jwk->is_for_verifying &= verify;
    jwk->is_for_signing &= sign;
    return true;
}

static enum assay_status read_rules(const struct assay_json_value *value, struct assay_arena *arena,
                                    enum assay_pkey_kind kind, struct assay_jwk *jwk,
                                    struct assay_error *reterr)
{
    enum assay_status status;
    if (!read_kid(value, arena, jwk, &status)) {
        return assay_fail(status, "the key's kid is no string, or too long", reterr);
    }
    if (!read_alg(value, kind, jwk)) {
        return wrong("the key's alg is unknown, or not for such a key", reterr);
    }
    return read_use(value, jwk) && read_key_ops(value, jwk)
               ? ASSAY_OK
               : wrong("the key's use or key_ops are of the wrong type", reterr);
}

static enum assay_status read_numbers(const struct assay_json_value *value, bool published,
                                      struct numbers *numbers, struct assay_error *reterr)
{
    if (!read_kind(value, &numbers->parts.kind)) {
        return wrong("the key's kty or crv is unknown", reterr);
    }
    if (published && has_private(value)) {
        return wrong("the key is published with something private in it", reterr);
    }
    return read_public(value, numbers) && read_private(value, numbers)
               ? ASSAY_OK
               : wrong("a number of the key is missing or not base64url", reterr);
}

static enum assay_status read_key(const struct assay_json_value *value, struct assay_arena *arena,
                                  bool published, struct numbers *numbers, struct assay_jwk *ret,
                                  struct assay_error *reterr)
{
    struct assay_jwk jwk = {0};
    enum assay_status status = read_numbers(value, published, numbers, reterr);
    if (status == ASSAY_OK) {
        status = read_rules(value, arena, numbers->parts.kind, &jwk, reterr);
    }
    if (status == ASSAY_OK) {
        status = assay_pkey_open(&numbers->parts, &jwk.pkey, reterr);
    }
    if (status == ASSAY_OK) {
        jwk.is_for_signing &= assay_pkey_is_private(jwk.pkey);
        *ret = jwk;
    }
    return status;
}

static enum assay_status read_wiping(const struct assay_json_value *value,
                                     struct assay_arena *arena, bool published,
                                     struct assay_jwk *ret, struct assay_error *reterr)
{
    struct numbers numbers;
    numbers.parts = (struct assay_pkey_parts){0};
    numbers.used = 0;
    enum assay_status status = read_key(value, arena, published, &numbers, ret, reterr);
    assay_secret_wipe(numbers.room, numbers.used);
    return status;
}

enum assay_status assay_jwk_read(const struct assay_json_value *value, struct assay_arena *arena,
                                 struct assay_jwk *ret, struct assay_error *reterr)
{
    return read_wiping(value, arena, true, ret, reterr);
}

enum assay_status assay_jwk_read_private(const struct assay_json_value *value,
                                         struct assay_arena *arena, struct assay_jwk *ret,
                                         struct assay_error *reterr)
{
    return read_wiping(value, arena, false, ret, reterr);
}

void assay_jwk_close(struct assay_jwk *jwk)
{
    for (size_t i = 0; i < ASSAY_ALG_SLOTS; i++) {
        assay_verifier_close(jwk->verifiers[i]);
    }
    assay_pkey_close(jwk->pkey);
    *jwk = (struct assay_jwk){0};
}

/* --- verifying --- */

bool assay_jwk_fits(const struct assay_jwk *jwk, const struct assay_alg *alg)
{
    return jwk->is_for_verifying && assay_alg_takes(alg, assay_pkey_kind(jwk->pkey)) &&
           assay_alg_agrees(alg, jwk->alg);
}

enum assay_status assay_jwk_verify(struct assay_jwk *jwk, const struct assay_alg *alg,
                                   struct assay_slice message, struct assay_slice signature,
                                   bool *ret_good, struct assay_error *reterr)
{
    assert(assay_jwk_fits(jwk, alg));
    struct assay_verifier **verifier = &jwk->verifiers[alg->slot];
    if (*verifier == NULL) {
        enum assay_status status = assay_verifier_open(jwk->pkey, alg->scheme, verifier, reterr);
        if (status != ASSAY_OK) {
            return status;
        }
    }
    return assay_verifier_check(*verifier, message, signature, ret_good, reterr);
}

/* --- writing --- */

static void write_number(struct assay_json_writer *w, struct assay_slice name,
                         struct assay_slice number)
{
    uint8_t text[ASSAY_BASE64URL_LEN(ASSAY_PKEY_MAX_RSA_LEN)];
    size_t len = ASSAY_BASE64URL_LEN(number.len);
    assert(len <= sizeof(text));
    assay_base64url_encode(number, text);
    assay_json_member_string(w, name, assay_slice_of(text, len));
    assay_secret_wipe(text, len);
}

/* The members of a thumbprint, in the order of their names (RFC 7638 section 3.2): those that every
 * key of that kind has, and no others. */
static void write_members(const struct assay_jwk *jwk, struct assay_json_writer *w)
{
    const struct assay_pkey_parts *parts = assay_pkey_parts(jwk->pkey);
    if (kinds[parts->kind].crv != NULL) {
        assay_json_member_string(w, ASSAY_SLICE("crv"), crv_of(parts->kind));
    }
    if (parts->e.len != 0) {
        write_number(w, ASSAY_SLICE("e"), parts->e);
    }
    if (parts->k.len != 0) {
        write_number(w, ASSAY_SLICE("k"), parts->k);
    }
    assay_json_member_string(w, ASSAY_SLICE("kty"), kty_of(parts->kind));
    if (parts->n.len != 0) {
        write_number(w, ASSAY_SLICE("n"), parts->n);
    }
    if (parts->x.len != 0) {
        write_number(w, ASSAY_SLICE("x"), parts->x);
    }
    if (parts->y.len != 0) {
        write_number(w, ASSAY_SLICE("y"), parts->y);
    }
}

void assay_jwk_write(const struct assay_jwk *jwk, struct assay_json_writer *w)
{
    assert(assay_pkey_kind(jwk->pkey) != ASSAY_PKEY_SECRET);
    assay_json_object_open(w);
    write_members(jwk, w);
    if (jwk->kid.data != NULL) {
        assay_json_member_string(w, ASSAY_SLICE("kid"), jwk->kid);
    }
    if (jwk->alg != NULL) {
        assay_json_member_string(w, ASSAY_SLICE("alg"), jwk->alg->name);
    }
    if (jwk->is_for_verifying) {
        assay_json_member_string(w, ASSAY_SLICE("use"), ASSAY_SLICE("sig"));
    }
    assay_json_object_close(w);
}

#define MAX_THUMBPRINT_INPUT 2048 /* n of 8192 bits is 1366 characters */

enum assay_status assay_jwk_thumbprint(const struct assay_jwk *jwk, struct assay_digester *digester,
                                       uint8_t ret[ASSAY_SHA256_LEN], struct assay_error *reterr)
{
    uint8_t room[MAX_THUMBPRINT_INPUT];
    struct assay_buf out;
    struct assay_json_writer w;
    assay_buf_init(&out, room, sizeof(room));
    assay_json_init(&w, &out);
    assay_json_object_open(&w);
    write_members(jwk, &w);
    assay_json_object_close(&w);
    assert(!out.spent);
    enum assay_status status = assay_sha256(digester, assay_buf_slice(&out), ret, reterr);
    assay_secret_wipe(room, out.len);
    return status;
}
