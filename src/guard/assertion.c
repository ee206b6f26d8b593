#include "guard/assertion.h"

#include "base/base64url.h"
#include "base/limits.h"
#include "crypto/random.h"
#include "jose/jws.h"
#include "json/reader.h"
#include "json/writer.h"

#define JTI_LEN 16 /* bytes */
#define MAX_DEPTH 4

static enum assay_status check(const struct assay_jwk *jwk, struct assay_error *reterr)
{
    if (!jwk->is_for_signing || assay_pkey_kind(jwk->pkey) == ASSAY_PKEY_SECRET) {
        return assay_fail(ASSAY_ERR_SYNTAX, "the key is no private key for signing", reterr);
    }
    return jwk->alg == NULL ? assay_fail(ASSAY_ERR_SYNTAX,
                                         "the key says no alg: add \"alg\":\"ES256\", or what the "
                                         "server expects",
                                         reterr)
                            : ASSAY_OK;
}

static enum assay_status read_key(struct assay_slice text, struct assay_arena *arena,
                                  struct assay_jwk *ret, struct assay_error *reterr)
{
    struct assay_json *json = NULL;
    enum assay_status status = assay_json_open(text, MAX_DEPTH, &json, reterr);
    if (status == ASSAY_OK) {
        status = assay_jwk_read_private(assay_json_root(json), arena, ret, reterr);
        assay_json_close(json);
    }
    return status;
}

enum assay_status assay_assertion_open(struct assay_slice text, struct assay_arena *arena,
                                       struct assay_assertion_key *ret, struct assay_error *reterr)
{
    *ret = (struct assay_assertion_key){0};
    enum assay_status status = read_key(text, arena, &ret->jwk, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    status = check(&ret->jwk, reterr);
    if (status == ASSAY_OK) {
        ret->alg = ret->jwk.alg;
        status = assay_signer_open(ret->jwk.pkey, ret->alg->scheme, &ret->signer, reterr);
    }
    if (status != ASSAY_OK) {
        assay_assertion_close(ret);
    }
    return status;
}

void assay_assertion_close(struct assay_assertion_key *key)
{
    assay_signer_close(key->signer);
    assay_jwk_close(&key->jwk);
    *key = (struct assay_assertion_key){0};
}

static void write_claims(struct assay_slice client_id, struct assay_slice issuer, int64_t now_s,
                         struct assay_slice jti, struct assay_buf *out)
{
    struct assay_json_writer w;
    assay_json_init(&w, out);
    assay_json_object_open(&w);
    assay_json_name(&w, ASSAY_SLICE("iss"));
    assay_json_string(&w, client_id);
    assay_json_name(&w, ASSAY_SLICE("sub"));
    assay_json_string(&w, client_id);
    assay_json_name(&w, ASSAY_SLICE("aud"));
    assay_json_string(&w, issuer);
    assay_json_name(&w, ASSAY_SLICE("iat"));
    assay_json_u64(&w, (uint64_t)now_s);
    assay_json_name(&w, ASSAY_SLICE("exp"));
    assay_json_u64(&w, (uint64_t)(now_s + ASSAY_ASSERTION_LIFE_S));
    assay_json_name(&w, ASSAY_SLICE("jti"));
    assay_json_string(&w, jti);
    assay_json_object_close(&w);
}

enum assay_status assay_assertion_write(struct assay_assertion_key *key,
                                        struct assay_slice client_id, struct assay_slice issuer,
                                        int64_t now_s, struct assay_buf *out,
                                        struct assay_error *reterr)
{
    uint8_t random[JTI_LEN];
    uint8_t text[ASSAY_BASE64URL_LEN(JTI_LEN)];
    uint8_t room[ASSAY_MAX_ASSERTION / 2];
    struct assay_buf claims;
    enum assay_status status = assay_random(random, sizeof(random), reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    assay_base64url_encode(assay_slice_of(random, sizeof(random)), text);
    assay_buf_init(&claims, room, sizeof(room));
    write_claims(client_id, issuer, now_s, assay_slice_of(text, sizeof(text)), &claims);
    if (claims.spent) {
        return assay_fail(ASSAY_ERR_LIMIT, "no room for an assertion", reterr);
    }
    return assay_jws_sign(key->signer, key->alg, key->jwk.kid,
                          ASSAY_SLICE("client-authentication+jwt"), assay_buf_slice(&claims), out,
                          reterr);
}
