/* JSON into a buf: append-only, on the hot path. Members are separated by the writer; strings are
 * escaped exactly (RFC 8259 section 7; also U+2028 and U+2029, so that the text is safe in
 * JavaScript). */
#ifndef ASSAY_JSON_WRITER_H
#define ASSAY_JSON_WRITER_H

#include "base/buf.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct assay_json_writer {
    struct assay_buf *out; /* the caller's; look at out->spent once, at the end */
    bool comma;            /* private: the next value follows another */
};

void assay_json_init(struct assay_json_writer *w, struct assay_buf *out);
void assay_json_object_open(struct assay_json_writer *w);
void assay_json_object_close(struct assay_json_writer *w);
void assay_json_array_open(struct assay_json_writer *w);
void assay_json_array_close(struct assay_json_writer *w);
/* The name of the next value; `name` is escaped too. */
void assay_json_name(struct assay_json_writer *w, struct assay_slice name);
/* The same of a name known beforehand: ASSAY_JSON_KEY("scope") is `"scope":`, which is copied as it
 * stands. */
#define ASSAY_JSON_KEY(name) ASSAY_SLICE("\"" name "\":")
void assay_json_key(struct assay_json_writer *w, struct assay_slice key);

/* A string. Bytes that are not UTF-8 become U+FFFD. */
void assay_json_string(struct assay_json_writer *w, struct assay_slice value);
void assay_json_i64(struct assay_json_writer *w, int64_t value);
void assay_json_u64(struct assay_json_writer *w, uint64_t value);
void assay_json_bool(struct assay_json_writer *w, bool value);
void assay_json_null(struct assay_json_writer *w);
/* Text that is JSON already: a value, or `"a":1,"b":2` where members are due. */
void assay_json_raw(struct assay_json_writer *w, struct assay_slice text);

/* name and value at once; a member whose string is empty is left out by _text. */
void assay_json_member_string(struct assay_json_writer *w, struct assay_slice name,
                              struct assay_slice value);
void assay_json_member_text(struct assay_json_writer *w, struct assay_slice name,
                            struct assay_slice value);
void assay_json_member_i64(struct assay_json_writer *w, struct assay_slice name, int64_t value);
void assay_json_member_bool(struct assay_json_writer *w, struct assay_slice name, bool value);
/* A list kept as text separated by single spaces, as an array of strings. */
void assay_json_member_list(struct assay_json_writer *w, struct assay_slice name,
                            struct assay_slice list);

#endif
