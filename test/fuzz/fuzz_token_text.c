/* Token texts: any that is accepted spells itself again. */
#include "fuzz.h"

#include "base/base64url.h"
#include "record/token_text.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct assay_slice prefix = {(const uint8_t *)"assay", 5};
    struct assay_token_text text;
    struct assay_slice presented = assay_slice_of(data, size);
    if (assay_token_text_parse(presented, prefix, &text)) {
        uint8_t body[42];
        uint8_t out[ASSAY_MAX_TOKEN_TEXT];
        size_t len = 0;
        must(assay_base64url_decode(assay_slice_from(presented, 9), body, sizeof(body), &len,
                                    NULL) == ASSAY_OK);
        must(assay_slice_equal(
            assay_token_text_write(prefix, text.kind, &text.address, body + 16, out), presented));
    }
    struct assay_address address;
    if (assay_jti_parse(presented, &address, NULL) == ASSAY_OK) {
        uint8_t jti[ASSAY_JTI_LEN];
        assay_jti_write(&address, jti);
        must(size == ASSAY_JTI_LEN && memcmp(jti, data, size) == 0);
    }
    return 0;
}
