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

/* Everything read, written out again. */
struct copy {
    const struct assay_json *json;
    struct assay_arena *arena;
    struct assay_json_writer *w;
};

static bool copy_member(void *context, struct assay_slice name, enum assay_json_type type)
{
    struct copy *copy = context;
    struct assay_slice raw;
    must(type != ASSAY_JSON_ABSENT && type == assay_json_type(copy->json, name));
    must(assay_json_get_raw(copy->json, name, copy->arena, &raw));
    assay_json_name(copy->w, name);
    assay_json_raw(copy->w, raw);
    return true;
}

static struct assay_slice write_again(const struct assay_json *json, struct assay_arena *arena,
                                      uint8_t *room, size_t size)
{
    struct assay_buf out;
    struct assay_json_writer w;
    assay_buf_init(&out, room, size);
    assay_json_init(&w, &out);
    assay_json_object_open(&w);
    must(assay_json_each(json, copy_member, &(struct copy){json, arena, &w}));
    assay_json_object_close(&w);
    must(!out.spent);
    return assay_buf_slice(&out);
}

/* Written, read and written once more it is the same text: the second reading found the same
 * names, in the same order, with the same values. */
static void what_was_read_reads_back(const struct assay_json *json)
{
    static uint8_t memory[1 << 21];
    static uint8_t rooms[2][1 << 20];
    struct assay_arena arena;
    struct assay_json *again;
    assay_arena_init(&arena, memory, sizeof(memory));
    struct assay_slice once = write_again(json, &arena, rooms[0], sizeof(rooms[0]));
    must(assay_json_open(once, ASSAY_MAX_JSON_DEPTH, &again, NULL) == ASSAY_OK);
    struct assay_slice twice = write_again(again, &arena, rooms[1], sizeof(rooms[1]));
    must(assay_slice_equal(once, twice));
    assay_json_close(again);
    assay_arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_json *json;
    struct assay_error error = {0};
    if (size > 65536) {
        return 0;
    }
    a_string_of_it_reads_back(data, size);
    enum assay_status status =
        assay_json_open(assay_slice_of(data, size), ASSAY_MAX_JSON_DEPTH, &json, &error);
    if (status == ASSAY_OK) {
        what_was_read_reads_back(json);
        assay_json_close(json);
    } else {
        must(error.what != NULL && error.offset <= size);
    }
    return 0;
}
