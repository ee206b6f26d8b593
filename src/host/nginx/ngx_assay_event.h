/* nginx's event loop as a struct assay_loop. */
#ifndef ASSAY_HOST_NGX_ASSAY_EVENT_H
#define ASSAY_HOST_NGX_ASSAY_EVENT_H

#include "loop/loop.h"

/* The loop of this worker; stateless, so one constant serves all. */
struct assay_loop *ngx_assay_loop(void);

#endif
