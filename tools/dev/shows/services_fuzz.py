# SPDX-License-Identifier: Apache-2.0
"""Every parser of what the services take from outside, fed by libFuzzer under the address and undefined behaviour sanitizers."""
from shows import fuzzing

ABOUT = "parsers of the services under libFuzzer with sanitizers: executions, coverage, findings"
# What is parsed, and its target in tests/fuzz.
TARGETS = [
    ("JSON and typed fields", "json_fields_fuzz"),
    ("JSON Patch", "json_patch_fuzz"),
    ("names of organisations (FQON)", "fqon_fuzz"),
    ("names and stored resources", "resource_fuzz"),
    ("paths and routes", "route_fuzz"),
    ("queries and forms", "query_fuzz"),
    ("Authorization headers", "authorization_fuzz"),
    ("JWT and key sets", "jwt_fuzz"),
    ("SAML responses", "saml_fuzz"),
    ("LDAP filters", "ldap_filter_fuzz"),
    ("rule expressions", "rule_fuzz"),
    ("security's records, patches, grants", "security_records_fuzz"),
    ("filters of events", "channel_filter_fuzz"),
    ("batches of the event log", "event_batch_fuzz"),
    ("Kafka REST bodies", "confluent_fuzz"),
]


def show(report):
    fuzzing.run_all(report, TARGETS)
