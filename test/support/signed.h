/* Tokens signed over any bytes, good or hostile, and keys from the JSON of a vector. */
#ifndef ASSAY_TEST_SUPPORT_SIGNED_H
#define ASSAY_TEST_SUPPORT_SIGNED_H

#include "base/slice.h"
#include "crypto/pkey.h"
#include "crypto/scheme.h"
#include "jose/jwk.h"

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* header.payload.signature, the first two being the base64url of these bytes, whatever they are;
 * into `room`. */
struct assay_slice signed_token(const struct assay_pkey *pkey, struct assay_scheme scheme,
                                struct assay_slice header, struct assay_slice payload,
                                uint8_t *room, size_t size);

/* Reads a key of a vector, private ones too; the test fails when it is refused. */
void signed_read_key(const json_t *jwk, struct assay_arena *arena, struct assay_jwk *ret);

/* The public half of a key as the text of a set. */
struct assay_slice signed_set_of(const struct assay_jwk *keys, size_t count, uint8_t *room,
                                 size_t size);

#endif
