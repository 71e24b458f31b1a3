// --help and the sample file, out of the table that conf.c reads by. Called by the daemons' start and by the build.
#include <inttypes.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/conf_internal.h"

#define WIDTH 80
#define HELP_COLUMN 30

// Prints the words wrapped to WIDTH: the cursor stands at column, further lines begin with indent.
static void print_wrapped(FILE *to, const char *text, size_t column, const char *indent)
{
    bool first = true;
    while (*(text += strspn(text, " "))) {
        size_t word = strcspn(text, " ");
        if (!first && column + 1 + word > WIDTH) {
            fprintf(to, "\n%s", indent);
            column = strlen(indent);
        } else if (!first) {
            fputc(' ', to);
            column++;
        }
        fwrite(text, 1, word, to);
        column += word;
        text += word;
        first = false;
    }
    fputc('\n', to);
}

// The row's sentence with what the table knows besides.
static const char *help_text(const struct conf_option *row, struct buf *b)
{
    const char *open = " (", *next = "; ";
    buf_append_str(b, row->help);
    if (row->kind == CONF_LIST) {
        buf_appendf(b, "%smay be given several times", open);
        open = next;
    }
    if (conf_bounded(row)) {
        char min[32], max[32];
        conf_bound_text(row, row->min, min, sizeof min);
        conf_bound_text(row, row->max, max, sizeof max);
        buf_appendf(b, "%s%s to %s", open, min, max);
        open = next;
    }
    if (row->def) {
        buf_appendf(b, "%sdefault: %s", open, row->def);
        open = next;
    }
    if (open == next)
        buf_append_char(b, ')');
    return buf_str(b);
}

static const char *arg_name(const struct conf_option *row)
{
    if (row->arg)
        return row->arg;
    return row->kind == CONF_CHOICE ? row->choices : "VALUE";
}

static void print_option(const struct conf_option *row, FILE *to)
{
    char indent[HELP_COLUMN + 1];
    struct buf b;
    memset(indent, ' ', HELP_COLUMN);
    indent[HELP_COLUMN] = '\0';
    bool bare = row->kind == CONF_ACTION || row->kind == CONF_SWITCH;
    int n = bare ? fprintf(to, "  --%s", row->name) : fprintf(to, "  --%s=%s", row->name, arg_name(row));
    if (n > HELP_COLUMN - 2) {
        fputc('\n', to);
        n = 0;
    }
    fprintf(to, "%*s", HELP_COLUMN - n, "");
    buf_init(&b, 4096);
    const char *help = help_text(row, &b);
    print_wrapped(to, help ? help : row->help, HELP_COLUMN, indent);
    buf_done(&b);
}

void conf_print_help(const struct conf *c, FILE *to)
{
    fprintf(to, "Usage: %s [--OPTION=VALUE]...\n", c->program);
    print_wrapped(to, c->summary, 0, "");
    fputc('\n', to);
    for (size_t i = 0; i < c->n_rows; i++)
        print_option(&c->rows[i], to);
}

void conf_print_sample(const struct conf *c, FILE *to)
{
    fprintf(to, "# Configuration of %s; read with --config=FILE. Flags go before what stands here.\n", c->program);
    for (size_t i = 0; i < c->n_rows; i++) {
        const struct conf_option *row = &c->rows[i];
        struct buf b;
        if (row->kind == CONF_ACTION || strcmp(row->name, "config") == 0)
            continue;
        buf_init(&b, 4096);
        const char *help = help_text(row, &b);
        fputs("\n# ", to);
        print_wrapped(to, help ? help : row->help, 2, "# ");
        fprintf(to, "#%s = %s\n", row->name, row->def ? row->def : row->kind == CONF_SWITCH ? "off" : arg_name(row));
        buf_done(&b);
    }
}
