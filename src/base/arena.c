#include "base/arena.h"

#include "base/secret.h"

#include <assert.h>
#include <string.h>

#ifdef ASSAY_ARENA_CHECKED
#include <sanitizer/asan_interface.h>
static const size_t GUARD_BYTES = 16;
#else
static const size_t GUARD_BYTES = 0;
#endif

static void hide(const uint8_t *from, size_t len)
{
#ifdef ASSAY_ARENA_CHECKED
    __asan_poison_memory_region(from, len);
#else
    (void)from;
    (void)len;
#endif
}

static void show(const uint8_t *from, size_t len)
{
#ifdef ASSAY_ARENA_CHECKED
    __asan_unpoison_memory_region(from, len);
#else
    (void)from;
    (void)len;
#endif
}

void assay_arena_init(struct assay_arena *arena, void *base, size_t size)
{
    *arena = (struct assay_arena){.base = base, .size = size};
    hide(arena->base, size);
}

static void set_guard(struct assay_arena *arena)
{
    size_t left = arena->size - arena->used;
    arena->used += left < GUARD_BYTES ? left : GUARD_BYTES;
}

void *assay_arena_take(struct assay_arena *arena, size_t size, size_t align)
{
    assert(align != 0 && (align & (align - 1)) == 0);

    size_t left = arena->size - arena->used;
    size_t pad = (size_t)(0 - (uintptr_t)(arena->base + arena->used)) & (align - 1);
    if (pad > left || size > left - pad) {
        return NULL;
    }

    uint8_t *taken = arena->base + arena->used + pad;
    arena->used += pad + size;
    set_guard(arena);
    show(taken, size);
    return taken;
}

void assay_arena_give_back(struct assay_arena *arena, void *piece, size_t size, size_t keep)
{
    uint8_t *start = piece;
    size_t guard = (size_t)(arena->base + arena->used - start) - size;
    assert(keep <= size && guard <= GUARD_BYTES);
    hide(start + keep, size - keep);
    arena->used = (size_t)(start - arena->base) + keep;
    set_guard(arena);
}

bool assay_arena_copy(struct assay_arena *arena, struct assay_slice s, struct assay_slice *ret)
{
    uint8_t *copy = assay_arena_take(arena, s.len, 1);
    if (copy == NULL) {
        return false;
    }
    if (s.len != 0) {
        memcpy(copy, s.data, s.len);
    }
    *ret = assay_slice_of(copy, s.len);
    return true;
}

void assay_arena_clear(struct assay_arena *arena)
{
    show(arena->base, arena->size);
    assay_secret_wipe(arena->base, arena->used);
    arena->used = 0;
    hide(arena->base, arena->size);
}

void assay_arena_release(struct assay_arena *arena)
{
    show(arena->base, arena->size);
    assay_secret_wipe(arena->base, arena->used);
    *arena = (struct assay_arena){0};
}
