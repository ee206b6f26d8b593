/* Authorization values, through the whole reading of credentials. */
#include "fuzz.h"

#include "base/utf8.h"
#include "oauth/client_auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[1 << 20];
    struct assay_arena arena;
    struct assay_request request = {.authorization = {data, size}, .authorization_count = 1};
    struct assay_credentials credentials;
    enum assay_credentials_result result;
    assay_arena_init(&arena, memory, sizeof(memory));
    if (assay_credentials_read(&request, NULL, &arena, &credentials, &result, NULL) == ASSAY_OK &&
        result == ASSAY_CREDENTIALS_OK) {
        must(credentials.method == ASSAY_AUTH_SECRET_BASIC && credentials.client_id.len != 0);
        must(credentials.client_id.len <= ASSAY_MAX_CLIENT_ID);
        must(credentials.secret.len <= ASSAY_MAX_CLIENT_SECRET);
        must(assay_utf8_is_text(credentials.client_id) && assay_utf8_is_text(credentials.secret));
    }
    assay_arena_clear(&arena);
    return 0;
}
