#include "http/media_type.h"

bool assay_media_type_is(struct assay_slice value, struct assay_slice type)
{
    struct assay_slice rest = value;
    struct assay_slice name = assay_slice_cut(&rest, ';');
    while (name.len > 0 && (name.data[name.len - 1] == ' ' || name.data[name.len - 1] == '\t')) {
        name = assay_slice_head(name, name.len - 1);
    }
    return assay_slice_equal_nocase(name, type);
}
