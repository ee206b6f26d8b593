#include "fetch/link.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

void assay_links_clear(struct assay_links *links)
{
    free(links->at);
    *links = (struct assay_links){0};
}

bool assay_links_add(struct assay_links *links, int fd)
{
    if (links->count == links->room) {
        size_t room = links->room + 16;
        struct assay_link *larger = realloc(links->at, room * sizeof *larger);
        if (larger == NULL) {
            return false;
        }
        links->at = larger;
        links->room = room;
    }
    links->at[links->count++] = (struct assay_link){.fd = fd};
    return true;
}

void assay_links_drop(struct assay_links *links, int fd)
{
    for (size_t i = 0; i < links->count; i++) {
        if (links->at[i].fd == fd) {
            links->at[i] = links->at[--links->count];
            return;
        }
    }
}

static int local_port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {0};
    socklen_t len = sizeof(address);
    if (getsockname(fd, &address.any, &len) != 0) {
        return -1;
    }
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

struct assay_link *assay_links_find(struct assay_links *links, int local_port)
{
    struct assay_link *found = NULL;
    for (size_t i = 0; i < links->count; i++) {
        if (local_port_of(links->at[i].fd) == local_port) {
            if (found != NULL) {
                return NULL; /* of two addresses: nobody knows which */
            }
            found = &links->at[i];
        }
    }
    return found;
}

bool assay_link_is_clean(const struct assay_link *link)
{
    char byte;
    return recv(link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
}
