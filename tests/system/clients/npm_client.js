// SPDX-License-Identifier: Apache-2.0
// marathon-node and marathon-event-bus-client against masterd. Arguments: URL TOKEN.
'use strict';
const assert = require('assert');
const Marathon = require('marathon-node');
const EventBus = require('marathon-event-bus-client');

const [url, token] = process.argv.slice(2);
const headers = {Authorization: 'token=' + token};
const client = Marathon(url, {headers});
const seen = {};

function until(condition, what) {
  const giveUp = Date.now() + 20000;
  return new Promise((resolve, reject) => {
    (function look() {
      Promise.resolve(condition()).then(found => {
        if (found) return resolve(found);
        if (Date.now() > giveUp) return reject(new Error(what + ' did not happen'));
        setTimeout(look, 20);
      }, reject);
    })();
  });
}
const settled = () =>
    until(async () => (await client.deployments.getList()).length === 0, 'the end of deployments');

function listen() {
  const types = ['deployment_info', 'deployment_success', 'status_update_event'];
  const bus = new EventBus({marathonHost: '127.0.0.1', marathonPort: new URL(url).port,
                            marathonHeaders: headers, eventTypes: types, handlers: {}});
  types.forEach(type => bus.on(type, event => {
    assert.equal(event.eventType, type);
    seen[type] = (seen[type] || 0) + 1;
  }));
  return new Promise((resolve, reject) => {
    bus.on('subscribed', () => resolve(bus));
    bus.on('error', reject);
    bus.subscribe();
  });
}

async function main() {
  assert.match(await client.misc.ping(), /^pong/);
  assert.equal((await client.info.get()).name, 'marathon');
  assert.ok((await client.leader.get()).leader);
  const bus = await listen();

  await client.apps.create({id: '/js/web', cmd: 'sleep 1', cpus: 0.1, mem: 32, instances: 2});
  await settled();
  const app = (await client.apps.getOne('/js/web')).app;
  assert.equal(app.tasksRunning, 2);
  assert.equal((await client.apps.getList({label: 'none'})).apps.length, 0);
  assert.equal((await client.apps.getVersions('/js/web')).versions.length, 1);
  await client.apps.update('/js/web', {instances: 1});
  await settled();
  await client.apps.restart('/js/web');
  await settled();
  const task = (await client.apps.getTasks('/js/web')).tasks[0];
  await client.tasks.kill({ids: [task.id]});
  await until(async () => {
    const tasks = (await client.tasks.getList()).tasks;
    return tasks.length === 1 && tasks[0].id !== task.id && tasks[0].state === 'TASK_RUNNING';
  }, 'a killed task is replaced');

  await client.apps.create({id: '/js/huge', cmd: 'x', cpus: 900});
  const queue = await client.queue.get();
  assert.equal(queue.queue[0].app.id, '/js/huge');
  await client.queue.resetDelay('/js/huge');
  await assert.rejects(client.apps.update('/js/huge', {instances: 2}), {statusCode: 409});
  await client.apps.destroy('/js/huge', true);
  await settled();

  await client.groups.create({id: '/jsgroup', apps: [{id: 'a', cmd: 'true', cpus: 0.1, mem: 32}]});
  await settled();
  assert.equal((await client.groups.getOne('/jsgroup')).apps[0].id, '/jsgroup/a');
  assert.ok((await client.groups.getList()).groups.length >= 2);
  await client.groups.destroy('/jsgroup');
  await settled();
  await assert.rejects(client.apps.getOne('/jsgroup/a'), {statusCode: 404});

  await until(() => seen.deployment_success >= 6 && seen.status_update_event >= 6 &&
                  seen.deployment_info >= 6, 'events: ' + JSON.stringify(seen));
  bus.unsubscribe();
  console.log('events', JSON.stringify(seen));
}

main().then(() => process.exit(0), error => {
  console.error(error);
  process.exit(1);
});
