/* Who may administer: a client registered with `admin`, by HTTP Basic. */
#ifndef ASSAY_ADMIN_AUTH_H
#define ASSAY_ADMIN_AUTH_H

#include "admin/step.h"

/* Finds out who asks, then runs admin->authenticated; or replies 400 (no TLS), 401, 403, 429. The
 * limit on failures holds nobody up whose generated secret is right, and comes before any scrypt.
 */
assay_admin_piece assay_admin_authenticate;

#endif
