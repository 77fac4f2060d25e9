#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads the source tree and reports every place that breaks a rule of docs/style.md.

    tests/tidy/tidy.py [ROOT]          prints PATH:LINE: RULE: TEXT, exits with 1 when there is any

A rule is a function that takes a Tree and yields Violations. tests/tidy/tidy_test.py plants one violation of each
kind. An exception is a line `RULE PATH — why` in tests/tidy/allowed.txt; one that excuses nothing is itself a
violation.
"""
import collections
import os
import re
import subprocess
import sys

import source

Violation = collections.namedtuple("Violation", "path line rule text")

PRODUCT = ("common/", "netfw/", "node/", "dfs/", "services/", "cli/")
CODE = (".cc", ".h")
FILE_LINES_MAX = 600

# Lowest first. A folder may include what stands on a lower level, and its own.
LEVELS = [
    ["common/base"],
    ["common/sys"],
    ["common/store", "common/coordination"],
    ["common/rest"],
    ["dfs", "netfw", "node"],
    ["services"],
    ["cli"],
]
# Folders below a subsystem that its other folders, and everything above, may include.
OPEN = ("api",)
# Libraries without a daemon that the command line calls in its own process.
LINKED_BY_CLI = ("node/preflight",)

# Third-party headers, and the only files that may include them.
WRAPPERS = [
    (r"lmdb\.h$", r"common/sys/lmdb"),
    (r"systemd/", r"common/sys/"),
    (r"curl/", r"common/sys/"),
    (r"openssl/", r"common/sys/(tls|crypto|ed25519)|netfw/api/"),
    (r"microhttpd\.h$|gnutls/", r"common/rest/(server|listen)"),
    (r"netlink/|libmnl/", r"common/sys/|netfw/"),
    (r"libiptc/|xtables\.h$|iptables", r"netfw/iptables/"),
    (r"libnftables|nftables/", r"netfw/nftables/"),
    (r"fuse3?/|fuse_", r"dfs/fuse/"),
    (r"zookeeper/", r"common/coordination/"),
    (r"librdkafka/", r"services/event/kafka_client"),
    (r"libxml/|xmlsec/", r"services/security/adapters/saml/xml_signature"),
    (r"^(ldap|lber)\.h$", r"common/sys/ldap"),
    (r"libpq-fe\.h$", r"common/store/pg_connection"),
    (r"CLI/", r"(cli/(dfs_)?command_line|services/store_tool)\.cc"),
    (r"^yaml\.h$", r"cli/yaml"),
    (r"nlohmann/json\.hpp$", r".*\.cc$|samples/"),
    (r"nlohmann/json_fwd\.hpp$", r""),
]
# Headers of the C library and of the kernel.
SYSTEM = re.compile(
    r"^(sys|netinet|arpa|net|linux|bits|asm|netpacket)/|"
    r"^(aio|byteswap|cpuid|ctype|dirent|dlfcn|endian|err|errno|fcntl|fnmatch|getopt|glob|grp|ifaddrs|inttypes|limits|"
    r"locale|math|mntent|netdb|poll|pthread|pwd|regex|resolv|sched|semaphore|setjmp|signal|spawn|stdarg|stdbool|stddef|"
    r"stdint|stdio|stdlib|string|strings|syscall|sysexits|syslog|termios|time|uchar|unistd|utime|wchar|x86intrin|"
    r"immintrin|nmmintrin)\.h$")

FORBIDDEN_CALLS = re.compile(
    r"(?<![\w.>])(?:::|std::)?(system|popen|sleep|usleep|nanosleep)\s*\(|\b(sleep_for|sleep_until)\s*\(")


def level_of(path):
    for number, folders in enumerate(LEVELS):
        for folder in folders:
            if path.startswith(folder + "/"):
                return number, folder
    return None


def inner_folder(path, subsystem):
    """The folder right below a subsystem: "agent" of node/agent/config.h."""
    rest = path[len(subsystem) + 1:]
    return rest.split("/", 1)[0] if "/" in rest else ""


def check_direction(tree):
    for path in tree.files(PRODUCT, CODE):
        here = level_of(path)
        if here is None:
            continue
        for line, target in source.includes(tree.text(path), quoted=True):
            there = level_of(target)
            if there is None:
                if not target.endswith(".inc"):
                    yield Violation(path, line, "direction", f'"{target}" is no path from the root of a product folder')
                continue
            (rank, folder), (other_rank, other) = here, there
            opened = inner_folder(target, other) in OPEN
            if other_rank > rank:
                yield Violation(path, line, "direction", f"{folder} may not include {other}, which stands above it")
            elif other_rank == rank and folder != other and not opened:
                yield Violation(path, line, "direction", f"{folder} may include {other}/api only")
            elif folder == "cli" and other_rank == 4 and not opened and not target.startswith(LINKED_BY_CLI):
                yield Violation(path, line, "direction", "cli speaks REST to daemons, it does not include their parts")
            elif folder == other == "node":
                mine, theirs = inner_folder(path, folder), inner_folder(target, other)
                if mine != theirs and theirs not in OPEN:
                    yield Violation(path, line, "direction", f"node/{mine} may include node/api only, not node/{theirs}")
            elif folder == other == "services":
                yield from check_services(path, line, target)


def check_services(path, line, target):
    """A service may include its own folder, services/framework and what another shows in services/<x>/api."""
    mine, theirs = inner_folder(path, "services"), inner_folder(target, "services")
    if mine and mine != theirs and theirs != "framework" and not re.match(r"services/\w+/api/", target):
        yield Violation(path, line, "direction", f"services/{mine} may include services/{theirs}/api only")


def check_third_party(tree):
    for path in tree.files(PRODUCT + ("samples/",), CODE):
        for line, header in source.includes(tree.text(path), quoted=False):
            wrapper = next((allowed for name, allowed in WRAPPERS if re.search(name, header)), None)
            if wrapper is not None:
                if not re.match(wrapper, path):
                    yield Violation(path, line, "third_party", f"<{header}> belongs to its wrapper ({wrapper})")
            elif header.endswith((".h", ".hpp")) and not SYSTEM.match(header):
                yield Violation(path, line, "third_party", f"<{header}> has no wrapper; see WRAPPERS in tests/tidy")


def find_cycle(graph):
    """One cycle of a graph {node: [nodes]} as a list that begins and ends with the same node, or None."""
    state = {}
    for start in sorted(graph):
        if start in state:
            continue
        path, work = [], [(start, iter(sorted(graph[start])))]
        state[start] = "open"
        path.append(start)
        while work:
            node, rest = work[-1]
            following = next(rest, None)
            if following is None:
                state[node] = "done"
                work.pop()
                path.pop()
            elif state.get(following) == "open":
                return path[path.index(following):] + [following]
            elif following not in state:
                state[following] = "open"
                path.append(following)
                work.append((following, iter(sorted(graph.get(following, ())))))
    return None


def check_cycles(tree):
    files = {path: set() for path in tree.files(PRODUCT, CODE)}
    folders = collections.defaultdict(set)
    for path in files:
        for _, target in source.includes(tree.text(path), quoted=True):
            if target in files:
                files[path].add(target)
                mine, theirs = os.path.dirname(path), os.path.dirname(target)
                folders[mine]
                folders[theirs]
                if mine != theirs:
                    folders[mine].add(theirs)
    for graph, what in ((files, "files"), (folders, "folders")):
        cycle = find_cycle(graph)
        if cycle:
            yield Violation(cycle[0], 1, "cycle", f"{what} include each other: " + " → ".join(cycle))


def untested(tree):
    """Sources that have neither a test of their own name nor a test that includes their header."""
    included = set()
    for path in tree.files(("tests/",), CODE):
        included.update(target for _, target in source.includes(tree.text(path), quoted=True))
    for path in tree.files(PRODUCT, (".cc",)):
        if not tree.has("tests/unit/" + path[:-3] + "_test.cc") and path[:-3] + ".h" not in included:
            yield path


def check_mirror(tree):
    page = "tests/untested.txt"
    listed = tree.listing(page)
    missing = set(untested(tree))
    for path in sorted(missing - set(listed)):
        yield Violation(path, 1, "mirror", f"there is no tests/unit/{path[:-3]}_test.cc, and no test includes its header")
    for path in sorted(set(listed) - missing):
        yield Violation(page, listed[path], "mirror", f"{path} is tested or gone: remove the line")


TARGET = re.compile(r"\badd_(?:module|daemon|suite|library|executable)\(\s*([\w-]+)([^)]*)\)")
# Unnamed namespaces begin and end at the first column; what they declare is at the first column too.
NAMED_INSIDE = re.compile(
    r"^(?! )(?:(?:inline|static|constexpr) )*(?:(?:struct|class|enum class|enum) (?P<type>\w+)[^;\n]*\{|using (?P<alias>\w+) =|"
    r"(?:const )?[\w:<>,*& ]+?[ &*](?P<value>k[A-Z]\w*)(?:\[\w*\])?(?: =|\{| \{)|"
    r"[\w:<>,*& ]+?[ &*](?P<function>\w+)(?P<taken>\([^{};]*\))[^{};()]*\{)", re.MULTILINE)


def names_inside(text):
    """(name, line) of what unnamed namespaces of a source declare; a function's name has what it takes, as it may be overloaded."""
    # What is left of "}  // namespace" ends in spaces; a function's end does not.
    text = source.without_comments(text)
    for block in re.finditer(r"^namespace \{\n(.*?)^\} +$", text, re.MULTILINE | re.DOTALL):
        outer = re.findall(r"^namespace ([\w:]+) \{", text[:block.start()], re.MULTILINE)
        for match in NAMED_INSIDE.finditer(block.group(1)):
            name = next(group for group in match.group("type", "alias", "value", "function") if group)
            kinds = re.sub(r"\s+|\b\w+(?=[,)])", "", match.group("taken") or "")
            yield ("::".join(outer), name, kinds), source.line_of(text, block.start(1) + match.start())


def check_unity(tree):
    """Every preset compiles several sources of a target at a time: their unnamed namespaces are then one."""
    pages = {os.path.dirname(path): tree.text(path) for path in tree.paths if path.endswith("CMakeLists.txt")}
    apart = tuple(folder + "/" for folder, text in pages.items() if "set(CMAKE_UNITY_BUILD OFF)" in text)
    for folder, text in pages.items():
        if (folder + "/").startswith(apart):
            continue
        for match in TARGET.finditer(text):
            if re.search(re.escape(match.group(1)) + r"\s+PROPERTIES[^)]*\bUNITY_BUILD OFF", text):
                continue
            first = {}
            for word in re.findall(r"[\w./-]+\.cc", match.group(2)):
                path = os.path.normpath(os.path.join(folder, word))
                if "routes" in word or not tree.has(path):
                    continue
                for key, line in names_inside(tree.text(path)):
                    if first.setdefault(key, path) != path:
                        yield Violation(path, line, "unity", f"{key[1]} is in an unnamed namespace of {first[key]} too")


SPDX_FILES = re.compile(r"(\.(cc|h|c|py|sh|cmake|service|socket|timer|target|path|slice)|CMakeLists\.txt|"
                        r"^dev|^\.ci/run|^completions/[^/]+|\.[1-8])$")


def check_licence(tree):
    for path in tree.files(("",), ("",)):
        if not SPDX_FILES.search(path) or path.startswith("tests/data/") or not tree.text(path):
            continue
        head = tree.text(path).split("\n", 2)[:2]
        found = next((re.search(r"SPDX-License-Identifier: (\S+)", line) for line in head if "SPDX" in line), None)
        wanted = ("Apache-2.0", "GPL-2.0-only") if path.startswith("netfw/iptables/") else ("Apache-2.0",)
        if found is None or found.group(1) not in wanted:
            yield Violation(path, 1, "licence", "the first line is SPDX-License-Identifier: " + " or ".join(wanted))


def check_header_comment(tree):
    for path in tree.files(PRODUCT, (".h",)):
        lines = tree.text(path).split("\n")
        if len(lines) < 2 or not lines[1].startswith("// "):
            yield Violation(path, 2, "header", "a header opens with a sentence on what it is and who uses it")


def compare(tree, page, used, rule, what, literals):
    """`used` is [(name, path, line)]; `literals` is every text in the code, to find entries that are stale."""
    entries = tree.catalogue(page)
    listed = {name for name, _ in entries}
    for name, path, line in used:
        if name not in listed:
            yield Violation(path, line, rule, f'{what} "{name}" has no entry in {page}')
    for name, line in entries:
        if name not in literals:
            yield Violation(page, line, rule, f'{what} "{name}" is in no source: remove the entry')
    for (name, line), (following, _) in zip(entries, entries[1:]):
        if name == following:
            yield Violation(page, line, rule, f'"{name}" is entered twice')
        elif name > following:
            yield Violation(page, line, rule, f'the entries are not sorted: "{following}" belongs before "{name}"')


def compare_used(tree, page, find, what):
    """Compares a page with what `find` sees used in the product's sources."""
    used, literals = [], set()
    for path in tree.files(PRODUCT, CODE):
        text = tree.text(path)
        literals.update(source.literals(text))
        used += [(name, path, line) for line, name in find(text)]
    yield from compare(tree, page, used, what, what, literals)


def check_reasons(tree):
    yield from compare_used(tree, "docs/reference/problems.md", source.error_reasons, "reason")


def check_events(tree):
    yield from compare_used(tree, "docs/reference/events.md", source.log_events, "event")


def check_scopes(tree):
    yield from compare_used(tree, "docs/reference/scopes.md", source.scopes, "scope")


def check_length(tree):
    for path in tree.files(("",), CODE + (".py",)):
        count = tree.text(path).count("\n")
        if count > FILE_LINES_MAX:
            yield Violation(path, FILE_LINES_MAX, "length", f"{count} lines, at most {FILE_LINES_MAX}: split it by room")


def check_notes(tree):
    for path in tree.files(("",), CODE + (".py", ".sh", ".txt", ".cmake", ".service")):
        if path.startswith("tests/tidy/"):
            continue
        for number, line in enumerate(tree.text(path).split("\n"), 1):
            if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
                yield Violation(path, number, "note", "finish it, or open an issue; notes do not go to main")


def check_calls(tree):
    for path in tree.files(PRODUCT, CODE):
        for number, line in enumerate(source.without_comments(tree.text(path)).split("\n"), 1):
            found = FORBIDDEN_CALLS.search(line)
            if found:
                name = found.group(1) or found.group(2)
                better = "sys::run({argv})" if name in ("system", "popen") else "wait for the event"
                yield Violation(path, number, "call", f"{name}() is not used here: {better}")


def check_links(tree):
    """Every relative link of a page leads to a file."""
    for path in tree.files(("",), (".md",)):
        text = re.sub(r"```.*?```", lambda block: "\n" * block.group(0).count("\n"), tree.text(path), flags=re.DOTALL)
        for number, line in enumerate(text.split("\n"), 1):
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", line):
                if re.match(r"[a-z]+:", target):
                    continue
                full = os.path.normpath(os.path.join(os.path.dirname(path), target))
                if not tree.has(full) and not tree.has_folder(full):
                    yield Violation(path, number, "link", f"there is no {full}")


TOP_FOLDERS = "common|node|netfw|dfs|services|cli|tests|docs|install|tools|cmake|samples|completions|man|bench|image|packer"


def check_paths(tree):
    """Every path that a page names in code type exists. Placeholders are written <so>, which no path is."""
    for path in tree.files(("",), (".md",)):
        for number, line in enumerate(tree.text(path).split("\n"), 1):
            for target in re.findall(rf"`((?:{TOP_FOLDERS})/[\w./-]*)`", line):
                target = target.rstrip("/")
                if not tree.has(target) and not tree.has_folder(target):
                    yield Violation(path, number, "path", f"there is no {target}")


def check_verbs(tree):
    """docs/testing.md names each verb of ./dev, and each show, and none besides."""
    page, wanted = "docs/testing.md", {}
    for path, table, prefix in (("tools/dev/__main__.py", "VERBS", ""), ("tools/dev/show.py", "SHOWS", "show ")):
        found = re.search(rf"^{table} = {{$(.*?)^}}$", tree.text(path) if tree.has(path) else "", re.DOTALL | re.MULTILINE)
        for name in re.findall(r'^    "([\w-]+)":', found.group(1) if found else "", re.MULTILINE):
            wanted[prefix + name] = path
    if not wanted:
        return
    text = tree.text(page) if tree.has(page) else ""
    for name, path in wanted.items():
        if f"`./dev {name}`" not in text:
            yield Violation(path, 1, "verb", f"{page} does not name `./dev {name}`")
    for name in re.findall(r"^\| `\./dev ([\w -]+)` \|", text, re.MULTILINE):
        if name not in wanted and not name.startswith("test "):
            yield Violation(page, 1, "verb", f"there is no ./dev {name}")


RULES = [check_direction, check_third_party, check_cycles, check_mirror, check_unity, check_licence, check_header_comment,
         check_reasons, check_events, check_scopes, check_length, check_notes, check_calls, check_links, check_paths, check_verbs]


class Tree:
    """The files of a checkout: what git would commit, or everything below a folder that is no repository."""

    def __init__(self, root):
        self.root = root
        self.texts = {}
        self.paths = sorted(self.list_paths())
        self.folders = {os.path.dirname(path) for path in self.paths}

    def list_paths(self):
        if os.path.exists(os.path.join(self.root, ".git")):
            argv = ["git", "-C", self.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
            listed = subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout.decode().split("\0")
            return {path for path in listed if path and os.path.isfile(os.path.join(self.root, path))}
        found = set()
        for folder, _, names in os.walk(self.root):
            found.update(os.path.relpath(os.path.join(folder, name), self.root) for name in names)
        return found

    def files(self, folders, endings):
        return [path for path in self.paths if path.startswith(tuple(folders)) and path.endswith(tuple(endings))]

    def has(self, path):
        return path in self.paths

    def has_folder(self, path):
        return any(folder == path or folder.startswith(path + "/") for folder in self.folders)

    def text(self, path):
        if path not in self.texts:
            with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
                self.texts[path] = file.read()
        return self.texts[path]

    def listing(self, path):
        """{first word: line} of a file with one entry a line; '#' begins a comment."""
        entries = {}
        for number, line in enumerate(self.text(path).split("\n") if self.has(path) else [], 1):
            if line.strip() and not line.startswith("#"):
                entries[line.split()[0]] = number
        return entries

    def catalogue(self, page):
        """[(name, line)] of a page whose entries are `- name — meaning — …`."""
        entries = []
        for number, line in enumerate(self.text(page).split("\n") if self.has(page) else [], 1):
            found = re.match(r"- `?([\w:]+)`? — ", line)
            if found:
                entries.append((found.group(1), number))
        return entries


def allowed(tree):
    """{(rule, path): line} of tests/tidy/allowed.txt."""
    page = "tests/tidy/allowed.txt"
    entries = {}
    for number, line in enumerate(tree.text(page).split("\n") if tree.has(page) else [], 1):
        words = line.split()
        if len(words) >= 4 and not line.startswith("#"):
            entries[(words[0], words[1])] = number
    return entries


def check(root):
    tree = Tree(root)
    excused = allowed(tree)
    used = set()
    found = []
    for rule in RULES:
        for violation in rule(tree):
            if (violation.rule, violation.path) in excused:
                used.add((violation.rule, violation.path))
            else:
                found.append(violation)
    for entry, line in excused.items():
        if entry not in used:
            found.append(Violation("tests/tidy/allowed.txt", line, "allowed", f"{entry[0]} {entry[1]} excuses nothing"))
    return sorted(set(found))


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    found = check(os.path.abspath(root))
    for violation in found:
        print(f"{violation.path}:{violation.line}: {violation.rule}: {violation.text}")
    print(f"{len(found)} violations" if found else "the tree is tidy")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
