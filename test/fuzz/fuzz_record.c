/* Stored bytes of every kind, chosen by the first. The fuzzer cannot guess a check, so the bytes
 * are given a right one: what is accepted then must encode to itself. */
#include "fuzz.h"

#include "crypto/digest.h"
#include "record/client_record.h"
#include "record/cutoff.h"
#include "record/end_record.h"
#include "record/event.h"
#include "record/grant_record.h"
#include "record/header_record.h"
#include "record/key_record.h"
#include "record/once_record.h"
#include "record/token_record.h"

#include <string.h>

static uint8_t bytes[65536];
static uint8_t again[65536];

/* Closes `len` bytes with the check that a record under `key` has. */
static struct assay_slice closed(struct assay_slice key, size_t len)
{
    uint32_t check = assay_crc32c(assay_crc32c(0, key), assay_slice_of(bytes, len));
    for (size_t i = 0; i < 4; i++) {
        bytes[len + i] = (uint8_t)(check >> (8 * i));
    }
    return assay_slice_of(bytes, len + 4);
}

static void same(struct assay_slice was, enum assay_status status, size_t len)
{
    /* Writers also refuse texts that no writer of ours would have stored. */
    if (status == ASSAY_OK) {
        must(len == was.len && memcmp(again, was.data, len) == 0);
    }
}

static void token(size_t len)
{
    static const uint8_t key[9] = {5, 0, 0, 0, 0, 0, 0, 0, 7};
    struct assay_token_id id = {.lifetime_class = 5, .seq = 7};
    struct assay_token_record record;
    size_t written = 0;
    struct assay_slice stored = closed(assay_slice_of(key, sizeof(key)), len);
    if (assay_token_record_parse(id, stored, &record, NULL) == ASSAY_OK) {
        enum assay_status status =
            assay_token_record_write(&record, again, sizeof(again), &written, NULL);
        same(stored, status, written);
    }
}

static void client(size_t len)
{
    struct assay_client_record record;
    size_t written = 0;
    struct assay_slice id = ASSAY_SLICE("client");
    struct assay_slice stored = closed(id, len);
    if (assay_client_record_parse(id, stored, &record, NULL) == ASSAY_OK) {
        enum assay_status status =
            assay_client_record_write(&record, again, sizeof(again), &written, NULL);
        same(stored, status, written);
    }
}

static void numbered(size_t len)
{
    static const uint8_t key[8] = {0, 0, 0, 0, 0, 0, 0, 9};
    struct assay_grant_record grant;
    struct assay_event event;
    size_t written = 0;
    struct assay_slice stored = closed(assay_slice_of(key, sizeof(key)), len);
    if (assay_grant_record_parse(9, stored, &grant, NULL) == ASSAY_OK) {
        enum assay_status status =
            assay_grant_record_write(&grant, again, sizeof(again), &written, NULL);
        same(stored, status, written);
    }
    if (assay_event_parse(9, stored, &event, NULL) == ASSAY_OK) {
        enum assay_status status = assay_event_write(&event, again, sizeof(again), &written, NULL);
        same(stored, status, written);
    }
}

static void cutoff(size_t len)
{
    static const uint8_t key[4] = {ASSAY_CUTOFF_SUBJECT, 'b', 'o', 'b'};
    struct assay_cutoff parsed;
    struct assay_slice stored = closed(assay_slice_of(key, sizeof(key)), len);
    if (assay_cutoff_parse(assay_slice_of(key, sizeof(key)), stored, &parsed, NULL) == ASSAY_OK) {
        must(stored.len == ASSAY_CUTOFF_VALUE_LEN);
        assay_cutoff_write(&parsed, again);
        same(stored, ASSAY_OK, ASSAY_CUTOFF_VALUE_LEN);
    }
}

static void header_record(size_t len)
{
    struct assay_header_record header;
    struct assay_slice stored = closed(ASSAY_SLICE("header"), len);
    if (assay_header_parse(stored, &header, NULL) == ASSAY_OK) {
        assay_header_write(&header, again);
        same(stored, ASSAY_OK, ASSAY_HEADER_LEN);
    }
}

static void end_record(size_t len)
{
    static const uint8_t key[ASSAY_END_KEY_LEN] = {'c', 0, 0, 0, 0, 0x65, 0x53, 0xF1, 0,
                                                   0,   0, 0, 0, 0, 0,    0,    9};
    struct assay_end_record record;
    size_t written = 0;
    struct assay_slice stored = closed(assay_slice_of(key, sizeof(key)), len);
    if (assay_end_record_parse(assay_slice_of(key, sizeof(key)), stored, &record, NULL) ==
        ASSAY_OK) {
        enum assay_status status =
            assay_end_record_write(&record, again, sizeof(again), &written, NULL);
        same(stored, status, written);
    }
}

static void once_and_key(size_t len)
{
    static const uint8_t id[ASSAY_SHA256_LEN] = {1, 2, 3};
    static const uint8_t generation = 7;
    struct assay_once_record once;
    struct assay_key_record sealing;
    struct assay_slice stored = closed(assay_slice_of(id, sizeof(id)), len);
    if (assay_once_record_parse(assay_slice_of(id, sizeof(id)), stored, &once, NULL) == ASSAY_OK) {
        assay_once_record_write(&once, again);
        same(stored, ASSAY_OK, ASSAY_ONCE_LEN);
    }
    stored = closed(assay_slice_of(&generation, 1), len);
    if (assay_key_record_parse(generation, stored, &sealing, NULL) == ASSAY_OK) {
        assay_key_record_write(&sealing, again);
        same(stored, ASSAY_OK, ASSAY_KEY_RECORD_LEN);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 32768) {
        return 0;
    }
    memcpy(bytes, data + 1, size - 1);
    struct assay_token_record unchecked;
    must(assay_token_record_parse((struct assay_token_id){.seq = 1}, assay_slice_of(data, size),
                                  &unchecked, NULL) != ASSAY_OK ||
         size > 40); /* a right check by chance: not in a corpus's lifetime, for what is short */
    switch (data[0] % 7) {
    case 0:
        token(size - 1);
        break;
    case 1:
        client(size - 1);
        break;
    case 2:
        numbered(size - 1);
        break;
    case 3:
        cutoff(size - 1);
        break;
    case 4:
        header_record(size - 1);
        break;
    case 5:
        end_record(size - 1);
        break;
    default:
        once_and_key(size - 1);
        break;
    }
    return 0;
}
