/* The connections of a fetcher, and whether the next question may be sent on one that was used
 * before: what has arrived on it by then would be taken for the answer. */
#ifndef ASSAY_FETCH_LINK_H
#define ASSAY_FETCH_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct assay_link {
    int fd;
    bool shared; /* speaks HTTP/2: an answer names its question, and frames may come at any time */
};

/* All zeros to begin with. */
struct assay_links {
    struct assay_link *at;
    size_t count;
    size_t room;
};

void assay_links_clear(struct assay_links *links);

/* A descriptor has been opened. False without memory: then it is not to be used. */
bool assay_links_add(struct assay_links *links, int fd);

/* It is about to be closed. */
void assay_links_drop(struct assay_links *links, int fd);

/* The one of that local port, which libcurl has chosen to send on; NULL: it is not known. */
struct assay_link *assay_links_find(struct assay_links *links, int local_port);

/* Has nothing arrived that nobody has read, the connection's end included? */
bool assay_link_is_clean(const struct assay_link *link);

#endif
