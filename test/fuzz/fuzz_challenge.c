/* The WWW-Authenticate value, whatever realm, description and scope it is made of. */
#include "fuzz.h"

#include "http/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t room[1 << 18];
    struct assay_slice rest = {data, size};
    struct assay_challenge challenge = {
        .realm = assay_slice_cut(&rest, '\n'),
        .error = size == 0 ? ASSAY_CHALLENGE_NONE : (enum assay_challenge_error)(data[0] % 4),
    };
    challenge.description = assay_slice_cut(&rest, '\n');
    challenge.scope = rest;
    struct assay_buf out;
    assay_buf_init(&out, room, sizeof(room));
    assay_challenge_write(&challenge, &out);
    must(!out.spent && out.len > 14);
    size_t quotes = 0;
    for (size_t i = 0; i < out.len; i++) {
        must(out.data[i] >= 0x20 && out.data[i] <= 0x7E); /* one line of printable ASCII */
        if (out.data[i] == '\\') {
            i++;
        } else {
            quotes += out.data[i] == '"' ? 1u : 0u;
        }
    }
    must(quotes % 2 == 0 && quotes <= 8 && out.data[out.len - 1] == '"');
    return 0;
}
