// Sorted pointer arrays for the keyring's and the grants' listings.
#include "kmsd/ptr_vec.h"

#include <stdlib.h>
#include <string.h>

size_t ptr_vec_seek(const struct ptr_vec *a, const void *key, int (*cmp)(const void *key, const void *element),
                    bool *found)
{
    size_t low = 0, high = a->n;
    // State is loaded in order: look at the end first.
    if (a->n > 0 && cmp(key, a->v[a->n - 1]) > 0)
        low = a->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (cmp(key, a->v[mid]) > 0)
            low = mid + 1;
        else
            high = mid;
    }
    *found = low < a->n && cmp(key, a->v[low]) == 0;
    return low;
}

void *ptr_vec_find(const struct ptr_vec *a, const void *key, int (*cmp)(const void *key, const void *element))
{
    bool found;
    size_t at = ptr_vec_seek(a, key, cmp, &found);
    return found ? a->v[at] : NULL;
}

static void grow(struct ptr_vec *a)
{
    if (a->n < a->cap)
        return;
    a->cap = a->cap ? a->cap * 2 : 4;
    a->v = realloc(a->v, a->cap * sizeof *a->v);
    if (!a->v)
        abort();
}

void ptr_vec_append(struct ptr_vec *a, void *element)
{
    grow(a);
    a->v[a->n++] = element;
}

void ptr_vec_insert(struct ptr_vec *a, const void *key, void *element, int (*cmp)(const void *key, const void *element))
{
    bool found;
    size_t at = ptr_vec_seek(a, key, cmp, &found);
    grow(a);
    memmove(a->v + at + 1, a->v + at, (a->n - at) * sizeof *a->v);
    a->v[at] = element;
    a->n++;
}

void *ptr_vec_remove(struct ptr_vec *a, const void *key, int (*cmp)(const void *key, const void *element))
{
    bool found;
    size_t at = ptr_vec_seek(a, key, cmp, &found);
    if (!found)
        return NULL;
    void *element = a->v[at];
    a->n--;
    memmove(a->v + at, a->v + at + 1, (a->n - at) * sizeof *a->v);
    return element;
}

void ptr_vec_done(struct ptr_vec *a)
{
    free(a->v);
    *a = (struct ptr_vec){0};
}
