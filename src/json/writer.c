#include "json/writer.h"

#include "base/attr.h"
#include "base/utf8.h"
#include "base/word.h"

#include <string.h>

static void separate(struct assay_json_writer *w)
{
    if (w->comma) {
        assay_buf_append_byte(w->out, ',');
    }
}

void assay_json_init(struct assay_json_writer *w, struct assay_buf *out)
{
    *w = (struct assay_json_writer){.out = out};
}

static void open_with(struct assay_json_writer *w, uint8_t bracket)
{
    separate(w);
    assay_buf_append_byte(w->out, bracket);
    w->comma = false;
}

static void close_with(struct assay_json_writer *w, uint8_t bracket)
{
    assay_buf_append_byte(w->out, bracket);
    w->comma = true;
}

void assay_json_object_open(struct assay_json_writer *w)
{
    open_with(w, '{');
}

void assay_json_object_close(struct assay_json_writer *w)
{
    close_with(w, '}');
}

void assay_json_array_open(struct assay_json_writer *w)
{
    open_with(w, '[');
}

void assay_json_array_close(struct assay_json_writer *w)
{
    close_with(w, ']');
}

/* Bytes that stand for themselves in a string: printable ASCII but quote and backslash. */
static const bool plain_bytes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};

/* Eight bytes that all stand for themselves; what it says no to is looked at singly. */
static bool is_plain_word(uint64_t word)
{
    return (assay_word_unprintables(word) | assay_word_zeros(word ^ ASSAY_EACH_BYTE('"')) |
            assay_word_zeros(word ^ ASSAY_EACH_BYTE('\\'))) == 0;
}

/* Not 0 in the bytes that do not stand for themselves. */
static assay_vector unplain(assay_vector v)
{
    return (assay_vector)((v < 0x20) | (v > 0x7E) | (v == '"') | (v == '\\'));
}

/* Copies `s` whole if all of its bytes stand for themselves. Its end is copied first, so that the
 * rest goes in steps of one size, the last of them over a part of the end. */
static bool copy_vectors(uint8_t *out, struct assay_slice s)
{
    size_t end = s.len - sizeof(assay_vector);
    assay_vector last = assay_vector_read(s.data + end);
    assay_vector bad = unplain(last);
    memcpy(out + end, &last, sizeof(last));
    for (size_t at = 0; at < end; at += sizeof(assay_vector)) {
        assay_vector v = assay_vector_read(s.data + at);
        bad |= unplain(v);
        memcpy(out + at, &v, sizeof(v));
    }
    return assay_vector_is_zero(bad);
}

static bool copy_words(uint8_t *out, struct assay_slice s)
{
    size_t end = s.len - sizeof(uint64_t);
    uint64_t first = assay_word_read(s.data);
    uint64_t last = assay_word_read(s.data + end);
    memcpy(out, &first, sizeof(first));
    memcpy(out + end, &last, sizeof(last));
    return is_plain_word(first) && is_plain_word(last);
}

/* Copies `s` to `out`; false when some byte of it does not stand for itself: then what is there is
 * to be written over. */
static bool copy_plain(uint8_t *out, struct assay_slice s)
{
    if (s.len >= sizeof(assay_vector)) {
        return copy_vectors(out, s);
    }
    if (s.len >= sizeof(uint64_t)) {
        return copy_words(out, s);
    }
    bool plain = true;
    for (size_t i = 0; i < s.len; i++) {
        plain = plain && plain_bytes[s.data[i]];
        out[i] = s.data[i];
    }
    return plain;
}

/* How many bytes at the start of `s` stand for themselves. */
static size_t plain_run(struct assay_slice s)
{
    size_t run = 0;
    while (s.len - run >= sizeof(uint64_t) && is_plain_word(assay_word_read(s.data + run))) {
        run += sizeof(uint64_t);
    }
    while (run < s.len && plain_bytes[s.data[run]]) {
        run++;
    }
    return run;
}

static void escape_control(struct assay_buf *out, uint8_t c)
{
    static const uint8_t hex[16] = "0123456789abcdef";
    static const struct {
        uint8_t byte;
        uint8_t letter;
    } short_forms[] = {{'"', '"'},  {'\\', '\\'}, {'\b', 'b'}, {'\f', 'f'},
                       {'\n', 'n'}, {'\r', 'r'},  {'\t', 't'}};
    for (size_t i = 0; i < sizeof(short_forms) / sizeof(short_forms[0]); i++) {
        if (short_forms[i].byte == c) {
            assay_buf_append_byte(out, '\\');
            assay_buf_append_byte(out, short_forms[i].letter);
            return;
        }
    }
    const uint8_t text[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    assay_buf_append(out, assay_slice_of(text, sizeof(text)));
}

/* U+2028 and U+2029 end a line in JavaScript, though not in JSON. */
static bool is_line_separator(struct assay_slice s)
{
    return s.len >= 3 && s.data[0] == 0xE2 && s.data[1] == 0x80 &&
           (s.data[2] == 0xA8 || s.data[2] == 0xA9);
}

/* Writes the one character that `s` starts with and returns how many bytes it took. */
static size_t escape_one(struct assay_buf *out, struct assay_slice s)
{
    if (s.data[0] < 0x80) {
        if (s.data[0] == 0x7F) {
            assay_buf_append_byte(out, 0x7F);
        } else {
            escape_control(out, s.data[0]);
        }
        return 1;
    }
    size_t len = assay_utf8_first(s);
    if (len == 0) {
        assay_buf_append(out, ASSAY_SLICE("\xEF\xBF\xBD"));
        return 1;
    }
    if (is_line_separator(s)) {
        assay_buf_append(out, s.data[2] == 0xA8 ? ASSAY_SLICE("\\u2028") : ASSAY_SLICE("\\u2029"));
        return len;
    }
    assay_buf_append(out, assay_slice_head(s, len));
    return len;
}

/* Apart from the usual case, which shall not pay for it. */
ASSAY_RARE static void write_escaped(struct assay_buf *out, struct assay_slice s)
{
    assay_buf_append_byte(out, '"');
    while (s.len > 0) {
        size_t plain = plain_run(s);
        assay_buf_append(out, assay_slice_head(s, plain));
        s = assay_slice_from(s, plain);
        if (s.len > 0) {
            s = assay_slice_from(s, escape_one(out, s));
        }
    }
    assay_buf_append_byte(out, '"');
}

static void write_quoted(struct assay_buf *out, struct assay_slice s)
{
    if (out->spent || s.len + 2 > out->size - out->len) {
        write_escaped(out, s);
        return;
    }
    uint8_t *to = out->data + out->len;
    if (!copy_plain(to + 1, s)) {
        write_escaped(out, s);
        return;
    }
    to[0] = '"';
    to[1 + s.len] = '"';
    out->len += s.len + 2;
}

void assay_json_name(struct assay_json_writer *w, struct assay_slice name)
{
    separate(w);
    write_quoted(w->out, name);
    assay_buf_append_byte(w->out, ':');
    w->comma = false;
}

void assay_json_key(struct assay_json_writer *w, struct assay_slice key)
{
    separate(w);
    assay_buf_append(w->out, key);
    w->comma = false;
}

void assay_json_string(struct assay_json_writer *w, struct assay_slice value)
{
    separate(w);
    write_quoted(w->out, value);
    w->comma = true;
}

void assay_json_i64(struct assay_json_writer *w, int64_t value)
{
    separate(w);
    assay_buf_append_i64(w->out, value);
    w->comma = true;
}

void assay_json_u64(struct assay_json_writer *w, uint64_t value)
{
    separate(w);
    assay_buf_append_u64(w->out, value);
    w->comma = true;
}

void assay_json_bool(struct assay_json_writer *w, bool value)
{
    assay_json_raw(w, value ? ASSAY_SLICE("true") : ASSAY_SLICE("false"));
}

void assay_json_null(struct assay_json_writer *w)
{
    assay_json_raw(w, ASSAY_SLICE("null"));
}

void assay_json_raw(struct assay_json_writer *w, struct assay_slice text)
{
    separate(w);
    assay_buf_append(w->out, text);
    w->comma = true;
}

void assay_json_member_string(struct assay_json_writer *w, struct assay_slice name,
                              struct assay_slice value)
{
    assay_json_name(w, name);
    assay_json_string(w, value);
}

void assay_json_member_text(struct assay_json_writer *w, struct assay_slice name,
                            struct assay_slice value)
{
    if (value.len != 0) {
        assay_json_member_string(w, name, value);
    }
}

void assay_json_member_i64(struct assay_json_writer *w, struct assay_slice name, int64_t value)
{
    assay_json_name(w, name);
    assay_json_i64(w, value);
}

void assay_json_member_bool(struct assay_json_writer *w, struct assay_slice name, bool value)
{
    assay_json_name(w, name);
    assay_json_bool(w, value);
}

void assay_json_member_list(struct assay_json_writer *w, struct assay_slice name,
                            struct assay_slice list)
{
    assay_json_name(w, name);
    assay_json_array_open(w);
    struct assay_slice rest = list;
    while (rest.data != NULL && rest.len > 0) {
        assay_json_string(w, assay_slice_cut(&rest, ' '));
    }
    assay_json_array_close(w);
}
