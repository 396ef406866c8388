// Tests the mock's pages in headless Chromium, which this program controls through Chromium's debugging protocol.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "blocks-page-"));
const shots = process.env.SCREENSHOTS ?? folder;
const hostile = [
  "<img src=x onerror='window.hacked=1'>", "<script>window.hacked=1</script>", "</p></article><h1>broken</h1>",
  "\" onfocus=window.hacked=1 autofocus x=\"", "javascript:window.hacked=1", "{{constructor.constructor('window.hacked=1')()}}",
  "<svg/onload=window.hacked=1>", "&lt;b&gt;&amp;", "\u202Egnol eht", "\u0000nul", "\u001b[31mred", "a\r\nb\tc", "\u200bzero",
  "👩‍👩‍👧‍👦", "ﷺ".repeat(50), "e\u0301", "<!-- comment", "]]>", "<![CDATA[x]]>", "${window.hacked=1}", "' or 1=1 --", "%3Cscript%3E",
  "\\u003cscript\\u003e", "<style>*{display:none}</style>", "<iframe srcdoc='<script>parent.hacked=1</script>'>",
  "<a href=javascript:window.hacked=1>x</a>", "<base href=//evil.example>", "<meta http-equiv=refresh content=0>", "x".repeat(5000), " leading and trailing ",
];
async function firstMatch(stream, pattern) {
  let text = "";
  for await (const chunk of stream) {
    text += chunk;
    const found = pattern.exec(text);
    if (found) return found;
  }
  throw new Error(`no ${pattern} in: ${text}`);
}
const mock = spawn(process.env.BLOCKS, ["mock", "--quiet", "--reply-after", "1h"], { stdio: ["ignore", "pipe", "inherit"] });
const chromium = spawn(process.env.BROWSER ?? "chromium", ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0",
  `--user-data-dir=${folder}/profile`, "--window-size=1100,900", "about:blank"], { stdio: ["ignore", "ignore", "pipe"] });
let run;
try {
  const [, url, key] = await firstMatch(mock.stdout, /BASE_URL=(\S+)[\s\S]*API_KEY=(\S+)\n/);
  const [, port] = await firstMatch(chromium.stderr, /ws:\/\/127\.0\.0\.1:(\d+)/);
  chromium.stderr.resume?.();
  const [target] = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()).filter((t) => t.type === "page");
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  let sent = 0;
  const waiting = new Map();
  socket.addEventListener("message", ({ data }) => {
    const { id, result, error } = JSON.parse(data);
    waiting.get(id)?.(error ? Promise.reject(new Error(error.message)) : result);
  });
  const send = (method, params = {}) => new Promise((resolve) => {
    waiting.set(++sent, resolve);
    socket.send(JSON.stringify({ id: sent, method, params }));
  });
  const evaluate = async (expression) => (await send("Runtime.evaluate", { expression, returnByValue: true })).result.value;
  const until = async (expression, limit) => {
    const start = performance.now();
    while (!(await evaluate(expression))) {
      if (performance.now() - start > limit) throw new Error(`not within ${limit} ms: ${expression}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return performance.now() - start;
  };
  const shot = async (name) => {
    const { data } = await send("Page.captureScreenshot");
    writeFileSync(join(shots, name), Buffer.from(data, "base64"));
  };
  const scheme = (value) => send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] });
  const post = async (path, body) => {
    const response = await fetch(url + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    assert.equal(response.status, 200, path);
  };
  await send("Page.navigate", { url: url + "/" });
  await until("document.getElementById('state')?.textContent === 'live'", 10000);
  const env = { ...process.env, BLOCKS_API_BASE_URL: url, BLOCKS_API_KEY: key };
  run = spawn(process.env.BLOCKS, ["run", "--agent", "claude", "Count <b>hearts</b>."], { env, stdio: "ignore" });
  await until("document.querySelectorAll('main a').length === 1", 10000);
  assert.equal(await evaluate("document.querySelector('main a').textContent"), "Count <b>hearts</b>.");
  await post("/_mock/faults", { operation: "getArtifact", when: "always", fault: "html" });
  await until("document.body.textContent.includes('getArtifact')", 2000);
  // The session can be reached with the keyboard alone.
  const press = async (key, text) => {
    const code = key === "Tab" ? 9 : 13;
    await send("Input.dispatchKeyEvent", { type: "keyDown", key, windowsVirtualKeyCode: code, text });
    await send("Input.dispatchKeyEvent", { type: "keyUp", key, windowsVirtualKeyCode: code });
  };
  await press("Tab"); await press("Tab");
  const focused = async () => evaluate("document.activeElement.textContent");
  assert.equal(await focused(), "Count <b>hearts</b>.");
  // An update of the page does not move the focus.
  await post("/_mock/faults", { operation: "createSession", when: { times: 2 }, fault: { status: { status: 503 } } });
  await until("document.body.textContent.includes('times 2')", 2000);
  assert.equal(await focused(), "Count <b>hearts</b>.");
  for (const value of ["light", "dark"]) {
    await scheme(value);
    await shot(`all-${value}.png`);
  }
  await press("Enter", "\r");
  await until("location.pathname.startsWith('/app/') && document.querySelectorAll('.message').length === 2", 5000);
  const [session] = (await (await fetch(url + "/_mock/sessions")).json()).items;
  let slowest = 0;
  for (const [index, text] of hostile.entries()) {
    await post(`/_mock/sessions/${session.id}/actions`, { message: text });
    slowest = Math.max(slowest, await until(`document.querySelectorAll('.message').length === ${index + 3}`, 1000));
  }
  const shown = await evaluate("[...document.querySelectorAll('.message p')].slice(2).map((p) => p.textContent)");
  assert.deepEqual(shown, hostile);
  await post(`/_mock/sessions/${session.id}/actions`, { pull_request: "javascript:window.hacked=1" });
  await post(`/_mock/sessions/${session.id}/actions`, { plan: { file_name: "<img src=x onerror=window.hacked=1>", text: "1." } });
  await until("document.body.textContent.includes('<img src=x onerror=window.hacked=1>')", 1000);
  assert.equal(await evaluate("document.querySelectorAll('.message p *, main a, main img, main script, main iframe').length"), 0);
  assert.equal(await evaluate("window.hacked"), undefined);
  for (const value of ["light", "dark"]) {
    await scheme(value);
    await shot(`session-${value}.png`);
  }
  const dark = await evaluate("getComputedStyle(document.body).backgroundColor");
  await scheme("light");
  assert.notEqual(await evaluate("getComputedStyle(document.body).backgroundColor"), dark);
  // The page also opens at the address in the session's field `session_html_url`.
  const read = await fetch(`${url}/rest/v1/sessions/${session.id}`, { headers: { authorization: `ApiKey ${key}` } });
  await send("Page.navigate", { url: (await read.json()).session_html_url });
  await until(`document.querySelectorAll('.message').length === ${hostile.length + 2}`, 5000);
  // The headings of lists that are cut off contain the number of all entries.
  await post("/_mock/reset", {});
  const headers = { authorization: `ApiKey ${key}` };
  const body = JSON.stringify({ message: "Go.", agent_name: "claude" });
  for (let number = 0; number < 201; number++) {
    assert.equal((await fetch(`${url}/rest/v1/sessions`, { method: "POST", headers, body })).status, 200);
  }
  await send("Page.navigate", { url: url + "/" });
  const headings = "[...document.querySelectorAll('h2')].map((heading) => heading.textContent).join()";
  await until(`/^Sessions 200 of 201,Active faults 0,Requests 200 of \\d+$/.test(${headings})`, 5000);
  // The README shows this screenshot as `docs/mock.png`.
  await post("/_mock/reset", {});
  for (const prompt of ["Add a test for the parser.", "Document the parser.", "Fix issue 7."]) {
    const ended = spawnSync(process.env.BLOCKS, ["run", "--no-wait", "--agent", "claude", prompt], { env });
    assert.equal(ended.status, 0, String(ended.stderr));
  }
  await post("/_mock/faults", { operation: "createSession", when: { times: 2 }, fault: { status: { status: 503 } } });
  await send("Page.navigate", { url: url + "/" });
  await until("document.querySelectorAll('main a').length === 3 && document.body.textContent.includes('times 2')", 5000);
  await shot("overview.png");
  console.log(`page: ${hostile.length} hostile texts stay text, the slowest was shown after ${Math.round(slowest)} ms; screenshots in ${shots}`);
} finally {
  run?.kill(); mock.kill(); chromium.kill();
}
process.exit(0);
