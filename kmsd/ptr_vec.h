// A sorted array of pointers: what lists with markers walk. Insertion moves what follows (8 bytes an element), which
// for 10^5 elements costs microseconds; elements that arrive in order are appended.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct ptr_vec {
    void **v;
    size_t n, cap;
};

// Index of the first element that is not before key; *found tells whether it equals key.
size_t ptr_vec_seek(const struct ptr_vec *a, const void *key, int (*cmp)(const void *key, const void *element),
                    bool *found);
void *ptr_vec_find(const struct ptr_vec *a, const void *key,
                   int (*cmp)(const void *key, const void *element)); // NULL: none
// Inserts element under key. Aborts when memory is gone.
void ptr_vec_insert(struct ptr_vec *a, const void *key, void *element,
                    int (*cmp)(const void *key, const void *element));
// Puts element behind all others: of an array that is in no order.
void ptr_vec_append(struct ptr_vec *a, void *element);
// Removes and returns the element under key; NULL: none.
void *ptr_vec_remove(struct ptr_vec *a, const void *key, int (*cmp)(const void *key, const void *element));
void ptr_vec_done(struct ptr_vec *a);
