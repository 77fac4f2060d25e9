# SPDX-License-Identifier: Apache-2.0
"""Debian's python3-marathon, unmodified, goes through its whole interface against masterd."""

import threading

import marathon
from marathon.models import MarathonApp, MarathonGroup

import master


def check_basics(client, bed):
    assert client.ping().strip() == b"pong"
    info = client.get_info()
    assert info.name == "marathon" and info.elected and info.framework_id, info
    assert client.get_leader()["leader"] == f"127.0.0.1:{bed.port}"
    assert client.list_apps() == [] and client.list_deployments() == []
    assert "gauges" in client.get_metrics()


def check_apps(client, bed):
    made = client.create_app("/demo/web", MarathonApp(cmd="sleep 1", cpus=0.1, mem=32, instances=2,
                                                      labels={"HAPROXY_GROUP": "external"}))
    assert made.id == "/demo/web" and made.deployments, made
    bed.settled()
    app = client.get_app("/demo/web", embed_tasks=True)
    assert app.tasks_running == 2 and len(app.tasks) == 2, app
    assert all(3000 <= task.ports[0] <= 4000 for task in app.tasks)
    assert app.port_definitions[0].port == 10000
    assert [found.id for found in client.list_apps(label="HAPROXY_GROUP==external")] == ["/demo/web"]
    assert client.list_apps(label="HAPROXY_GROUP==internal") == []
    assert client.list_apps(cmd="sleep")[0].id == "/demo/web"

    client.scale_app("/demo/web", delta=1)
    bed.settled()
    assert len(client.list_tasks("/demo/web")) == 3

    before = {task.id for task in client.list_tasks("/demo/web")}
    client.restart_app("/demo/web")
    bed.settled()
    after = {task.id for task in client.list_tasks("/demo/web")}
    assert len(after) == 3 and not before & after

    client.update_app("/demo/web", MarathonApp(labels={"HAPROXY_GROUP": "internal"}))
    bed.settled()
    assert {task.id for task in client.list_tasks("/demo/web")} == after, "labels restart nothing"
    versions = client.list_versions("/demo/web")
    assert versions == sorted(versions, reverse=True) and len(versions) == 4, versions
    assert client.get_version("/demo/web", versions[-1]).instances == 2
    client.rollback_app("/demo/web", versions[-1])
    bed.settled()
    assert client.get_app("/demo/web").labels == {"HAPROXY_GROUP": "external"}


def check_tasks(client, bed):
    tasks = client.list_tasks("/demo/web")
    assert {task.app_id for task in client.list_tasks()} == {"/demo/web"}
    client.kill_task("/demo/web", tasks[0].id)
    bed.until(lambda: tasks[0].id not in {t.id for t in client.list_tasks("/demo/web")}
              and client.get_app("/demo/web").tasks_running == 2, "the task is replaced")
    victims = [task.id for task in client.list_tasks("/demo/web")]
    client.kill_given_tasks(victims[:1], scale=True, force=True)
    bed.settled()
    assert client.get_app("/demo/web").instances == 1
    client.kill_tasks("/demo/web")
    bed.until(lambda: client.get_app("/demo/web").tasks_running == 1, "killed tasks come back")


def check_groups(client, bed):
    client.create_group(MarathonGroup(id="/shop", apps=[
        MarathonApp(id="/shop/db", cmd="sleep 2", cpus=0.1, mem=32, instances=1),
        MarathonApp(id="/shop/web", cmd="sleep 2", cpus=0.1, mem=32, instances=1,
                    dependencies=["/shop/db"])]))
    bed.settled()
    group = client.get_group("/shop")
    assert sorted(app.id for app in group.apps) == ["/shop/db", "/shop/web"]
    client.scale_group("/shop", 2)
    bed.settled()
    assert {app.instances for app in client.get_group("/shop").apps} == {2}
    assert client.list_versions("/shop/web")
    client.delete_group("/shop")
    bed.settled()
    assert {app.id for app in client.list_apps()} == {"/demo/web"}


def check_errors(client, bed):
    for call, kind in [
            (lambda: client.get_app("/none"), marathon.NotFoundError),
            (lambda: client.create_app("/demo/web", MarathonApp(cmd="true")), marathon.exceptions.ConflictError),
            (lambda: client.create_app("/bad", MarathonApp(cpus=1)), marathon.MarathonHttpError)]:
        try:
            call()
        except kind as error:
            assert error.error_message, error
        else:
            raise AssertionError(f"no {kind}")
    client.create_app("/stuck", MarathonApp(cmd="x", cpus=0.1, mem=32, env={"FAKE": "stuck"}))
    try:
        client.scale_app("/stuck", instances=2)
        raise AssertionError("a locked app was changed")
    except marathon.exceptions.ConflictError as error:
        assert "locked" in error.error_message
    assert client.list_deployments()[0].affected_apps == ["/stuck"]
    client.delete_app("/stuck", force=True)
    bed.settled()
    client.create_app("/huge", MarathonApp(cmd="x", cpus=500))
    queue = client.list_queue()
    assert queue[0].app.id == "/huge" and queue[0].count == 1
    client.delete_deployment(client.list_deployments()[0].id, force=True)
    client.delete_app("/huge")
    bed.settled()


def check_events(client, bed):
    # This client sends its token on every call but the stream; there it only knows Basic.
    streamer = marathon.MarathonClient(bed.url, username="client", password=bed.token)
    seen, ready = [], threading.Event()

    def listen():
        for event in streamer.event_stream():
            seen.append(event)
            ready.set()
            if event.event_type == "deployment_success":
                return
    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    assert ready.wait(10), "the attach event comes"
    client.create_app("/seen", MarathonApp(cmd="sleep 3", cpus=0.1, mem=32))
    listener.join(20)
    types = {event.event_type for event in seen}
    assert {"api_post_event", "deployment_info", "status_update_event",
            "deployment_success"} <= types, types
    status = [e for e in seen if e.event_type == "status_update_event"][-1]
    assert status.task_status == "TASK_RUNNING" and status.app_id == "/seen"
    client.delete_app("/seen")
    bed.settled()


def test(bed):
    client = marathon.MarathonClient(bed.url, auth_token=bed.token)
    for check in (check_basics, check_apps, check_tasks, check_groups, check_errors, check_events):
        check(client, bed)
        print(check.__name__)


if __name__ == "__main__":
    master.run(test)
