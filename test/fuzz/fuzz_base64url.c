/* base64url: accepts only what encodes back to itself. */
#include "fuzz.h"

#include "base/base64url.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t decoded[65536];
    static uint8_t encoded[ASSAY_BASE64URL_LEN(65536)];
    size_t len = 0;
    struct assay_error error = {0};
    enum assay_status status =
        assay_base64url_decode(assay_slice_of(data, size), decoded, sizeof(decoded), &len, &error);
    if (status == ASSAY_OK) {
        must(ASSAY_BASE64URL_LEN(len) == size);
        assay_base64url_encode(assay_slice_of(decoded, len), encoded);
        must(size == 0 || memcmp(encoded, data, size) == 0);
    } else {
        must(error.what != NULL && error.offset <= size);
    }
    return 0;
}
