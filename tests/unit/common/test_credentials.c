// The table of access keys: what principals.json may say and how its mistakes are named, whom --auth=open lets in, the
// services' own credential, and reloading while calls go on.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth_fixture.h"
#include "common/base/file.h"

#define KEY(id) "{\"id\": \"" id "\", \"secret\": \"s-" id "\"}"
#define USER(members) "{\"accounts\": {\"111122223333\": {\"users\": {\"alice\": {" members "}}}}}"
#define ROLE(members) "{\"accounts\": {\"111122223333\": {\"roles\": {\"app\": {" members "}}}}}"
#define ALLOW "{\"Statement\": {\"Effect\": \"Allow\", \"Action\": \"kms:*\", \"Resource\": \"*\"}}"

static const char everybody[] =
    "{\"accounts\": {\"111122223333\": {"
    "\"root\": {\"accessKeys\": [" KEY(
        "AKIAROOT") "]},"
                    "\"users\": {\"alice\": {\"accessKeys\": [" KEY("AKIAALICE1") ", " KEY(
                        "AKIAALICE2") "],"
                                      "\"policies\": {\"one\": " ALLOW ", \"two\": " ALLOW "}},"
                                      "\"bob\": {\"principalId\": \"AIDABOB\", \"accessKeys\": [" KEY(
                                          "AKIABOB") "]}, \"carol\": {}},"
                                                     "\"roles\": {\"app\": {\"policies\": {\"one\": " ALLOW
                                                     "}, \"sessions\": [{\"name\": \"i-0abc\", \"accessKey\": "
                                                     "{\"id\": \"ASIAAPP\", \"secret\": \"s\", \"token\": \"t\"}}]}}},"
                                                     "\"444455556666\": {\"users\": {\"alice\": {\"accessKeys\": [" KEY(
                                                         "AKIAOTHER") "]}}}}}";

static int setup(void **state)
{
    (void)state;
    fixture_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_done();
    return 0;
}

static bool try_new(const char *principals_path, const char *service_path, char *why, size_t why_size)
{
    struct credentials_options o = {.mode = AUTH_STRICT,
                                    .default_account = "000000000000",
                                    .principals_path = principals_path,
                                    .service_path = service_path};
    struct credentials *c = credentials_new(&o, why, why_size);
    credentials_free(c);
    return c != NULL;
}

static void test_identities(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        enum principal_type type;
        const char *account, *arn, *id, *name;
        size_t policies;
        bool full_rights;
    } rows[] = {
        {"AKIAROOT", PRINCIPAL_ROOT, "111122223333", "arn:aws:iam::111122223333:root", "111122223333", NULL, 0, true},
        {"AKIAALICE1", PRINCIPAL_USER, "111122223333", "arn:aws:iam::111122223333:user/alice", NULL, "alice", 2, false},
        {"AKIABOB", PRINCIPAL_USER, "111122223333", "arn:aws:iam::111122223333:user/bob", "AIDABOB", "bob", 0, false},
        {"ASIAAPP", PRINCIPAL_ROLE_SESSION, "111122223333", "arn:aws:sts::111122223333:assumed-role/app/i-0abc", NULL,
         "i-0abc", 1, false},
        {"AKIAOTHER", PRINCIPAL_USER, "444455556666", "arn:aws:iam::444455556666:user/alice", NULL, "alice", 0, false},
    };
    struct credentials *c = fixture_credentials(AUTH_STRICT, everybody, false);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct credential k;
        assert_true(credentials_find(c, span_of(rows[i].key), &k));
        assert_int_equal(k.principal->type, rows[i].type);
        assert_string_equal(k.principal->account, rows[i].account);
        assert_string_equal(k.principal->arn, rows[i].arn);
        assert_string_equal(k.principal->access_key_id, rows[i].key);
        if (rows[i].id)
            assert_string_equal(k.principal->principal_id, rows[i].id);
        if (rows[i].name)
            assert_string_equal(k.principal->name, rows[i].name);
        assert_int_equal(k.principal->policies_n, rows[i].policies);
        assert_int_equal(k.principal->full_rights, rows[i].full_rights);
        assert_true(k.verify);
        principal_unref(k.principal);
    }
    struct credential k;
    static const char *const unknown[] = {"", "AKIA", "AKIAALICE", "AKIAALICE12", "akiaroot", "111122223333"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_false(credentials_find(c, span_of(unknown[i]), &k));
    assert_false(credentials_service(c, &k));
    credentials_free(c);
}

static void test_session(void **state)
{
    (void)state;
    struct credentials *c = fixture_credentials(AUTH_STRICT, everybody, false);
    struct credential k;
    assert_true(credentials_find(c, SPAN("ASIAAPP"), &k));
    assert_string_equal(k.token, "t");
    assert_true(span_is(k.secret, "s"));
    assert_string_equal(k.principal->role_arn, "arn:aws:iam::111122223333:role/app");
    assert_string_equal(k.principal->role_name, "app");
    assert_int_equal(strlen(k.principal->role_id), 21);
    assert_memory_equal(k.principal->role_id, "AROA", 4);
    char id[64];
    snprintf(id, sizeof id, "%s:i-0abc", k.principal->role_id);
    assert_string_equal(k.principal->principal_id, id);
    assert_int_equal(k.principal->session_start_ns, 1);
    principal_unref(k.principal);
    credentials_free(c);
}

// Derived from the ARN: the same in every start, for both keys of a user, and not that of a namesake elsewhere.
static void test_derived_ids(void **state)
{
    (void)state;
    static const char *const keys[] = {"AKIAALICE1", "AKIAALICE2", "AKIAOTHER"};
    char first[3][32];
    for (int start = 0; start < 2; start++) {
        struct credentials *c = fixture_credentials(AUTH_STRICT, everybody, false);
        for (int i = 0; i < 3; i++) {
            struct credential k;
            assert_true(credentials_find(c, span_of(keys[i]), &k));
            assert_int_equal(strlen(k.principal->principal_id), 21);
            assert_memory_equal(k.principal->principal_id, "AIDA", 4);
            if (start == 0)
                snprintf(first[i], sizeof first[i], "%s", k.principal->principal_id);
            assert_string_equal(k.principal->principal_id, first[i]);
            principal_unref(k.principal);
        }
        credentials_free(c);
    }
    assert_string_equal(first[0], first[1]);
    assert_string_not_equal(first[0], first[2]);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason;
    } rows[] = {
        {"", "unexpected end at line 1, column 0"},
        {"{\"accounts\": {}", "unexpected end at line 1, column 15"},
        {"[]", "(document): must be an object"},
        {"{\"account\": {}}", "(document).account: unknown member"},
        {"{\"accounts\": {}, \"accounts\": {}}", "a member is given twice at line 1, column 27"},
        {"{\"accounts\": []}", "accounts: must be an object"},
        {"{\"accounts\": {\"1111222233334\": {}}}", "accounts.1111222233334: is not an account of 12 digits"},
        {"{\"accounts\": {\"11112222333x\": {}}}", "accounts.11112222333x: is not an account of 12 digits"},
        {"{\"accounts\": {\"111122223333\": {\"groups\": {}}}}", "accounts.111122223333.groups: unknown member"},
        {"{\"accounts\": {\"111122223333\": {\"root\": {\"policies\": {}}}}}",
         "accounts.111122223333.root.policies: unknown member"},
        {"{\"accounts\": {\"111122223333\": {\"users\": {\"a b\": {}}}}}",
         "accounts.111122223333.users.a b: is not a user name"},
        {USER("\"accesskeys\": []"), "accounts.111122223333.users.alice.accesskeys: unknown member"},
        {USER("\"accessKeys\": {}"), "accounts.111122223333.users.alice.accessKeys: must be a list"},
        {USER("\"accessKeys\": [1]"), "accounts.111122223333.users.alice.accessKeys[0]: must be an object"},
        {USER("\"accessKeys\": [" KEY("A") ", {\"id\": \"B\"}]"),
         "accounts.111122223333.users.alice.accessKeys[1].secret: is missing"},
        {USER("\"accessKeys\": [{\"secret\": \"B\"}]"),
         "accounts.111122223333.users.alice.accessKeys[0].id: is missing"},
        {USER("\"accessKeys\": [{\"id\": \"B\", \"secret\": 5}]"),
         "accounts.111122223333.users.alice.accessKeys[0].secret: must be a text"},
        {USER("\"accessKeys\": [{\"id\": \"B\", \"secret\": \"\"}]"),
         "accounts.111122223333.users.alice.accessKeys[0].secret: must be a text"},
        {USER("\"accessKeys\": [{\"id\": \"B\", \"secret\": \"a\\u0000b\"}]"),
         "accounts.111122223333.users.alice.accessKeys[0].secret: must be a text"},
        {USER("\"accessKeys\": [{\"id\": \"B\", \"secret\": \"s\", \"token\": \"t\"}]"),
         "accounts.111122223333.users.alice.accessKeys[0].token: unknown member"},
        {USER("\"accessKeys\": [{\"id\": \"B/C\", \"secret\": \"s\"}]"),
         "accounts.111122223333.users.alice.accessKeys[0].id: is not an access key id"},
        {USER("\"accessKeys\": [" KEY("A") ", " KEY("B") ", " KEY("A") "]"),
         "accounts.111122223333.users.alice.accessKeys[2].id: the access key A is given twice"},
        {USER("\"principalId\": 1"), "accounts.111122223333.users.alice.principalId: must be a text"},
        {USER("\"policies\": []"), "accounts.111122223333.users.alice.policies: must be an object"},
        // Also of a user who has no key.
        {USER("\"policies\": {\"own\": {\"Statement\": {\"Effect\": \"Allow\", \"NotAction\": \"a:b\"}}}"),
         "accounts.111122223333.users.alice.policies.own: Statement[0]: the element NotAction is not supported"},
        {ROLE("\"policies\": {\"own\": 5}"),
         "accounts.111122223333.roles.app.policies.own: the policy must be an object"},
        {ROLE("\"sessions\": {}"), "accounts.111122223333.roles.app.sessions: must be a list"},
        {ROLE("\"accessKeys\": []"), "accounts.111122223333.roles.app.accessKeys: unknown member"},
        {ROLE("\"sessions\": [{\"name\": \"x\"}]"),
         "accounts.111122223333.roles.app.sessions[0].name: is not a session name"},
        {ROLE("\"sessions\": [{\"name\": \"xy\"}]"),
         "accounts.111122223333.roles.app.sessions[0].accessKey: is missing"},
        {ROLE("\"sessions\": [{\"name\": \"xy\", \"accessKey\": " KEY("A") "}]"),
         "accounts.111122223333.roles.app.sessions[0].accessKey.token: is missing"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[200], why[600] = "", wanted[600];
        snprintf(path, sizeof path, "%s", fixture_file("principals.json", rows[i].text));
        snprintf(wanted, sizeof wanted, "%s: %s", path, rows[i].reason);
        assert_false(try_new(path, NULL, why, sizeof why));
        assert_string_equal(why, wanted);
        fixture_forget();
    }
}

static void test_no_file(void **state)
{
    (void)state;
    char why[600] = "";
    const char *path = fixture_file("absent.json", NULL);
    assert_false(try_new(path, NULL, why, sizeof why));
    assert_non_null(strstr(why, path));
    assert_non_null(strstr(why, "No such file"));
}

// --- --auth=open ---

static void test_open(void **state)
{
    (void)state;
    static const struct {
        const char *key, *account, *arn;
    } rows[] = {
        {"123456789012", "123456789012", "arn:aws:iam::123456789012:root"},
        {"000000000000", "000000000000", "arn:aws:iam::000000000000:root"},
        {"12345678901", "000000000000", "arn:aws:iam::000000000000:user/local"},
        {"1234567890123", "000000000000", "arn:aws:iam::000000000000:user/local"},
        {"test", "000000000000", "arn:aws:iam::000000000000:user/local"},
        {"AKIAUNKNOWN", "000000000000", "arn:aws:iam::000000000000:user/local"},
    };
    struct credentials *c = fixture_credentials(AUTH_OPEN, everybody, true);
    struct credential k;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(credentials_find(c, span_of(rows[i].key), &k));
        assert_false(k.verify);
        assert_null(k.token);
        assert_int_equal(k.secret.n, 0);
        assert_string_equal(k.principal->account, rows[i].account);
        assert_string_equal(k.principal->arn, rows[i].arn);
        assert_string_equal(k.principal->access_key_id, rows[i].key);
        assert_true(k.principal->full_rights);
        principal_unref(k.principal);
    }
    // Known keys, the services' among them, are what they are.
    assert_true(credentials_find(c, SPAN("AKIAALICE1"), &k));
    assert_true(k.verify);
    assert_false(k.principal->full_rights);
    principal_unref(k.principal);
    struct credential service;
    assert_true(credentials_service(c, &service));
    assert_true(credentials_find(c, span_of(service.principal->access_key_id), &k));
    assert_true(k.verify);
    assert_ptr_equal(k.principal, service.principal);
    principal_unref(k.principal);
    principal_unref(service.principal);
    static const char *const refused[] = {"", "a b", "a\nb", "\xc3\xa4", "\x7f"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_false(credentials_find(c, span_of(refused[i]), &k));
    char long_key[130];
    memset(long_key, 'A', sizeof long_key);
    assert_false(credentials_find(c, (struct span){long_key, 129}, &k));
    assert_true(credentials_find(c, (struct span){long_key, 128}, &k));
    principal_unref(k.principal);
    credentials_free(c);
}

// More strangers than are remembered: each is itself, and a call under way keeps its principal.
static void test_many_strangers(void **state)
{
    (void)state;
    struct credentials *c = fixture_credentials(AUTH_OPEN, NULL, false);
    struct credential first, k;
    assert_true(credentials_find(c, SPAN("000000000001"), &first));
    for (int i = 0; i < 30000; i++) {
        char key[16];
        snprintf(key, sizeof key, "%012d", i);
        assert_true(credentials_find(c, span_of(key), &k));
        assert_string_equal(k.principal->account, key);
        principal_unref(k.principal);
    }
    assert_string_equal(first.principal->account, "000000000001");
    principal_unref(first.principal);
    credentials_free(c);
}

// --- the services' credential ---

static void test_service(void **state)
{
    (void)state;
    struct credentials *c = fixture_credentials(AUTH_STRICT, NULL, true);
    const char *path = fixture_file("service-credentials", NULL);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    struct credential k, again;
    assert_true(credentials_service(c, &k));
    assert_int_equal(k.principal->type, PRINCIPAL_SERVICE);
    assert_string_equal(k.principal->arn, "dynamodb.amazonaws.com");
    assert_string_equal(k.principal->service, "dynamodb");
    assert_string_equal(k.principal->account, "");
    assert_false(k.principal->full_rights);
    assert_true(k.secret.n >= 40);
    // A second table finds the same.
    struct credentials *other = fixture_credentials(AUTH_STRICT, NULL, true);
    assert_true(credentials_service(other, &again));
    assert_string_equal(again.principal->access_key_id, k.principal->access_key_id);
    assert_true(span_eq(again.secret, k.secret));
    assert_int_not_equal(again.secret_id, k.secret_id);
    principal_unref(again.principal);
    principal_unref(k.principal);
    credentials_free(other);
    credentials_free(c);
}

static void test_service_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        mode_t mode;
        const char *reason;
    } rows[] = {
        {"{\"accessKeyId\": \"a\", \"secretAccessKey\": \"b\", \"service\": \"dynamodb\"}", 0644,
         "others may read this secret; make its mode 0600"},
        {"{\"accessKeyId\": \"a\", \"secretAccessKey\": \"b\", \"service\": \"dynamodb\"}", 0620,
         "others may read this secret; make its mode 0600"},
        {"{\"accessKeyId\": \"a\", \"service\": \"dynamodb\"}", 0600,
         "must have accessKeyId, secretAccessKey and service"},
        {"{\"accessKeyId\": \"a\", \"secretAccessKey\": \"\", \"service\": \"dynamodb\"}", 0600,
         "must have accessKeyId, secretAccessKey and service"},
        {"[]", 0600, "must have accessKeyId, secretAccessKey and service"},
        {"", 0600, "unexpected end at line 1, column 0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *path = fixture_file("service-credentials", rows[i].text);
        char why[400] = "", wanted[400];
        assert_int_equal(chmod(path, rows[i].mode), 0);
        snprintf(wanted, sizeof wanted, "%s: %s", path, rows[i].reason);
        assert_false(try_new(NULL, path, why, sizeof why));
        assert_string_equal(why, wanted);
        fixture_forget();
    }
    // Somebody put it among the users.
    const char *users = fixture_file("principals.json", USER("\"accessKeys\": [" KEY("SVC1") "]"));
    const char *path = fixture_file("service-credentials", "{\"accessKeyId\": \"SVC1\", \"secretAccessKey\": \"b\", "
                                                           "\"service\": \"dynamodb\"}");
    char why[400] = "";
    assert_false(try_new(users, path, why, sizeof why));
    assert_non_null(strstr(why, "principals.json: the access key SVC1 is that of"));
}

// Both daemons, and a few more, start at the same moment: all sign with the same key.
static void test_service_race(void **state)
{
    (void)state;
    const char *path = fixture_file("service-credentials", NULL);
    for (int round = 0; round < 10; round++) {
        int answers[2], go[2];
        assert_int_equal(pipe(answers), 0);
        assert_int_equal(pipe(go), 0);
        pid_t pids[8];
        for (int i = 0; i < 8; i++) {
            pids[i] = fork();
            assert_true(pids[i] >= 0);
            if (pids[i] == 0) {
                char why[200], line[128] = "", c;
                close(go[1]);
                if (read(go[0], &c, 1) != 0) // until the parent closes it
                    _exit(1);
                struct credentials_options o = {.default_account = "000000000000", .service_path = path};
                struct credentials *table = credentials_new(&o, why, sizeof why);
                struct credential k;
                if (!table || !credentials_service(table, &k))
                    _exit(2);
                snprintf(line, sizeof line, "%s %.*s", k.principal->access_key_id, (int)k.secret.n, k.secret.p);
                _exit(write(answers[1], line, sizeof line) == sizeof line ? 0 : 3);
            }
        }
        close(go[0]);
        close(go[1]);
        char first[128], line[128];
        for (int i = 0; i < 8; i++) {
            int status;
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_int_equal(status, 0);
            assert_int_equal(read(answers[0], i ? line : first, sizeof line), sizeof line);
            if (i)
                assert_string_equal(line, first);
        }
        close(answers[0]);
        close(answers[1]);
        assert_int_equal(unlink(path), 0);
    }
}

// --- reload ---

static void test_reload(void **state)
{
    (void)state;
    struct credentials *c = fixture_credentials(AUTH_STRICT, everybody, false);
    struct credential before, after;
    char why[400] = "";
    assert_true(credentials_find(c, SPAN("AKIABOB"), &before));
    fixture_file("principals.json", USER("\"accessKeys\": [{\"id\": \"B\"}]"));
    assert_false(credentials_reload(c, why, sizeof why));
    assert_non_null(strstr(why, "accessKeys[0].secret: is missing"));
    assert_true(credentials_find(c, SPAN("AKIABOB"), &after));
    assert_ptr_equal(before.principal, after.principal);
    principal_unref(after.principal);
    fixture_file("principals.json", USER("\"accessKeys\": [{\"id\": \"AKIABOB\", \"secret\": \"new\"}]"));
    assert_true(credentials_reload(c, why, sizeof why));
    assert_true(credentials_find(c, SPAN("AKIABOB"), &after));
    assert_string_equal(after.principal->arn, "arn:aws:iam::111122223333:user/alice");
    assert_true(span_is(after.secret, "new"));
    assert_int_not_equal(before.secret_id, after.secret_id);
    // The call that began before goes on with what it had.
    assert_string_equal(before.principal->arn, "arn:aws:iam::111122223333:user/bob");
    assert_true(span_is(before.secret, "s-AKIABOB"));
    principal_unref(after.principal);
    principal_unref(before.principal);
    credentials_free(c);
}

struct race {
    struct credentials *credentials;
    atomic_bool stop;
    atomic_int wrong;
};

static void *reader(void *arg)
{
    struct race *r = arg;
    int n = 0;
    while (!atomic_load(&r->stop)) {
        struct credential k;
        char stranger[16];
        snprintf(stranger, sizeof stranger, "%012d", n++ % 100);
        if (!credentials_find(r->credentials, SPAN("AKIAALICE1"), &k))
            atomic_fetch_add(&r->wrong, 1);
        else {
            if (!span_is(k.secret, "s-AKIAALICE1") || k.principal->policies_n != 2)
                atomic_fetch_add(&r->wrong, 1);
            principal_unref(k.principal);
        }
        if (!credentials_find(r->credentials, span_of(stranger), &k))
            atomic_fetch_add(&r->wrong, 1);
        else
            principal_unref(k.principal);
        if (!credentials_service(r->credentials, &k))
            atomic_fetch_add(&r->wrong, 1);
        else
            principal_unref(k.principal);
    }
    return NULL;
}

static void test_reload_under_threads(void **state)
{
    (void)state;
    struct race r = {.credentials = fixture_credentials(AUTH_OPEN, everybody, true)};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, &r), 0);
    char why[400] = "";
    for (int i = 0; i < 100; i++)
        assert_true(credentials_reload(r.credentials, why, sizeof why));
    atomic_store(&r.stop, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&r.wrong), 0);
    credentials_free(r.credentials);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_identities, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session, setup, teardown),
        cmocka_unit_test_setup_teardown(test_derived_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_strangers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_service, setup, teardown),
        cmocka_unit_test_setup_teardown(test_service_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_service_race, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reload_under_threads, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
