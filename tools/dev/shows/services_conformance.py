# SPDX-License-Identifier: Apache-2.0
"""Each interface of the services against its contract on every engine it has: stores, event logs, directories, adapters; and the table of
security cases. Real peers (PostgreSQL, slapd, …) are started by the suites themselves."""
import re
import subprocess
import time

import build
from say import Failure

ABOUT = "stores, event logs, directories and adapters pass one contract on each of their engines; security by at least 250 cases"
ORIGINAL_GRANTS = 28  # 14 pairs, each in both directions
# What the suite proves, its executable below the build folder. Colleagues add theirs here.
CONTRACTS = [
    ("store: LMDB", "contract/lmdb_store_test"),
    ("store: PostgreSQL", "contract/postgres_store_test"),
    ("directory: internal", "contract/internal_directory_test"),
    ("directory: slapd", "contract/ldap_directory_test"),
    ("event log: segments", "contract/segment_event_test"),
    ("event log: Kafka (librdkafka's mock cluster)", "contract/kafka_event_test"),
    ("adapters: change management", "contract/change_adapters_test"),
    ("adapters: launcher, Marathon", "contract/marathon_adapter_test"),
]
SECURITY = ["unit/services/security/security_model_test", "unit/services/security/security_service_test",
            "unit/services/security/security_adapters_test", "unit/services/sdk/sdk_test"]
CASES_MIN = 250
SECONDS_MAX = 1200


def run_suite(path):
    """(tests that ran, rows of each table that it tells of, seconds)."""
    begin = time.monotonic()
    done = subprocess.run([build.folder("debug") / "tests" / path], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                          timeout=SECONDS_MAX)
    account = re.search(r"OK \((\d+) tests, (\d+) ran", done.stdout)
    if done.returncode != 0 or account is None:
        raise Failure(f"{path} failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    rows = {what: int(number) for number, what in re.findall(r"(\d+) cases of ([^\n]+)", done.stdout)}
    return int(account.group(2)), rows, time.monotonic() - begin


def show(report):
    suites = [path for _, path in CONTRACTS] + SECURITY
    build.build("debug", [path.rsplit("/", 1)[1] for path in suites])
    for what, path in CONTRACTS:
        ran, _, seconds = run_suite(path)
        report.figure(f"{what}: contract tests green", ran, f"{path.rsplit('/', 1)[1]}, {seconds:.0f} s", at_least=1)
    tests, tables = 0, {}
    for path in SECURITY:
        ran, rows, _ = run_suite(path)
        tests += ran
        tables |= rows
    for what, cases in sorted(tables.items()):
        report.figure(f"security: cases of {what}", cases)
    report.figure("security: cases of all tables", sum(tables.values()), f"beside {tests} tests in {len(SECURITY)} suites", at_least=CASES_MIN)
    report.figure("grant matcher: cases of the original", tables.get("grants of the original", 0), exactly=ORIGINAL_GRANTS)
