# SPDX-License-Identifier: Apache-2.0
"""masterd is killed again and again while clients change things.

What was acknowledged is there afterwards, every app ends with the instances it wants, no instance is
restarted because of a crash, and no port is given twice (the fake agents check that themselves).
"""

import random
import sys

import master

ROUNDS = 12


def tasks_of(bed):
    return {task["id"]: task["state"] for task in bed.call("GET", "/v2/tasks")[2]["tasks"]}


def change(bed, dice, wanted):
    """One random change; `wanted` follows only when it was acknowledged."""
    name = f"/app{dice.randrange(6)}"
    instances = dice.randrange(4)
    body = {"id": name, "cmd": f"run {dice.randrange(3)}", "cpus": 0.1, "mem": 16,
            "instances": instances}
    if name in wanted and dice.random() < 0.2:
        status = bed.call("DELETE", f"/v2/apps{name}?force=true")[0]
        assert status == 200, status
        del wanted[name]
        return
    status, _, reply = bed.call("PUT", f"/v2/apps{name}?force=true", body)
    assert status in (200, 201), (status, reply)
    wanted[name] = (body["cmd"], instances)


def check(bed, wanted):
    bed.settled()
    apps = {app["id"]: (app["cmd"], app["instances"])
            for app in bed.call("GET", "/v2/apps")[2]["apps"]}
    assert apps == wanted, (apps, wanted)
    total = sum(instances for _, instances in wanted.values())
    bed.until(lambda: list(tasks_of(bed).values()) == ["TASK_RUNNING"] * total,
              f"{total} instances run")


def test(bed):
    seed = random.randrange(2**32)
    print("seed", seed)
    dice = random.Random(seed)
    wanted = {}
    for _ in range(ROUNDS):
        for _ in range(dice.randrange(1, 5)):
            change(bed, dice, wanted)
        bed.kill()  # deployments are under way more often than not
        bed.start()
        check(bed, wanted)
        before = tasks_of(bed)
        bed.kill()
        bed.start()
        bed.until(lambda: tasks_of(bed) == before, "a crash alone restarts nothing")
    # A dead agent's instances move to the other node.
    victim = next(iter(bed.agents))
    bed.kill_agent(victim)
    bed.until(lambda: victim not in {task["slaveId"] for task in bed.call("GET", "/v2/tasks")[2]["tasks"]},
              "the instances of a dead agent move")
    check(bed, wanted)


if __name__ == "__main__":
    sys.exit(master.run(test))
