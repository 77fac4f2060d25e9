# SPDX-License-Identifier: Apache-2.0
"""The daemons are killed under load: instances keep their processes, requests their answers, the interfaces their content."""
import json

import appliance
import say

from . import frame

ABOUT = ("kill every daemon under load: same instances, no failed request; apps, groups, deployments, versions, instances, services, "
         "policy, the kernel's rules and sets and HAProxy's servers are the same afterwards")
PORT = 10000
# Fields of an answer that say when it was made or last looked, not what is.
MOVING = {"lastSuccess", "last_success", "lastUpdate", "sequence", "boot", "uptime_seconds", "health_results",
          "healthCheckResults", "resident_bytes", "cpu_seconds", "memory_bytes_used"}


def settled(value):
    """The value without its moving fields, in an order of its own."""
    if isinstance(value, dict):
        return {key: settled(item) for key, item in sorted(value.items()) if key not in MOVING}
    if isinstance(value, list):
        return sorted((settled(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


# Of each of HAProxy's servers; its other columns are times and counts of checks.
MEMBER_COLUMNS = ("be_name", "srv_name", "srv_addr", "srv_port", "srv_op_state", "srv_admin_state", "srv_uweight")


def answers(node):
    """What the daemons say there is, and what the kernel and HAProxy have, which no daemon is asked for."""
    found = {path: settled(node.ask("GET", path))
             for path in ("/v2/apps?embed=apps.tasks", "/v2/groups", "/v2/groups/versions", "/v2/deployments", "/v2/apps/sample/versions")}
    for daemon, path in (("agentd", "/v1/instances"), ("netfwd", "/v1/instances"), ("netfwd", "/v1/policy")):
        found[f"{daemon} {path}"] = settled(json.loads(node.socket(daemon, "GET", path)))
    services = json.loads(node.socket("netfwd", "GET", "/v1/services"))
    # masterd counts what it sends from its own start on.
    found["netfwd /v1/services"] = settled({name: services[name] for name in ("services", "problems")})
    backend = frame.packet_filter_of(node)
    found[f"rules of {backend}"] = frame.rules(node, backend)
    found[f"sets of {backend}"] = frame.sets(node, backend)
    found["HAProxy's servers"] = sorted([member[column] for column in MEMBER_COLUMNS] for member in frame.members(node))
    return found


def settled_answers(node):
    """The answers once they are the same twice, so that nothing is under way any more."""
    last = {}

    def is_same():
        before = dict(last)
        last.update(answers(node))
        return last == before
    node.wait_for("answers that stay", is_same)
    return last


def main_pid(node, daemon):
    return node.node.run(["systemctl", "show", "-p", "MainPID", "--value", f"gestalt-{daemon}.service"]).strip()


def kill(node, daemon):
    """SIGKILL of the daemon's main process, then wait until systemd has another one that says it is ready."""
    before = main_pid(node, daemon)
    node.node.run(["kill", "-KILL", before])

    def back():
        state = node.node.run(["systemctl", "is-active", f"gestalt-{daemon}.service"], check=False).strip()
        return state == "active" and main_pid(node, daemon) not in (before, "0")
    node.wait_for(f"{daemon} after its kill", back, 30)


def show(report):
    rounds = 3 if report.smoke else 20
    with frame.fresh_appliance() as node:
        node.run_app(appliance.sample_app(node.put_image(), instances=3, service_port=PORT))
        node.wait_answer(node.url_of(PORT))
        before, running = settled_answers(node), frame.instances(node)
        with frame.Load(node, PORT) as load:
            for turn in range(rounds):
                for daemon in appliance.DAEMONS:
                    kill(node, daemon)
                say.note(f"round {turn + 1} of {rounds}")
            unlike = differing(node, before)
        report.figure("daemons killed", rounds * len(appliance.DAEMONS))
        report.figure("instances with the same process", sum(frame.instances(node).get(task) == pid
                                                             for task, pid in running.items()), exactly=len(running))
        report.figure("compared before and after", len(before))
        report.figure("of them different", len(unlike), "; ".join(unlike), exactly=0)
        load.figures(report)


def differing(node, before):
    """Waits until all is as before; the names of what is not when that does not come, which it shows."""
    last = {}

    def is_equal():
        last.update(answers(node))
        return last == before
    try:
        node.wait_for("the state of before", is_equal, 20)
    except say.Failure:
        pass
    unlike = [name for name, value in before.items() if last.get(name) != value]
    for name in unlike:
        say.note(f"{name} was {json.dumps(before[name])[:1500]}")
        say.note(f"{name} is  {json.dumps(last.get(name))[:1500]}")
    return unlike
