# SPDX-License-Identifier: Apache-2.0
"""The daemons are killed under load: instances keep their processes, requests their answers, the interfaces their content."""
import json

import appliance
import say

from . import frame

ABOUT = "kill agentd, masterd and netfwd under load: same instances, no failed request, same answers afterwards"
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


def answers(node):
    return {"/v2/apps": settled(node.ask("GET", "/v2/apps?embed=apps.tasks")),
            "/v1/instances": settled(json.loads(node.socket("agentd", "GET", "/v1/instances")))}


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
        before, running = answers(node), frame.instances(node)
        with frame.Load(node, PORT) as load:
            for turn in range(rounds):
                for daemon in appliance.DAEMONS:
                    kill(node, daemon)
                say.note(f"round {turn + 1} of {rounds}")
            same = not differs(node, before)
        report.figure("daemons killed", rounds * len(appliance.DAEMONS))
        report.figure("instances with the same process", sum(frame.instances(node).get(task) == pid
                                                             for task, pid in running.items()), exactly=len(running))
        report.figure("interfaces answer the same", same, exactly=True)
        load.figures(report)


def differs(node, before):
    """Waits until the answers are as before; says where they are not when they stay so."""
    last = {}

    def equal():
        last.update(answers(node))
        return last == before
    try:
        node.wait_for("the interfaces", equal, 20)
        return False
    except say.Failure:
        for name, value in before.items():
            if last.get(name) != value:
                say.note(f"{name} was {json.dumps(value)[:1500]}")
                say.note(f"{name} is  {json.dumps(last.get(name))[:1500]}")
        return True
