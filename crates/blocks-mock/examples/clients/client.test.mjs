// Shows JavaScript tests that send requests to `blocks mock` and use its control plane, with Node's own test runner.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, beforeEach, test } from "node:test";

let server, url, key;

async function call(method, path, body, headers = {}) {
  const response = await fetch(url + path, {
    method,
    headers: { "content-type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

const service = (method, path, body) => call(method, path, body, { authorization: `ApiKey ${key}` });
const create = (message) => service("POST", "/rest/v1/sessions", { message, agent_name: "claude" });

before(async () => {
  const options = { stdio: ["ignore", "pipe", "inherit"] };
  server = spawn(process.env.BLOCKS ?? "blocks", ["mock", "--quiet", "--reply-after", "1h"], options);
  let text = "";
  for await (const chunk of server.stdout) {
    text += chunk;
    if (text.includes("API_KEY=")) break;
  }
  [, url] = /BASE_URL=(\S+)/.exec(text);
  [, key] = /API_KEY=(\S+)/.exec(text);
});

after(() => server.kill());
beforeEach(async () => assert.equal((await call("POST", "/_mock/reset")).status, 200));

test("a failed create has taken effect", async () => {
  const fault = { status: { status: 503, body: '{"error": "try later"}', after_effect: true } };
  await call("POST", "/_mock/faults", { operation: "createSession", when: { times: 1 }, fault });
  assert.deepEqual(await create("Go."), { status: 503, body: { error: "try later" } });
  const { items } = (await call("GET", "/_mock/sessions")).body;
  assert.deepEqual(items.map((session) => session.title), ["Go."]);
});

test("a turn is finished by the test", async () => {
  const { body: session } = await create("Go.");
  const final = session._links.final_message.href.replace(/^https?:\/\/[^/]+/, "");
  assert.deepEqual((await service("GET", final)).body.items, []);
  await call("POST", `/_mock/sessions/${session.id}/finish`, { text: "Three hearts." });
  assert.equal((await service("GET", final)).body.items[0].message, "Three hearts.");
  const wait = "/_mock/requests/wait?operation=listThreadMessages&count=2";
  const { items } = (await call("GET", wait)).body;
  assert.deepEqual(items.map((request) => request.status), [200, 200]);
});

test("no requests and faults are left of other tests", async () => {
  assert.deepEqual((await call("GET", "/_mock/requests")).body.items, []);
  assert.deepEqual((await call("GET", "/_mock/faults")).body.items, []);
});
