#include "support/signed.h"

#include "base/base64url.h"
#include "crypto/sign.h"
#include "jose/jwks.h"
#include "support/check.h"

static size_t encode(struct assay_slice bytes, uint8_t *room, size_t size)
{
    size_t len = ASSAY_BASE64URL_LEN(bytes.len);
    assert_true(len <= size);
    assay_base64url_encode(bytes, room);
    return len;
}

struct assay_slice signed_token(const struct assay_pkey *pkey, struct assay_scheme scheme,
                                struct assay_slice header, struct assay_slice payload,
                                uint8_t *room, size_t size)
{
    struct assay_signer *signer = NULL;
    struct assay_error error = {0};
    uint8_t signature[ASSAY_MAX_SIGNATURE];
    size_t signature_len = 0;
    size_t len = encode(header, room, size);
    room[len++] = '.';
    len += encode(payload, room + len, size - len);
    assert_ok(assay_signer_open(pkey, scheme, &signer, &error), &error);
    assert_ok(
        assay_signer_sign(signer, assay_slice_of(room, len), signature, &signature_len, &error),
        &error);
    assay_signer_close(signer);
    room[len++] = '.';
    len += encode(assay_slice_of(signature, signature_len), room + len, size - len);
    return assay_slice_of(room, len);
}

void signed_read_key(const json_t *jwk, struct assay_arena *arena, struct assay_jwk *ret)
{
    struct assay_json *json = NULL;
    struct assay_error error = {0};
    char *text = json_dumps(jwk, JSON_COMPACT);
    assert_non_null(text);
    assert_ok(assay_json_open(assay_slice_of_text(text), 8, &json, &error), &error);
    assert_ok(assay_jwk_read_private(assay_json_root(json), arena, ret, &error), &error);
    assay_json_close(json);
    free(text);
}

struct assay_slice signed_set_of(const struct assay_jwk *keys, size_t count, uint8_t *room,
                                 size_t size)
{
    struct assay_buf out;
    struct assay_json_writer w;
    assay_buf_init(&out, room, size);
    assay_json_init(&w, &out);
    assay_jwks_write(keys, count, &w);
    assert_false(out.spent);
    return assay_buf_slice(&out);
}
