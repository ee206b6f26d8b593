#include "crypto/crypto_priv.h"
#include "crypto/pkey_priv.h"

#include <openssl/bn.h>
#include <openssl/ec.h>

/* OpenSSL looks whether a point is on its curve, too. But it answers a lack of memory in the same
 * way, and a set of keys must not lose one for that. So the question is asked here, and whatever
 * OpenSSL refuses afterwards is an error.
 *
 * y² = x³ + a x + b, and both coordinates below p (SEC 1 section 3.2.2.1). The order of these
 * curves is prime, so that there is no point of small order. */
struct numbers {
    BIGNUM *p;
    BIGNUM *a;
    BIGNUM *b;
    BIGNUM *x;
    BIGNUM *y;
    BIGNUM *left;
    BIGNUM *right;
};

static bool take_numbers(BN_CTX *context, struct numbers *n)
{
    n->p = BN_CTX_get(context);
    n->a = BN_CTX_get(context);
    n->b = BN_CTX_get(context);
    n->x = BN_CTX_get(context);
    n->y = BN_CTX_get(context);
    n->left = BN_CTX_get(context);
    n->right = BN_CTX_get(context);
    return n->right != NULL; /* once one is missing, all that follow are */
}

static bool read_numbers(const EC_GROUP *group, struct assay_slice x, struct assay_slice y,
                         struct numbers *n, BN_CTX *context)
{
    return EC_GROUP_get_curve(group, n->p, n->a, n->b, context) == 1 &&
           BN_bin2bn(x.data, (int)x.len, n->x) != NULL &&
           BN_bin2bn(y.data, (int)y.len, n->y) != NULL;
}

/* left = y², right = (x² + a) x + b */
static bool find_sides(struct numbers *n, BN_CTX *context)
{
    return BN_mod_sqr(n->left, n->y, n->p, context) == 1 &&
           BN_mod_sqr(n->right, n->x, n->p, context) == 1 &&
           BN_mod_add(n->right, n->right, n->a, n->p, context) == 1 &&
           BN_mod_mul(n->right, n->right, n->x, n->p, context) == 1 &&
           BN_mod_add(n->right, n->right, n->b, n->p, context) == 1;
}

static bool look(const EC_GROUP *group, struct assay_slice x, struct assay_slice y, BN_CTX *context,
                 bool *ret_good)
{
    struct numbers n;
    *ret_good = false;
    if (!take_numbers(context, &n) || !read_numbers(group, x, y, &n, context)) {
        return false;
    }
    if (BN_cmp(n.x, n.p) >= 0 || BN_cmp(n.y, n.p) >= 0) {
        return true;
    }
    bool done = find_sides(&n, context);
    *ret_good = done && BN_cmp(n.left, n.right) == 0;
    return done;
}

enum assay_status assay_weierstrass_check(const char *name, struct assay_slice x,
                                          struct assay_slice y, bool *ret_good,
                                          struct assay_error *reterr)
{
    BN_CTX *context = BN_CTX_new();
    EC_GROUP *group = EC_GROUP_new_by_curve_name(EC_curve_nist2nid(name));
    bool done = context != NULL && group != NULL;
    if (done) {
        BN_CTX_start(context);
        done = look(group, x, y, context, ret_good);
        BN_CTX_end(context);
    }
    EC_GROUP_free(group);
    BN_CTX_free(context);
    return done ? ASSAY_OK : assay_crypto_fail("a point could not be looked at", reterr);
}
