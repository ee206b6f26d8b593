/* The compiler attributes the tree uses, each behind a macro. */
#ifndef ASSAY_BASE_ATTR_H
#define ASSAY_BASE_ATTR_H

/* The caller must look at the result. */
#define ASSAY_MUST_USE __attribute__((warn_unused_result))

/* Seldom called: kept out of its callers and out of the way. */
#define ASSAY_RARE __attribute__((noinline, cold))

/* A type of sixteen bytes that are worked on at once, by whatever the machine has for that. */
#define ASSAY_SIXTEEN __attribute__((vector_size(16)))

/* Leaves the library: everything else is compiled hidden. */
#define ASSAY_PUBLIC __attribute__((visibility("default")))

#endif
