# SPDX-License-Identifier: Apache-2.0
"""`./dev up`, `down`, `status`, `shell` and `logs`: one appliance for this clone that stays until it is taken down."""
import hashlib
import os

import appliance
import run
import say
import testbed
from say import Failure

SERVICE_PORT = 10000
HOST = "sample.gestalt"


def prefix():
    """The name of this clone's appliance: the same each time, so that another process finds it."""
    return "g" + hashlib.sha256(str(run.ROOT).encode()).hexdigest()[:5]


def standing():
    """State of this clone's appliance, or None when there is none (or only the ruins of one)."""
    state = testbed.living().get(prefix())
    if not state or not state["nodes"]:
        return None
    node = state["nodes"][0]
    return state if os.path.exists(f"/proc/{node['leader']}") and state["facts"].get("ready") else None


def attached(state, name=None):
    for node in state["nodes"]:
        if name in (None, node["name"]):
            return testbed.Node.attach(testbed.bed.FOLDER / prefix(), node)
    raise Failure(f"there is no node {name}: " + ", ".join(node["name"] for node in state["nodes"]))


def required():
    state = standing()
    if state is None:
        raise Failure("no appliance is up. Start one with ./dev up")
    return state


class Up:
    @staticmethod
    def add_arguments(parser):
        parser.add_argument("--no-sample", action="store_true", help="do not run the sample application")

    @staticmethod
    def main(arguments):
        state = standing()
        if state is not None:
            say.note("the appliance is up already")
            tell(state["facts"])
            return
        appliance.prepare()
        if testbed.leftovers(prefix()):
            testbed.clean_up(prefix())
        bed = appliance.fresh_bed(prefix=prefix(), stay=True).create()
        try:
            start(bed, not arguments.no_sample)
        except BaseException:
            bed.remove()
            raise
        tell(bed.facts)


def start(bed, sample):
    node = appliance.Appliance(bed)
    with say.step("boot the appliance"):
        node.boot()
    bed.facts = {"address": node.node.v4, "sample": sample}
    if sample:
        with say.step("make the sample's image"):
            image = node.put_image()
        with say.step("run /sample with 2 instances"):
            node.wait_for("the master", lambda: node.try_ask("GET", "/v2/info")[0] == 200)
            node.run_app(appliance.sample_app(image, service_port=SERVICE_PORT, host=HOST))
            node.wait_answer(node.url_of(SERVICE_PORT))
            node.wait_answer(node.url_of(80), HOST)
    bed.facts["ready"] = True
    bed.save()


def tell(facts):
    address = facts["address"]
    print()
    if facts["sample"]:
        print(f"  sample application   http://{address}:{SERVICE_PORT}/")
        print(f"  by its virtual host  curl -H 'Host: {HOST}' http://{address}/")
    print(f"  Marathon's API       http://{address}:{appliance.MASTER_PORT}/v2/apps  (token: ./dev shell -- cat "
          "/var/lib/gestalt/credentials/admin.token)")
    print("  inside the node      ./dev shell      its log  ./dev logs")
    print("  stop it              ./dev down\n", flush=True)


class Down:
    @staticmethod
    def add_arguments(parser):
        parser.add_argument("--all", action="store_true", help="every test bed on this machine, of other clones and runs too")

    @staticmethod
    def main(arguments):
        testbed.clean_up_dead()
        wanted = sorted(testbed.living()) if arguments.all else [prefix()]
        for name in wanted:
            if testbed.leftovers(name):
                with say.step(f"take down {name}"):
                    testbed.clean_up(name)
        say.note("nothing is left" if arguments.all else "the appliance is down, nothing of it is left")


class Status:
    @staticmethod
    def add_arguments(parser):
        pass

    @staticmethod
    def main(_arguments):
        state = standing()
        if state is None:
            print("no appliance is up")
            return 3
        print(f"appliance {state['prefix']} is up at {state['facts']['address']}")
        node = attached(state)
        run.stream(node.inside(["systemctl", "--no-pager", "--plain", "list-units", "gestalt*", "gst-*"]), "systemctl")
        return 0


class Shell:
    @staticmethod
    def add_arguments(parser):
        parser.add_argument("node", nargs="?", help="which node (default: the first)")
        parser.epilog = "Words after -- are a command in place of a shell."

    @staticmethod
    def main(arguments):
        node = attached(required(), arguments.node)
        argv = node.inside(arguments.command or ["/bin/bash", "--login"])
        os.execvp(argv[0], argv)


class Logs:
    @staticmethod
    def add_arguments(parser):
        parser.add_argument("unit", nargs="?", default="gestalt-*", help="a unit (default: gestalt-*)")
        parser.add_argument("-f", "--follow", action="store_true", help="go on with what comes")

    @staticmethod
    def main(arguments):
        argv = ["journalctl", "--no-pager", "-u", arguments.unit, *(["-f"] if arguments.follow else [])]
        command = attached(required()).inside(argv)
        os.execvp(command[0], command)
