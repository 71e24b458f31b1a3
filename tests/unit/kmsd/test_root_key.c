// The root key file: made once, private, told apart from another, and refused with its name.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsd/root_key.h"

static char dir[64], path[96];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "test-root-key-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/root-key", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static void test_made_once(void **state)
{
    (void)state;
    char why[256] = "";
    struct stat st;
    assert_null(root_key_open(path, false, why, sizeof why));
    assert_non_null(strstr(why, path));
    struct root_key *a = root_key_open(path, true, why, sizeof why), *b = root_key_open(path, false, why, sizeof why);
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_memory_equal(a, b, sizeof *a);
    root_key_free(a);
    root_key_free(b);
}

static void test_refusals_name_the_file(void **state)
{
    (void)state;
    char why[256] = "";
    struct root_key *k = root_key_open(path, true, why, sizeof why);
    root_key_free(k);
    assert_int_equal(chmod(path, 0644), 0);
    assert_null(root_key_open(path, true, why, sizeof why));
    assert_non_null(strstr(why, path));
    FILE *f = fopen(path, "w");
    fputs("not a key\n", f);
    fclose(f);
    assert_int_equal(chmod(path, 0600), 0);
    assert_null(root_key_open(path, true, why, sizeof why));
    assert_non_null(strstr(why, path));
}

static void test_sealing(void **state)
{
    (void)state;
    char why[256] = "";
    unsigned char plain[5];
    struct root_key *k = root_key_open(NULL, true, why, sizeof why),
                    *other = root_key_open(NULL, true, why, sizeof why);
    struct buf sealed;
    buf_init(&sealed, 4096);
    root_key_seal(k, SPAN("name"), SPAN("bytes"), &sealed);
    assert_int_equal(sealed.len, 5 + ROOT_KEY_OVERHEAD);
    assert_true(root_key_unseal(k, SPAN("name"), buf_span(&sealed), plain));
    assert_memory_equal(plain, "bytes", 5);
    assert_false(root_key_unseal(other, SPAN("name"), buf_span(&sealed), plain));
    assert_false(root_key_unseal(k, SPAN("other"), buf_span(&sealed), plain));
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.data[i] ^= 1;
        assert_false(root_key_unseal(k, SPAN("name"), buf_span(&sealed), plain));
        sealed.data[i] ^= 1;
    }
    buf_done(&sealed);
    root_key_free(k);
    root_key_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_made_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals_name_the_file, setup, teardown),
        cmocka_unit_test(test_sealing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
