#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows ./dev lint a source that clang-tidy objects to, ./dev coverage a program of which half has run, and what a long program tells."""
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "dev"))
import clang_tidy
import coverage
import run
import say
from shows import json_schema, services_routes

ROOT = pathlib.Path(__file__).resolve().parents[2]
WRONG = "#include <string>\nint length(std::string text) { return text.size() == 0 ? 1 : 2; }\n"
RIGHT = "int length(const char* text) { return text == nullptr ? 1 : 2; }\n"


class ClangTidy(unittest.TestCase):
    def check(self, text):
        with tempfile.TemporaryDirectory(prefix="tidy-test-") as folder:
            file = pathlib.Path(folder, "a.cc")
            file.write_text(text)
            entry = {"directory": folder, "file": str(file), "arguments": ["c++", "-std=gnu++20", "-c", str(file)]}
            pathlib.Path(folder, "compile_commands.json").write_text(json.dumps([entry]))
            return clang_tidy.check_one(folder, file, [f"--config-file={ROOT / '.clang-tidy'}"])

    def test_a_source_that_is_wrong_and_one_that_is_right(self):
        said = self.check(WRONG)
        self.assertIn("performance-unnecessary-value-param", said)
        self.assertEqual("", self.check(RIGHT))

    def test_a_source_that_does_not_compile_is_no_silence(self):
        self.assertIn("error", self.check("int f( {\n"))

    def test_only_what_clang_understands_is_left_of_gccs_words(self):
        command = ("/usr/bin/cmake -E env A=b /usr/bin/ccache /usr/bin/c++ -DX=\\\"a\\ b\\\" -I/r -Wall -fpch-preprocess -Winvalid-pch "
                   "-include /b/cmake_pch.hxx -include /b/other.h -c /r/a.cc")
        self.assertEqual(["/usr/bin/c++", '-DX="a b"', "-I/r", "-include", "nlohmann/json.hpp", "-include", "/b/other.h", "-c", "/r/a.cc"],
                         clang_tidy.for_clang(command))

    def test_a_source_that_joins_others_is_taken_apart(self):
        with tempfile.TemporaryDirectory(prefix="tidy-test-") as folder:
            pathlib.Path(folder, "Unity").mkdir()
            joined = str(pathlib.Path(folder, "Unity/unity_0_cxx.cxx"))
            pathlib.Path(joined).write_text('/* generated */\n\n#include "/r/a.cc"\n\n#include "/r/b.cc"\n')
            entry = {"directory": folder, "file": joined, "arguments": ["c++", "-I/r", "-c", joined]}
            alone = {"directory": folder, "file": "/r/c.cc", "arguments": ["c++", "-c", "/r/c.cc"]}
            self.assertEqual([("/r/a.cc", ["c++", "-I/r", "-c", "/r/a.cc"]), ("/r/b.cc", ["c++", "-I/r", "-c", "/r/b.cc"])],
                             [(each["file"], each["arguments"]) for each in clang_tidy.apart(entry)])
            self.assertEqual([alone], clang_tidy.apart(alone))

    def test_a_header_concerns_its_source_and_its_test(self):
        known = {"node/a.cc", "tests/unit/node/a_test.cc", "node/b.cc"}
        self.assertEqual(["node/a.cc", "tests/unit/node/a_test.cc"], clang_tidy.concerned(["node/a.h", "docs/x.md"], known))
        self.assertEqual(["node/b.cc"], clang_tidy.concerned(["node/b.cc", "gone.cc"], known))


class Coverage(unittest.TestCase):
    PROGRAM = 'int twice(int x);\nint never(int x) {\n  return x;\n}\nint main(int n, char**) {\n  return twice(n) == 9 ? never(n) : 0;\n}\n'

    def test_half_a_module_has_run(self):
        with tempfile.TemporaryDirectory(prefix="tidy-test-") as folder:
            root = pathlib.Path(folder)
            (root / "node/agent").mkdir(parents=True)
            (root / "tests").mkdir()
            (root / "build").mkdir()
            (root / "node/agent/a.cc").write_text(self.PROGRAM)
            (root / "tests/b.cc").write_text("int twice(int x) {\n  return 2 * x;\n}\n")
            subprocess.run(["c++", "--coverage", "-O0", "../node/agent/a.cc", "../tests/b.cc", "-o", "a"], cwd=root / "build", check=True)
            with self.assertRaises(coverage.Failure):
                coverage.collect(root / "build", root)
            subprocess.run([str(root / "build/a")], cwd=root / "build", check=True)
            lines = coverage.collect(root / "build", root)
        self.assertEqual(["node/agent/a.cc"], list(lines))
        self.assertEqual({"node/agent": (2, 4)}, coverage.by_module(lines))

    def test_modules(self):
        for path, module in (("common/rest/a.cc", "common/rest"), ("netfw/haproxy/x/a.cc", "netfw/haproxy"), ("cli/a.cc", "cli"),
                             ("tests/unit/cli/a.cc", None), ("../usr/include/c++/12/map", None), ("dev", None)):
            self.assertEqual(module, coverage.module_of(path), path)


class Completion(unittest.TestCase):
    SCRIPT = 'source completions/dev; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _gestalt_dev; printf "%s\\n" "${COMPREPLY[@]}"'

    def offered(self, *words):
        with tempfile.TemporaryDirectory(prefix="tidy-test-") as folder:
            program = pathlib.Path(folder, "dev")  # not ./dev itself, which wants to be root
            program.write_text(f'#!/bin/sh\nexec {sys.executable} -B "{ROOT}/tools/dev" "$@"\n')
            program.chmod(0o755)
            done = subprocess.run(["bash", "-c", self.SCRIPT, "bash", str(program), *words], cwd=ROOT, capture_output=True, text=True, check=True)
        self.assertEqual("", done.stderr)
        return done.stdout.split()

    def test_verbs_and_what_they_take(self):
        self.assertEqual(["up"], self.offered("u"))
        self.assertIn("coverage", self.offered(""))
        self.assertEqual(["unit"], self.offered("test", "un"))
        self.assertEqual(["heal"], self.offered("show", "he"))
        self.assertEqual(["--smoke"], self.offered("show", "heal", "--sm"))
        self.assertEqual(["app_fuzz"], self.offered("fuzz", "app"))
        self.assertEqual(["--follow"], self.offered("logs", "--fo"))
        self.assertEqual([], self.offered("shell", "n"))


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Progress(unittest.TestCase):
    def counter(self, out):
        self.time = 0.0
        return say.Counter("building", out, lambda: self.time)

    def pass_time(self, counter, seconds, done, total=10):
        self.time += seconds
        counter.count(done, total)
        counter.tick()

    def test_a_log_gets_a_line_every_15_seconds_and_one_at_the_end(self):
        out = io.StringIO()
        counter = self.counter(out)
        for done in range(1, 9):
            self.pass_time(counter, 8, done)
        counter.count(10, 10)
        counter.end()
        self.assertEqual(["  building: 2/10, about 64 s left", "  building: 4/10, about 48 s left", "  building: 6/10, about 32 s left",
                          "  building: 8/10, about 16 s left", "  building: 10/10"], out.getvalue().splitlines())

    def test_a_terminal_sees_one_line_that_changes(self):
        out = Terminal()
        counter = self.counter(out)
        self.pass_time(counter, 1, 3)
        self.pass_time(counter, 1, 10)
        counter.end()
        self.assertEqual(1, out.getvalue().count("\n"))
        self.assertIn("\r  building: 3/10\x1b[K\r  building: 10/10", out.getvalue())

    def test_a_program_without_a_count_tells_that_it_goes_on(self):
        out = io.StringIO()
        counter = self.counter(out)
        self.time = 16
        counter.tick()
        self.assertEqual("  building: 16 s so far\n", out.getvalue())

    def test_a_short_program_says_nothing(self):
        out = io.StringIO()
        self.counter(out).end()
        self.assertEqual("", out.getvalue())

    def test_the_count_is_read_from_what_ninja_and_ctest_write(self):
        for text, count in (("[1/7] CXX a.o\n[3/7] CXX b.o\n", (3, 7)), ("      Start 4: a\n 2/50 Test  #4: a ... Passed\n", (2, 50)),
                            ("see [1/2] here\n", (0, 0))):
            with tempfile.TemporaryDirectory(prefix="tidy-test-") as folder:
                log = pathlib.Path(folder, "log")
                counter = self.counter(io.StringIO())
                with open(log, "wb") as sink:
                    process = subprocess.Popen(["printf", "%s", text], stdout=sink)
                self.assertEqual(0, run.wait(process, log, counter))
                self.assertEqual(count, (counter.done, counter.total), text)

    def test_a_program_that_fails_shows_the_end_of_its_log(self):
        with tempfile.TemporaryDirectory(prefix="tidy-test-") as folder, self.assertRaisesRegex(say.Failure, "(?s)no such.*status 3.*Mend it"):
            run.quiet(["sh", "-c", "echo no such thing; exit 3"], "making", pathlib.Path(folder, "log"), "Mend it.")


class JsonSchema(unittest.TestCase):
    """The reader of schemas by which the shows judge the services' replies."""
    TREE = {"type": "object", "additionalProperties": False, "required": ["name"], "properties": {
        "name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}}}
    # Schema, value, and where the value is wrong; None when it fits.
    CASES = [({"type": "string"}, "a", None), ({"type": "string"}, 7, ""), ({"type": ["string", "null"]}, None, None),
             ({"type": "integer"}, 7.0, None), ({"type": "integer"}, 7.5, ""), ({"type": "integer"}, True, ""),
             ({"type": "number"}, False, ""), ({"type": "boolean"}, 1, ""), ({"minimum": 1}, 0, ""), ({"maximum": 1}, 2, ""),
             ({"minimum": 1}, "text", None), ({"enum": ["a", 1]}, 1, None), ({"enum": [1]}, True, ""), ({"const": [1]}, [True], ""),
             ({"const": {"a": 1}}, {"a": 1}, None), ({"minLength": 2}, "ä", ""), ({"maxLength": 1}, "ä", None),
             ({"pattern": "^[a-z]+$"}, "a1", ""), ({"pattern": "b"}, "abc", None), ({"format": "uuid"}, "6b0ef1f4", ""),
             ({"format": "uuid"}, "6b0ef1f4-1111-4222-8333-444455556666", None), ({"format": "date-time"}, "yesterday", ""),
             ({"format": "date-time"}, "2026-01-31T08:00:00.123Z", None), ({"required": ["a/b"]}, {}, "/a~1b"),
             ({"properties": {"a": {"type": "integer"}}}, {"a": "x"}, "/a"), ({"additionalProperties": {"type": "integer"}}, {"a": "x"}, "/a"),
             ({"additionalProperties": False}, {"a": 1}, "/a"), ({"items": {"type": "integer"}}, [1, "x"], "/1"),
             ({"minItems": 1}, [], ""), ({"maxItems": 1}, [1, 2], ""), ({"minProperties": 1}, {}, ""), ({"maxProperties": 0}, {"a": 1}, ""),
             ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "x", ""), ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, None, None),
             ({"oneOf": [{"type": "integer"}, {"minimum": 3}]}, 5, ""), ({"allOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": 1}, "/b"),
             ({"$ref": "#/components/schemas/Tree"}, {"name": "", "children": [{"name": "", "x": 1}]}, "/children/0/x")]

    def test_values_fit_or_are_refused_at_the_right_place(self):
        schemas = json_schema.Schemas({"Tree": self.TREE})
        for schema, value, place in self.CASES:
            schemas.check(schema, "")
            wrong = schemas.mismatch(schema, value)
            self.assertEqual(place, wrong if wrong is None else wrong.split(":")[0], (schema, value))

    def test_words_that_it_does_not_know_are_refused(self):
        for schema in ({"properties": {"a": {"patternProperties": {}}}}, {"$ref": "#/components/schemas/Nothing"}, {"items": {"if": {}}}):
            with self.assertRaises(json_schema.UnknownWord):
                json_schema.Schemas({"Bad": schema})


class RoutesClient(unittest.TestCase):
    """The client that the show of the services' routes makes of a document: what it takes for a broken promise."""
    THING = {"type": "object", "required": ["id"], "additionalProperties": False, "properties": {"id": {"type": "integer"}}}
    JSON = {"Content-Type": "application/json"}

    def setUp(self):
        form = lambda name: {"$ref": "#/components/schemas/" + name}
        json_of = lambda schema: {"content": {"application/json": {"schema": schema}}}
        forms = {"anyOf": [self.THING, form("DryRun"), form("Explained")]}
        change = {"x-access": "right", "x-kind": "mutation", "x-reply": self.THING, "x-route": "/t/{id}", "x-action": "t.change", "parameters": [],
                  "responses": {"2XX": json_of(forms), "default": json_of(form("Error"))}}
        self.api = {"paths": {"/t/{id}": {"post": change}}, "components": {"schemas": {
            "DryRun": {"type": "object", "required": ["dryrun", "would"], "properties": {"dryrun": {"const": True}, "would": {"type": "object"}}},
            "Explained": {"type": "object", "required": ["explain"]}, "Error": {"type": "object", "required": ["code"]}}}}
        self.reply = None
        self.client = services_routes.Client(self)

    def ask(self, _, path, *__):
        return (200, {}, json.dumps(self.api)) if path == "/openapi.json" else self.reply

    def call(self, status, headers, text, **parameters):
        self.reply = status, headers, text
        self.client.call("POST", "/t/{id}", id="1", **parameters)
        wrong, self.client.wrong = self.client.wrong, []
        return wrong

    def test_replies_that_are_promised_and_others(self):
        for status, headers, text, is_right in (
                (200, self.JSON, '{"id":1}', True), (201, self.JSON, '{"id":1}', True), (200, self.JSON, '{"id":"x"}', False), (204, {}, "", True),
                (200, {}, "", False), (200, {"Content-Type": "text/html"}, "x", False), (404, self.JSON, '{"code":404}', True),
                (404, self.JSON, "{}", False), (303, {"Location": "/"}, "", True)):
            self.assertEqual(is_right, not self.call(status, headers, text), (status, headers, text))
        self.assertEqual({("POST", "/t/{id}")}, self.client.good)

    def test_a_dry_run_is_answered_as_one(self):
        self.assertTrue(self.call(200, self.JSON, '{"id":1}', dryrun="true"))
        self.assertTrue(self.call(204, {}, "", dryrun="true"))
        self.assertEqual([], self.call(200, self.JSON, '{"dryrun":true,"would":{"status":409}}', dryrun="true"))
        self.assertEqual(set(), self.client.tried)
        self.assertEqual([], self.call(200, self.JSON, '{"dryrun":true,"would":{"status":201}}', dryrun="true"))
        self.assertEqual({("POST", "/t/{id}")}, self.client.tried)


if __name__ == "__main__":
    unittest.main()
