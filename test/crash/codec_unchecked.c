/* The codec of records, with the check that closes each of them believed unread. Linked into the
 * negative control alone: the linker finds these functions before those of the library. */
#define codec_open codec_open_checked
#include "record/codec.c"
#undef codec_open

enum assay_status codec_open(struct assay_slice key, struct assay_slice bytes, uint8_t version,
                             struct codec_reader *ret, struct assay_error *reterr);

enum assay_status codec_open(struct assay_slice key, struct assay_slice bytes, uint8_t version,
                             struct codec_reader *ret, struct assay_error *reterr)
{
    (void)key;
    if (bytes.len < 1 + CODEC_CRC_LEN || bytes.data[0] != version) {
        return assay_fail(ASSAY_ERR_CORRUPT, "record breaks its format", reterr);
    }
    *ret = (struct codec_reader){
        .rest = assay_slice_from(assay_slice_head(bytes, bytes.len - CODEC_CRC_LEN), 1)};
    return ASSAY_OK;
}
