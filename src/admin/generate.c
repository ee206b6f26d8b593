#include "admin/generate.h"

#include "base/secret.h"
#include "crypto/random.h"

#include <stdint.h>

#define ALPHABET_LEN 62
#define FAIR (256 / ALPHABET_LEN * ALPHABET_LEN) /* bytes from here on would favour some */

enum assay_status assay_admin_generate(struct assay_arena *arena, size_t len,
                                       struct assay_slice *ret, struct assay_error *reterr)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    uint8_t *out = assay_arena_take(arena, len, 1);
    if (out == NULL) {
        return assay_fail(ASSAY_ERR_LIMIT, "no room for a generated id", reterr);
    }
    uint8_t random[64];
    size_t done = 0;
    while (done < len) {
        enum assay_status status = assay_random(random, sizeof random, reterr);
        if (status != ASSAY_OK) {
            return status;
        }
        for (size_t i = 0; i < sizeof random && done < len; i++) {
            if (random[i] < FAIR) {
                out[done++] = (uint8_t)alphabet[random[i] % ALPHABET_LEN];
            }
        }
    }
    assay_secret_wipe(random, sizeof random);
    *ret = assay_slice_of(out, len);
    return ASSAY_OK;
}
