// SPDX-License-Identifier: Apache-2.0
// The SDK by itself (grants, headers), and in front of a server it guards. Where the environment
// names a running service (GESTALT_SECURITY_URL, GESTALT_CREDENTIALS: the file of the first boot),
// the guard is tried against that; the stand-in used otherwise checks what it is sent.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, test } from "node:test";

import { SecurityClient, authenticate, hasRight, matchesGrant, parseAuthorization, requireRight } from "../security.js";

test("grants match segment by segment with wildcards on either side", () => {
  const same = [["abc", "abc"], ["a:b", "a:b"], ["*", "abc"], ["*:def", "abc:def"], ["abc:*:ghi", "abc:def:ghi"],
    ["*:def:*", "abc:*:ghi"], ["**", "a:b:c"], ["a:**", "a:b:c"], ["a:b:c:**", "a:b:c"]];
  for (const [a, b] of same) {
    assert.equal(matchesGrant(a, b), true);
    assert.equal(matchesGrant(b, a), true);
  }
  for (const [a, b] of [["abc", "abC"], ["*", "a:b"], ["a:b", "a:b:c"], ["abc:def", "ab:def"]]) {
    assert.equal(matchesGrant(a, b), false);
    assert.equal(matchesGrant(b, a), false);
  }
  assert.throws(() => matchesGrant("**:b", "a:b"), /right-most/);
  assert.throws(() => matchesGrant("", "a"), /non-empty/);
  assert.equal(hasRight({ rights: [{ name: "**:x" }] }, "a"), false);
});

test("headers are tokens, keys or nothing", () => {
  assert.equal(parseAuthorization("Bearer abc").token, "abc");
  assert.equal(parseAuthorization("token=abc").token, "abc");
  assert.equal(parseAuthorization("Basic " + Buffer.from("k:s:t").toString("base64")).kind, "key");
  for (const bad of ["", "Bearer", "Bearer a b", "Basic !", "Basic " + Buffer.from("k").toString("base64"), "Digest x"]) {
    assert.equal(parseAuthorization(bad), undefined);
  }
});

const own = "Basic " + Buffer.from("me:mine").toString("base64");
let asked = 0;
let up = true;
const fake = createServer((request, response) => {
  let body = "";
  request.on("data", (piece) => (body += piece));
  request.on("end", () => {
    ++asked;
    const say = (status, json) => {
      response.statusCode = status;
      response.end(JSON.stringify(json));
    };
    if (!up) return say(500, {});
    if (request.method !== "POST" || request.url !== "/security/oauth/inspect") return say(404, {});
    if (request.headers.authorization !== own) return say(401, {});
    if (body !== "token=good") return say(200, { active: false });
    return say(200, {
      active: true, gestalt_org_id: "o", gestalt_account: { id: "a", username: "ann" },
      gestalt_groups: [{ id: "g" }], gestalt_rights: [{ grantName: "cart:*" }],
    });
  });
});
await new Promise((done) => fake.listen(0, "127.0.0.1", done));
after(() => fake.close());
const url = `http://127.0.0.1:${fake.address().port}/security/`;

// Runs middlewares as express does.
function serve(...handlers) {
  const server = createServer((request, response) => {
    let at = 0;
    const next = (error) => {
      if (error) return response.writeHead(500).end();
      return handlers[at++](request, response, next);
    };
    next();
  });
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done(server)));
}

async function ask(server, authorization) {
  const headers = authorization ? { authorization } : {};
  const reply = await fetch(`http://127.0.0.1:${server.address().port}/`, { headers });
  return { status: reply.status, text: await reply.text(), challenge: reply.headers.get("www-authenticate") };
}

test("the guard lets in who may, and tells others why not", async () => {
  let time = 0;
  const client = new SecurityClient({ url, apiKey: "me", apiSecret: "mine", now: () => time });
  const server = await serve(authenticate(client), requireRight("cart:write"), (request, response) =>
    response.end(request.principal.username));
  const other = await serve(authenticate(client), requireRight("stock:write"), (_, response) => response.end("in"));
  try {
    asked = 0;
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(server, "Bearer good")));
    assert.deepEqual(new Set(answers.map((each) => each.text)), new Set(["ann"]));
    assert.equal(asked, 1);
    assert.equal((await ask(other, "Bearer good")).status, 403);
    const missing = await ask(server);
    assert.equal(missing.status, 401);
    assert.match(missing.challenge, /Basic.*Bearer/);
    assert.equal((await ask(server, "Bearer bad")).status, 401);
    up = false;
    assert.equal((await ask(server, "Bearer good")).status, 200);
    time = 31_000;
    assert.equal((await ask(server, "Bearer good")).status, 503);
    up = true;
    assert.equal((await ask(server, "Bearer good")).status, 200);
  } finally {
    server.close();
    other.close();
  }
});

test("against a running service", { skip: !process.env.GESTALT_SECURITY_URL }, async () => {
  const real = process.env.GESTALT_SECURITY_URL;
  const key = JSON.parse(readFileSync(process.env.GESTALT_CREDENTIALS, "utf8"));
  const basic = "Basic " + Buffer.from(`${key.apiKey}:${key.apiSecret}`).toString("base64");
  const issued = await fetch(`${real}/oauth/issue`, {
    method: "POST", headers: { authorization: basic }, body: new URLSearchParams({ grant_type: "client_credentials" }),
  });
  const { access_token: token } = await issued.json();
  const client = new SecurityClient({ url: real, apiKey: key.apiKey, apiSecret: key.apiSecret });
  const guards = [authenticate(client), requireRight("anything:at:all")];
  let server;
  try {
    const { default: express } = await import("express");
    const app = express();
    app.get("/", ...guards, (request, response) => response.send(request.principal.username));
    server = await new Promise((done) => { const at = app.listen(0, "127.0.0.1", () => done(at)); });
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    server = await serve(...guards, (request, response) => response.end(request.principal.username));
  }
  try {
    assert.equal((await ask(server, `Bearer ${token}`)).text, key.username);
    assert.equal((await ask(server, basic)).text, key.username);
    assert.equal((await ask(server, "Bearer gsta_none")).status, 401);
  } finally {
    server.close();
  }
});
