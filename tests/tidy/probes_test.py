#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows exposure.py an open unit, hardening.py a weak executable, pages.py a page that lags behind and public_routes.py
a route that is open in silence."""
import os
import subprocess
import tempfile
import unittest

import exposure
import hardening
import pages
import public_routes

OPEN_UNIT = "[Service]\nExecStart=/bin/true\n"
CLOSED_UNIT = OPEN_UNIT + "".join(line + "\n" for line in (
    "DynamicUser=yes", "CapabilityBoundingSet=", "PrivateNetwork=yes", "PrivateDevices=yes", "PrivateUsers=yes",
    "ProtectSystem=strict", "ProtectHome=yes", "ProtectProc=invisible", "ProcSubset=pid", "ProtectClock=yes",
    "ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectKernelLogs=yes", "ProtectControlGroups=yes",
    "ProtectHostname=yes", "RestrictAddressFamilies=none", "RestrictNamespaces=yes", "RestrictRealtime=yes",
    "LockPersonality=yes", "MemoryDenyWriteExecute=yes", "SystemCallArchitectures=native", "UMask=0077",
    "SystemCallFilter=@basic-io", "NoNewPrivileges=yes"))
PROGRAM = "#include <string.h>\nint main(int n, char** v) { char b[64]; strcpy(b, v[0]); return b[n]; }\n"
STRONG = ["-fPIE", "-pie", "-Wl,-z,relro", "-Wl,-z,now", "-fstack-protector-strong", "-O0"]


class Exposure(unittest.TestCase):
    def check(self, units, budgets):
        with tempfile.TemporaryDirectory(prefix="tidy-test-") as folder:
            for name, text in units.items():
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            return exposure.check(folder, budgets)

    def test_an_open_unit_breaks_its_budget(self):
        wrong, figures = self.check({"a.service": OPEN_UNIT}, {"a.service": (2.0, 1.0, "why")})
        self.assertGreater(figures["a.service"], 9.0)
        self.assertEqual(1, len(wrong))
        self.assertIn("at most 2.0", wrong[0])

    def test_a_closed_unit_keeps_it(self):
        wrong, figures = self.check({"a.service": CLOSED_UNIT}, {"a.service": (1.5, 1.5, "why")})
        self.assertEqual([], wrong)
        self.assertLess(figures["a.service"], 1.5)

    def test_a_unit_without_budget_a_budget_without_unit_and_an_empty_folder(self):
        self.assertIn("no budget", self.check({"a.service": CLOSED_UNIT}, {})[0][0])
        self.assertIn("no such unit", self.check({"a.service": CLOSED_UNIT},
                                                 {"a.service": (9, 9, ""), "b.service": (9, 9, "")})[0][0])
        self.assertIn("no unit", self.check({}, {})[0][0])

    def test_text_that_is_no_unit_is_an_error(self):
        with self.assertRaises(ValueError):
            self.check({"a.service": "not a unit\n"}, {"a.service": (9, 9, "")})


class PublicRoutes(unittest.TestCase):
    PAGE = "text\n- `GET /health` — gestalt-a — balancers\n- POST /oauth/{x} — gestalt-a — how one logs in\n"

    def test_a_page_that_tells_all(self):
        rows = {"gestalt-a": {"GET /health", "POST /oauth/{x}"}, "gestalt-b": set()}
        self.assertEqual([], public_routes.compare(rows, public_routes.listed(self.PAGE)))

    def test_a_route_that_is_not_listed_and_one_that_is_gone(self):
        wrong = public_routes.compare({"gestalt-b": {"GET /health"}, "gestalt-a": {"GET /health"}},
                                      public_routes.listed(self.PAGE))
        self.assertEqual(2, len(wrong))
        self.assertIn("gestalt-a: POST /oauth/{x} is listed", wrong[0])
        self.assertIn("gestalt-b: GET /health is open", wrong[1])

    def test_a_program_is_asked_for_its_rows(self):
        with tempfile.TemporaryDirectory(prefix="tidy-test-") as folder:
            program = os.path.join(folder, "daemon")
            with open(program, "w", encoding="utf-8") as file:
                file.write('#!/bin/sh\n[ "$1" = --help ] && echo "  --dump-routes  print" && exit\n'
                           """echo '[{"method":"GET","path":"/a","scope":"public"},{"method":"PUT","path":"/b","scope":"x:y"}]'\n""")
            os.chmod(program, 0o755)
            self.assertEqual({"GET /a"}, public_routes.public_rows(program))
            self.assertIsNone(public_routes.public_rows("/bin/true"))


class Hardening(unittest.TestCase):
    def weaknesses(self, flags):
        with tempfile.TemporaryDirectory(prefix="tidy-test-") as folder:
            source, program = os.path.join(folder, "a.c"), os.path.join(folder, "a")
            with open(source, "w", encoding="utf-8") as file:
                file.write(PROGRAM)
            subprocess.run(["cc", "-w", *flags, source, "-o", program], check=True, stdin=subprocess.DEVNULL)
            return hardening.weaknesses(program)

    def test_a_strong_executable(self):
        self.assertEqual([], self.weaknesses(STRONG))

    def test_a_strong_static_executable(self):
        self.assertEqual([], self.weaknesses(STRONG + ["-static-pie"]))
        self.assertIn("-pie", self.weaknesses(STRONG + ["-static", "-no-pie", "-fno-pie"])[0])

    def test_a_library_is_no_executable(self):
        self.assertIn("-pie", self.weaknesses(["-fPIC", "-shared", *STRONG[2:]])[0])

    def test_each_flag_that_is_missing_is_noticed(self):
        for worse, word in ((["-no-pie", "-fno-pie"], "-pie"), (["-Wl,-z,norelro"], "relro"),
                            (["-Wl,-z,lazy"], "-z now"), (["-Wl,-z,execstack"], "executable"),
                            (["-fno-stack-protector"], "protector"), (["-Wl,-rpath,/tmp"], "RPATH")):
            found = self.weaknesses(STRONG + worse)
            self.assertEqual(1, len(found), (worse, found))
            self.assertIn(word, found[0])

    def test_a_file_that_is_no_executable_is_an_error(self):
        with self.assertRaises(ValueError):
            hardening.weaknesses(__file__)


HELP = """About
Usage: x [OPTIONS] SUBCOMMAND

Options:
  -h,--help                   Print this help message and exit
  -n,--lines INT=100          Lines --not-an-option
  --state TEXT=/var/lib
                              Long text on a line of its own --neither

Subcommands:
  app                         Applications
  node                        This machine
"""


class Pages(unittest.TestCase):
    def test_a_help_page_is_read(self):
        self.assertEqual((["app", "node"], {"--lines", "--state"}), pages.read_help(HELP))

    def test_what_a_page_lacks_is_named(self):
        found = {"": {"--json"}, "app": set(), "app run": {"--id"}, "status": set()}
        self.assertEqual(["docs/cli.md: `gestalt status` is missing", "docs/cli.md: --id is missing"],
                         pages.check(found, {"docs/cli.md": "app run --json"}))
        self.assertEqual(["completions/x: --id is missing", "completions/x: --old is no option of gestalt"],
                         pages.check(found, {"completions/x": "app run status --json --old"}))
        self.assertEqual([], pages.check(found, {"man/x.1": "app run, status"}))


if __name__ == "__main__":
    unittest.main()
