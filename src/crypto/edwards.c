#include "crypto/crypto_priv.h"
#include "crypto/pkey_priv.h"

#include <openssl/bn.h>

#include <assert.h>
#include <string.h>

/* OpenSSL takes any 32 or 57 bytes for a public key and finds out, at each verification anew, when
 * they are none. And it takes the few points of small order, under which one signature is good for
 * many messages. So a key is looked at once, when it is made.
 *
 * a x² + y² = 1 + d x² y² (RFC 8032 section 5), so x² = u / v with u = y² - 1 and v = d y² - a. The
 * bytes are y, little-endian, and the sign of x in the highest bit. */
struct curve {
    const char *p;
    const char *d;
    bool a_is_minus_one; /* else 1 */
};

static const struct curve ed25519 = {
    "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFED",
    "52036CEE2B6FFE738CC740797779E89800700A4D4141D8AB75EB4DCA135978A3",
    true,
};

static const struct curve ed448 = {
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE"
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE"
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF6756",
    false,
};

struct numbers {
    BIGNUM *p;
    BIGNUM *d;
    BIGNUM *y;
    BIGNUM *yy; /* y² */
    BIGNUM *u;
    BIGNUM *v;
    BIGNUM *t;
};

static bool take_numbers(BN_CTX *context, struct numbers *n)
{
    n->p = BN_CTX_get(context);
    n->d = BN_CTX_get(context);
    n->y = BN_CTX_get(context);
    n->yy = BN_CTX_get(context);
    n->u = BN_CTX_get(context);
    n->v = BN_CTX_get(context);
    n->t = BN_CTX_get(context);
    return n->t != NULL; /* once one is missing, all that follow are */
}

static bool read_y(const struct curve *curve, struct assay_slice x, struct numbers *n)
{
    uint8_t bytes[ASSAY_PKEY_MAX_WIDTH];
    memcpy(bytes, x.data, x.len);
    bytes[x.len - 1] &= 0x7F;
    return BN_hex2bn(&n->p, curve->p) != 0 && BN_hex2bn(&n->d, curve->d) != 0 &&
           BN_lebin2bn(bytes, (int)x.len, n->y) != NULL;
}

static bool find_u_and_v(const struct curve *curve, struct numbers *n, BN_CTX *context)
{
    return BN_mod_sqr(n->yy, n->y, n->p, context) == 1 &&
           BN_mod_sub(n->u, n->yy, BN_value_one(), n->p, context) == 1 &&
           BN_mod_mul(n->v, n->d, n->yy, n->p, context) == 1 &&
           (curve->a_is_minus_one ? BN_mod_add(n->v, n->v, BN_value_one(), n->p, context)
                                  : BN_mod_sub(n->v, n->v, BN_value_one(), n->p, context)) == 1;
}

/* y = 1, -1 and 0 are of order 1, 2 and 4; of order 8 are the points with x² = -y², whose double
 * has y = 0. */
static bool is_of_small_order(struct numbers *n, BN_CTX *context, bool *ret)
{
    *ret = true;
    if (BN_is_zero(n->y) || BN_is_zero(n->u)) {
        return true;
    }
    bool done = BN_mod_mul(n->t, n->yy, n->v, n->p, context) == 1 &&
                BN_mod_add(n->t, n->t, n->u, n->p, context) == 1;
    *ret = BN_is_zero(n->t);
    return done;
}

static bool look(const struct curve *curve, struct assay_slice x, BN_CTX *context, bool *ret_good)
{
    struct numbers n;
    bool small = true;
    *ret_good = false;
    if (!take_numbers(context, &n) || !read_y(curve, x, &n)) {
        return false;
    }
    if (BN_cmp(n.y, n.p) >= 0) {
        return true; /* another spelling of y - p */
    }
    if (!find_u_and_v(curve, &n, context) || !is_of_small_order(&n, context, &small) ||
        BN_mod_mul(n.t, n.u, n.v, n.p, context) != 1) {
        return false;
    }
    /* u / v is a square iff u * v is. */
    int square = BN_kronecker(n.t, n.p, context);
    *ret_good = square == 1 && !small;
    return square >= -1;
}

enum assay_status assay_edwards_check(enum assay_pkey_kind kind, struct assay_slice x,
                                      bool *ret_good, struct assay_error *reterr)
{
    assert(x.len == assay_pkey_width(kind));
    BN_CTX *context = BN_CTX_new();
    bool done = context != NULL;
    if (done) {
        BN_CTX_start(context);
        done = look(kind == ASSAY_PKEY_ED448 ? &ed448 : &ed25519, x, context, ret_good);
        BN_CTX_end(context);
    }
    BN_CTX_free(context);
    return done ? ASSAY_OK : assay_crypto_fail("a point could not be looked at", reterr);
}
