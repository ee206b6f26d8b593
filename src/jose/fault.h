/* Why a signed token is refused: the rule that it breaks, for logs and tests. Never told to whoever
 * sent the token. */
#ifndef ASSAY_JOSE_FAULT_H
#define ASSAY_JOSE_FAULT_H

enum assay_jose_fault {
    ASSAY_JOSE_OK = 0, /* it is not refused */

    /* the text (RFC 7515 sections 2 and 7.1) */
    ASSAY_JOSE_TOO_LONG,  /* text, header or signature */
    ASSAY_JOSE_PARTS,     /* not three parts, or an empty one */
    ASSAY_JOSE_ENCRYPTED, /* five parts, or `enc` in the header: a JWE, which is not for here */
    ASSAY_JOSE_BASE64URL, /* not base64url in its one spelling */

    /* the header (RFC 7515 section 4) */
    ASSAY_JOSE_HEADER,      /* not a JSON object, or a name repeated */
    ASSAY_JOSE_MEMBER,      /* a member of the wrong type */
    ASSAY_JOSE_CRIT,        /* `crit`: there is no extension that we understand */
    ASSAY_JOSE_UNENCODED,   /* `b64` other than true (RFC 7797 section 7) */
    ASSAY_JOSE_COMPRESSED,  /* `zip` */
    ASSAY_JOSE_NESTED,      /* `cty` says that a JWT is inside */
    ASSAY_JOSE_TYP,         /* `typ` is not what was asked for (RFC 8725 section 3.11) */
    ASSAY_JOSE_ALG_UNKNOWN, /* `alg` is none that we know; "none" is none */
    ASSAY_JOSE_ALG_REFUSED, /* known, but not allowed here */

    /* the key and the signature */
    ASSAY_JOSE_KEY_UNKNOWN,   /* no key has that `kid`, or none fits where there is no `kid` */
    ASSAY_JOSE_KEY_AMBIGUOUS, /* no `kid`, and several keys fit */
    ASSAY_JOSE_KEY_UNFIT,     /* the key is not for that algorithm, or not for verifying */
    ASSAY_JOSE_SIGNATURE,     /* not by that key */

    /* the claims (RFC 7519 section 4.1, RFC 9068 section 4) */
    ASSAY_JOSE_CLAIMS,       /* not a JSON object, or a name repeated */
    ASSAY_JOSE_CLAIM_TYPE,   /* a claim of the wrong type, or a time out of bounds */
    ASSAY_JOSE_CLAIM_ABSENT, /* one is missing that is required */
    ASSAY_JOSE_ISSUER,
    ASSAY_JOSE_AUDIENCE,
    ASSAY_JOSE_EXPIRED,
    ASSAY_JOSE_NOT_YET,      /* `nbf` is ahead */
    ASSAY_JOSE_ISSUED_AHEAD, /* `iat` is ahead */
    ASSAY_JOSE_LIFETIME,     /* longer than allowed, or `exp` before `iat` */
};

/* Its name as logs print it: "alg_unknown", ... Constant text. */
const char *assay_jose_fault_name(enum assay_jose_fault fault);

#endif
