/* JSON: what the reader accepts is written out and read again to the same; any bytes written as a
 * string are JSON. */
#include "fuzz.h"

#include "base/arena.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "json/reader.h"
#include "json/writer.h"

static void a_string_of_it_reads_back(const uint8_t *data, size_t size)
{
    static uint8_t room[1 << 20];
    struct assay_buf out;
    struct assay_json_writer w;
    struct assay_json *json;
    struct assay_slice value;
    struct assay_slice text = assay_slice_of(data, size);
    assay_buf_init(&out, room, sizeof(room));
    assay_json_init(&w, &out);
    assay_json_object_open(&w);
    assay_json_member_string(&w, ASSAY_SLICE("a"), text);
    assay_json_object_close(&w);
    bool nul = false;
    for (size_t i = 0; i < size; i++) {
        nul |= data[i] == 0;
    }
    if (out.spent || nul) { /* jansson refuses \u0000 */
        return;
    }
    must(assay_json_open(assay_buf_slice(&out), ASSAY_MAX_JSON_DEPTH, &json, NULL) == ASSAY_OK);
    must(assay_json_get_string(json, ASSAY_SLICE("a"), &value));
    must(!assay_utf8_valid(text) || assay_slice_equal(value, text));
    assay_json_close(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_json *json;
    a_string_of_it_reads_back(data, size);
    if (assay_json_open(assay_slice_of(data, size), ASSAY_MAX_JSON_DEPTH, &json, NULL) ==
        ASSAY_OK) {
        struct assay_slice text;
        (void)assay_json_get_string(json, ASSAY_SLICE("a"), &text);
        assay_json_close(json);
    }
    return 0;
}
