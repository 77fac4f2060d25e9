#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one violation of each rule in a small tree and sees that tidy reports it there, and nothing else."""
import os
import tempfile
import unittest

import source
import tidy

CC = "// SPDX-License-Identifier: Apache-2.0\n"
H = CC + "// A sentence on what this is.\n#pragma once\n"


def good_tree():
    return {
        "common/base/text.h": H,
        "common/base/text.cc": CC + '#include "common/base/text.h"\n#include <string>\n#include <sys/stat.h>\n',
        "tests/unit/common/base/text_test.cc": CC + '#include "common/base/text.h"\n',
        "common/sys/lmdb.h": H + "#include <lmdb.h>\n",
        "node/api/node.h": H + '#include "common/base/text.h"\n',
        "node/agent/plan.h": H + '#include "node/api/node.h"\n',
        "node/agent/plan.cc": CC + '#include "node/agent/plan.h"\n'
                              'auto a = base::Error{Code::internal, "x", "agent_lost"};\n'
                              'void f() { base::log::info("AGENT_STARTED", "up"); }\n'
                              'rest::Scope s("node:read");\n',
        "tests/unit/node/agent/plan_test.cc": CC,
        "netfw/model/rules.h": H + '#include "node/api/node.h"\n',
        "docs/reference/problems.md": "- agent_lost — the agent is gone — start it\n",
        "docs/reference/events.md": "- AGENT_STARTED — it runs — nothing\n",
        "docs/reference/scopes.md": "- `node:read` — look at a node — all\n",
        "docs/page.md": "[problems](reference/problems.md) [web](https://example.org)\n",
        "tests/untested.txt": "# none\n",
        "tests/tidy/allowed.txt": "# none\n",
    }


class Planted(unittest.TestCase):
    def found(self, changes):
        tree = good_tree()
        tree.update(changes)
        with tempfile.TemporaryDirectory(prefix="tidy-test-") as folder:
            for path, text in tree.items():
                if text is None:
                    continue
                full = os.path.join(folder, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as file:
                    file.write(text)
            return [(violation.rule, violation.path, violation.line) for violation in tidy.check(folder)]

    def expect(self, changes, *wanted):
        self.assertEqual(sorted(wanted), sorted(self.found(changes)))

    def test_a_good_tree_is_tidy(self):
        self.expect({})

    def test_a_service_that_reaches_into_another(self):
        self.expect({"services/meta/a.h": H + '#include "services/event/b.h"\n', "services/event/b.h": H},
                    ("direction", "services/meta/a.h", 4))
        self.expect({"services/meta/a.h": H + '#include "services/event/api/b.h"\n', "services/event/api/b.h": H})

    def test_an_include_that_points_up(self):
        self.expect({"common/base/a.h": H + '#include "common/rest/b.h"\n', "common/rest/b.h": H},
                    ("direction", "common/base/a.h", 4))

    def test_store_and_coordination_are_siblings(self):
        self.expect({"common/store/a.h": H + '#include "common/coordination/b.h"\n', "common/coordination/b.h": H},
                    ("direction", "common/store/a.h", 4))

    def test_a_subsystem_that_looks_into_another(self):
        self.expect({"node/agent/plan.h": H + '#include "netfw/model/rules.h"\n'},
                    ("direction", "node/agent/plan.h", 4))

    def test_master_that_looks_into_agent(self):
        self.expect({"node/master/a.h": H + '#include "node/agent/plan.h"\n'}, ("direction", "node/master/a.h", 4))

    def test_the_command_line_that_includes_a_daemon(self):
        self.expect({"cli/a.h": H + '#include "node/agent/plan.h"\n#include "node/api/node.h"\n'},
                    ("direction", "cli/a.h", 4))

    def test_a_name_in_unnamed_namespaces_of_two_sources_of_a_target(self):
        page = "# SPDX-License-Identifier: Apache-2.0\nadd_module(text SOURCES text.cc words.cc)\n"
        inside = '#include "common/base/text.h"\nnamespace base {\nnamespace {\nvoid run() {\n  call();\n}\nconstexpr int kMax = 1;\n{}\n}  // namespace\n}\n'
        words = {"common/base/CMakeLists.txt": page, "tests/unit/common/base/words_test.cc": CC,
                 "common/base/text.cc": CC + inside.replace("{}", "int size(int a) {")}
        self.expect({**words, "common/base/words.cc": CC + inside.replace("{}", "int size(int b) {")},
                    ("unity", "common/base/words.cc", 5), ("unity", "common/base/words.cc", 8), ("unity", "common/base/words.cc", 9))
        self.expect({**words, "common/base/words.cc": CC + inside.replace("kMax", "kMin").replace("run", "go").replace("{}", "int size(char a) {")})
        self.expect({**words, "common/base/words.cc": CC + inside.replace("{}", "int size(int a) {"),
                     "common/base/CMakeLists.txt": page + "set_target_properties(text PROPERTIES UNITY_BUILD OFF)\n"})

    def test_an_include_that_is_not_written_from_the_root(self):
        self.expect({"netfw/model/a.h": H + '#include "rules.h"\n'}, ("direction", "netfw/model/a.h", 4))

    def test_a_third_party_header_outside_its_wrapper(self):
        self.expect({"common/store/a.h": H + "#include <lmdb.h>\n"}, ("third_party", "common/store/a.h", 4))

    def test_a_third_party_header_that_nobody_wraps(self):
        self.expect({"common/sys/a.h": H + "#include <archive.h>\n"}, ("third_party", "common/sys/a.h", 4))

    def test_the_json_library_in_a_header(self):
        self.expect({"node/api/a.h": H + "#include <nlohmann/json.hpp>\n"}, ("third_party", "node/api/a.h", 4))

    def test_a_cycle_of_files(self):
        self.expect({"node/agent/a.h": H + '#include "node/agent/b.h"\n', "node/agent/b.h": H + '#include "node/agent/c.h"\n',
                     "node/agent/c.h": H + '#include "node/agent/a.h"\n'}, ("cycle", "node/agent/a.h", 1))

    def test_a_cycle_of_folders(self):
        self.expect({"netfw/plan/a.h": H + '#include "netfw/model/rules.h"\n', "netfw/plan/b.h": H,
                     "netfw/model/c.h": H + '#include "netfw/plan/b.h"\n'}, ("cycle", "netfw/model", 1))

    def test_a_source_without_a_test(self):
        self.expect({"node/agent/new.cc": CC}, ("mirror", "node/agent/new.cc", 1))

    def test_a_test_that_includes_the_header_counts(self):
        self.expect({"node/agent/new.cc": CC, "node/agent/new.h": H,
                     "tests/contract/all_test.cc": CC + '#include "node/agent/new.h"\n'})

    def test_the_list_of_untested_sources_only_shrinks(self):
        self.expect({"tests/untested.txt": "node/agent/plan.cc\ncommon/base/gone.cc\n"},
                    ("mirror", "tests/untested.txt", 1), ("mirror", "tests/untested.txt", 2))

    def test_a_file_without_a_licence(self):
        self.expect({"node/agent/plan.h": "// A sentence.\n#pragma once\n", "tests/x/CMakeLists.txt": "project(x)\n",
                     "packaging/a.service": "[Unit]\n"},
                    ("licence", "node/agent/plan.h", 1), ("header", "node/agent/plan.h", 2),
                    ("licence", "tests/x/CMakeLists.txt", 1), ("licence", "packaging/a.service", 1))

    def test_the_other_licence_outside_its_folder(self):
        gpl = "// SPDX-License-Identifier: GPL-2.0-only\n"
        self.expect({"netfw/iptables/a.h": gpl + "// A sentence.\n", "netfw/model/a.h": gpl + "// A sentence.\n"},
                    ("licence", "netfw/model/a.h", 1))

    def test_a_script_has_its_licence_after_the_interpreter(self):
        self.expect({"tools/a.py": "#!/usr/bin/env python3\n# SPDX-License-Identifier: Apache-2.0\n"})

    def test_a_header_without_a_sentence(self):
        self.expect({"node/agent/plan.h": CC + "#pragma once\n"}, ("header", "node/agent/plan.h", 2))

    def test_a_reason_that_is_in_no_catalogue(self):
        self.expect({"node/agent/b.h": H + 'return Error{Code::x, "a, (b) " + f(1, 2),\n   "new_reason", 0};\n'},
                    ("reason", "node/agent/b.h", 5))

    def test_reasons_of_a_choice_of_reject_and_of_an_assignment(self):
        self.expect({"node/agent/b.h": H + 'Error{c, "d", on ? "one_reason" : "two_reason"};\n'
                                           'fields.reject("name", "text", "three_reason");\nerror.reason = "four_reason";\n'},
                    ("reason", "node/agent/b.h", 4), ("reason", "node/agent/b.h", 4),
                    ("reason", "node/agent/b.h", 5), ("reason", "node/agent/b.h", 6))

    def test_a_reason_in_a_comment_does_not_count(self):
        self.expect({"node/agent/b.h": H + '// Error{c, "d", "new_reason"}\n'})

    def test_a_stale_reason_and_a_wrong_order(self):
        self.expect({"docs/reference/problems.md": "- zebra — a — b\n- agent_lost — a — b\n"},
                    ("reason", "docs/reference/problems.md", 1), ("reason", "docs/reference/problems.md", 1))

    def test_an_entry_that_is_there_twice(self):
        self.expect({"docs/reference/problems.md": "- agent_lost — a — b\n- agent_lost — c — d\n"},
                    ("reason", "docs/reference/problems.md", 1))

    def test_an_event_that_is_in_no_catalogue_and_a_stale_one(self):
        self.expect({"node/agent/b.h": H + 'base::log::write(Level::info, "AGENT_LOST", "x");\n',
                     "docs/reference/events.md": "- AGENT_GONE — a — b\n- AGENT_STARTED — a — b\n"},
                    ("event", "node/agent/b.h", 4), ("event", "docs/reference/events.md", 1))

    def test_a_scope_that_is_not_listed(self):
        self.expect({"node/agent/b.h": H + 'constexpr Scope kWrite("node:admin");\n'}, ("scope", "node/agent/b.h", 4))

    def test_a_file_that_is_too_long(self):
        self.expect({"node/agent/b.h": H + "\n" * 600}, ("length", "node/agent/b.h", 600))

    def test_a_note_to_oneself(self):
        self.expect({"node/agent/b.h": H + "// TO" "DO: later\n"}, ("note", "node/agent/b.h", 4))

    def test_calls_that_are_not_made(self):
        for call in ('system("ls")', 'popen("ls", "r")', "sleep(1)", "::usleep(5)",
                     "std::this_thread::sleep_for(1s)", "std::system(x)"):
            self.expect({"node/agent/b.h": H + call + ";\n"}, ("call", "node/agent/b.h", 4))

    def test_what_only_looks_like_such_a_call(self):
        self.expect({"node/agent/b.h": H + 'file_system(x); // system("ls")\nauto t = "sleep(1)"; bus.system(); nosleep(1);\n'})

    def test_calls_in_tests_are_free(self):
        self.expect({"tests/support/a.h": H + "usleep(1);\n"})

    def test_a_link_that_leads_nowhere(self):
        self.expect({"docs/page.md": "a\n[b](reference/none.md)\n```\n[c](gone.md)\n```\n"}, ("link", "docs/page.md", 2))

    def test_a_path_in_a_page_that_is_not_there(self):
        self.expect({"docs/page.md": "`node/agent/plan.h` `node/agent/` `node/<x>.h` `a/b`\n`node/gone.h` `tests/none`\n"},
                    ("path", "docs/page.md", 2), ("path", "docs/page.md", 2))

    def test_a_verb_that_the_page_lacks_and_one_that_is_gone(self):
        spdx = "# SPDX-License-Identifier: Apache-2.0\n"
        self.expect({"tools/dev/__main__.py": spdx + 'VERBS = {\n    "up": (up, "x"),\n    "down": (up, "x"),\n}\n',
                     "tools/dev/show.py": spdx + 'SHOWS = {\n    "start-cost": x,\n}\n',
                     "docs/testing.md": "| `./dev up` | x |\n| `./dev fly` | x |\n| `./dev test all` | x |\n"},
                    ("verb", "tools/dev/__main__.py", 1), ("verb", "tools/dev/show.py", 1), ("verb", "docs/testing.md", 1))

    def test_an_exception_excuses_one_rule_in_one_file(self):
        self.expect({"node/agent/b.h": H + "sleep(1);\n// FIX" "ME\n",
                     "tests/tidy/allowed.txt": "call node/agent/b.h — the device gives no sign\n"},
                    ("note", "node/agent/b.h", 5))

    def test_an_exception_that_excuses_nothing(self):
        self.expect({"tests/tidy/allowed.txt": "call node/agent/plan.h — once upon a time\n"},
                    ("allowed", "tests/tidy/allowed.txt", 1))


class Source(unittest.TestCase):
    def test_raw_strings_and_quotes_do_not_confuse(self):
        text = 'auto a = R"(Error{c, "d", "inside_raw"})"; char b = \'"\'; Error{c, "x\\"y, z", "real_one"};'
        self.assertEqual([(1, "real_one")], list(source.error_reasons(text)))

    def test_an_unfinished_bracket_gives_nothing(self):
        self.assertEqual([], source.arguments("f(a, b", 1))

    def test_lines_survive_the_removal_of_comments(self):
        text = "a /* b\nc */ d // e\nf"
        self.assertEqual(text.count("\n"), source.without_comments(text).count("\n"))
        self.assertNotIn("e", source.without_comments(text))


class Cycles(unittest.TestCase):
    def test_a_diamond_is_no_cycle(self):
        self.assertIsNone(tidy.find_cycle({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}))

    def test_a_node_that_points_to_itself(self):
        self.assertEqual(["a", "a"], tidy.find_cycle({"a": ["a"]}))

    def test_a_long_chain_needs_no_deep_stack(self):
        graph = {f"n{i:05}": [f"n{i + 1:05}"] for i in range(20000)}
        graph["n20000"] = ["n00000"]
        self.assertEqual(20002, len(tidy.find_cycle(graph)))


if __name__ == "__main__":
    unittest.main()
