/* Fresh keys of each kind, made by OpenSSL without our code. */
#ifndef ASSAY_TEST_SUPPORT_KEYS_H
#define ASSAY_TEST_SUPPORT_KEYS_H

#include "crypto/pkey.h"

#include <stdint.h>

#define KEYS_KINDS 7

/* A pair as numbers; `parts` borrows from `room`. */
struct key_numbers {
    struct assay_pkey_parts parts;
    uint8_t room[8192];
    size_t used;
};

/* A new pair; of a shared secret 64 bytes. */
void keys_make(enum assay_pkey_kind kind, struct key_numbers *ret);

/* An RSA pair of that many bits. */
void keys_make_rsa(unsigned bits, struct key_numbers *ret);

/* Opens it with its private half, or only the public one; the test fails when it is refused. */
struct assay_pkey *keys_open_private(const struct key_numbers *numbers);
struct assay_pkey *keys_open_public(const struct key_numbers *numbers);

#endif
