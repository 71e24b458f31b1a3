// When something happens to keys by itself: the dates on which they are deleted, lose material or rotate. Looking for
// what is due walks over all keys, so the earliest date of each kind is kept; it may be too early, then the walk finds
// nothing and puts it right. Called by the jobs of the main thread.
#include "kmsd/keyring_internal.h"
#include "kmsd/rotation.h"

static int64_t earliest_expiry(const struct key *key)
{
    int64_t at_ns = INT64_MAX;
    for (size_t i = 0; i < key->materials_n; i++) {
        const struct key_material *m = key->materials[i];
        if (m->expires && m->bytes.n > 0 && m->valid_to_ns < at_ns)
            at_ns = m->valid_to_ns;
    }
    return at_ns;
}

static int64_t deletion(const struct key *key)
{
    return key->state == KEY_PENDING_DELETION ? key->deletion_ns : INT64_MAX;
}

static int64_t settling(const struct key *key)
{
    return key->settles_ns ? key->settles_ns : INT64_MAX;
}

static int64_t (*const date_of[KEY_DATES])(const struct key *key) = {
    [DATE_DELETION] = deletion,
    [DATE_EXPIRY] = earliest_expiry,
    [DATE_ROTATION] = rotation_due,
    [DATE_SETTLING] = settling,
};

void keyring_note_dates(struct keyring *k, const struct key *key)
{
    for (int i = 0; i < KEY_DATES; i++) {
        int64_t at_ns = date_of[i](key);
        if (at_ns < k->next_ns[i])
            k->next_ns[i] = at_ns;
    }
}

int64_t keyring_next(const struct keyring *k, enum key_date date)
{
    return k->next_ns[date];
}

size_t keyring_due(struct keyring *k, enum key_date date, int64_t now_ns, struct key **out, size_t max)
{
    size_t n = 0;
    k->next_ns[date] = INT64_MAX;
    for (struct key *key = k->keys; key; key = key->hh.next) {
        int64_t at_ns = date_of[date](key);
        if (at_ns <= now_ns && n < max)
            out[n++] = key;
        else if (at_ns < k->next_ns[date])
            k->next_ns[date] = at_ns;
    }
    return n;
}
