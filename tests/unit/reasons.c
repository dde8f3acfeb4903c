/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * docs/reasons.md, made from the rule table. "reasons" prints it; "reasons FILE" compares, so
 * that the documentation cannot fall behind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "explain/rules.h"

static const char HEAD[] =
        "<!-- SPDX-License-Identifier: GPL-2.0-or-later -->\n"
        "# What pwhy can tell\n\n"
        "Every rule of the table in `src/explain/`, in the order in which they are asked; the\n"
        "first that applies is the verdict. This page is made by `build/tests/reasons >\n"
        "docs/reasons.md`, and a test compares it.\n\n"
        "A rule applies to threads in the states given, in one of the calls, asleep in one of the\n"
        "functions (innermost, not counting the scheduler's own; `*` stands for any ending,\n"
        "`sys:x` for every wrapper of the system call x), with one of the functions \"within\"\n"
        "somewhere on the stack, working on an object of one of the kinds. A rule that names\n"
        "functions of the program applies only where the user stack has them. `also` is a "
        "condition\n"
        "in `src/explain/when.c`. What of this could not be read makes the verdict weaker by a\n"
        "step: certain, likely, guess. JSON has the rule's name as `wait.rule`.\n\n";

static void list_print(FILE *out, const char *label, const char *list)
{
        if (!list)
                return;
        fprintf(out, "- %s: ", label);
        for (const char *p = list; *p;) {
                size_t len = strcspn(p, "|");

                fprintf(out, "`%.*s`%s", (int)len, p, p[len] ? ", " : "");
                p += len + (p[len] == '|');
        }
        fputc('\n', out);
}

static void rule_print(FILE *out, const struct rule *rule)
{
        fprintf(out, "## %s\n\n", rule->name);
        fprintf(out, "**%s**, %s: \"%s\"\n\n", reason_name(rule->reason),
                confidence_name(rule->confidence), rule->text);
        fprintf(out, "- state: %s%s\n", rule->states ? rule->states : "S",
                rule->kernel ? ", kernel threads" : "");
        list_print(out, "call", rule->calls);
        list_print(out, "asleep in", rule->leaf);
        list_print(out, "within", rule->within);
        list_print(out, "in the program", rule->user);
        list_print(out, "called by", rule->caller);
        list_print(out, "in the program within", rule->user_within);
        list_print(out, "on", rule->kinds);
        if (rule->made)
                fprintf(out, "- object: %s\n", rule->made);
        if (rule->when)
                fprintf(out, "- also: a condition\n");
        if (rule->call_decides)
                fprintf(out, "- the call alone is enough where there is no stack\n");
        fputc('\n', out);
}

int main(int argc, char **argv)
{
        _cleanup_free_ char *text = NULL, *page = NULL;
        size_t len = 0;
        FILE *out, *file;
        long n;

        out = open_memstream(&text, &len);
        if (!out)
                return 2;
        fputs(HEAD, out);
        for (size_t i = 0; i < n_rules; i++)
                rule_print(out, &rules[i]);
        fclose(out);
        if (argc < 2)
                return fwrite(text, 1, len - 1, stdout) == len - 1 ? 0 : 2;
        file = fopen(argv[1], "r");
        if (!file || fseek(file, 0, SEEK_END) || (n = ftell(file)) < 0) {
                perror(argv[1]);
                return 2;
        }
        rewind(file);
        page = calloc(1, (size_t)n + 1);
        if (!page || fread(page, 1, (size_t)n, file) != (size_t)n)
                return 2;
        fclose(file);
        if ((size_t)n == len - 1 && memcmp(page, text, len - 1) == 0)
                return 0;
        fprintf(stderr, "%s is not what the table says; make it again: reasons > %s\n", argv[1],
                argv[1]);
        return 1;
}
