// Files and tables of credentials for the tests of common/auth.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "auth_fixture.h"
#include "common/base/file.h"

static char folder[64];
static char paths[8][128];
static size_t paths_n;

const char *fixture_new(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.40s/authXXXXXX", base ? base : P_tmpdir);
    assert_non_null(mkdtemp(folder));
    paths_n = 0;
    return folder;
}

void fixture_done(void)
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
    closedir(d);
    assert_int_equal(rmdir(folder), 0);
}

const char *fixture_file(const char *name, const char *text)
{
    assert_true(paths_n < sizeof paths / sizeof paths[0]);
    char *path = paths[paths_n++];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    if (text)
        assert_true(file_replace(path, span_of(text), 0600));
    return path;
}

void fixture_forget(void)
{
    paths_n = 0;
}

struct credentials *fixture_credentials(enum auth_mode mode, const char *principals, bool service)
{
    struct credentials_options o = {.mode = mode,
                                    .default_account = "000000000000",
                                    .principals_path = principals ? fixture_file("principals.json", principals) : NULL,
                                    .service_path = service ? fixture_file("service-credentials", NULL) : NULL,
                                    .started_ns = 1};
    char why[512] = "";
    struct credentials *c = credentials_new(&o, why, sizeof why);
    if (!c)
        fail_msg("%s", why);
    return c;
}

static struct span cut(struct span *rest, char at)
{
    const char *end = rest->n ? memchr(rest->p, at, rest->n) : NULL;
    struct span head = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
    size_t used = head.n + (end ? 1 : 0);
    *rest = (struct span){rest->p + used, rest->n - used};
    return head;
}

static struct span trim(struct span s)
{
    while (s.n && s.p[0] == ' ')
        s = (struct span){s.p + 1, s.n - 1};
    while (s.n && s.p[s.n - 1] == ' ')
        s.n--;
    return s;
}

void parse_request(struct span text, struct parsed_request *out)
{
    *out = (struct parsed_request){.r.headers = out->headers};
    struct span line = cut(&text, '\n');
    out->r.method = cut(&line, ' ');
    const char *version = line.p;
    while (version + 9 < line.p + line.n && strncmp(version, " HTTP/1.1", 9) != 0)
        version++;
    out->r.target = (struct span){line.p, (size_t)(version - line.p)};
    while (text.n && out->r.headers_n < 64) {
        line = cut(&text, '\n');
        if (line.n == 0)
            break;
        struct span name = cut(&line, ':');
        out->headers[out->r.headers_n++] = (struct header){name, trim(line)};
    }
    out->r.body = text;
}

struct span find_header(const struct parsed_request *p, const char *name)
{
    for (size_t i = 0; i < p->r.headers_n; i++)
        if (span_ieq(p->headers[i].name, span_of(name)))
            return p->headers[i].value;
    fail_msg("no header %s", name);
    return (struct span){NULL, 0};
}
