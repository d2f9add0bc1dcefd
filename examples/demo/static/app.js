"use strict";

// Makes the calls in the page's rows, and shows what the browser lets the page read, with the
// guard's decision about each.

const byId = (id) => document.getElementById(id);
const part = (row, name) => row.querySelector(`.${name}`);
const { api, page } = document.body.dataset;
const rows = (id) => [...document.querySelectorAll(`#${id} tr`)];

// One call: what the page reads, or null where the browser refuses.
async function call({ url, method, headers, credentials }) {
  try {
    const response = await fetch(url, { method, headers, credentials, cache: "no-store" });
    return `${response.status} ${(await response.text()).trim()}`;
  } catch {
    return null;
  }
}

// The same from a sandboxed frame, whose origin is "null". It loads this page again: see the last
// lines.
function callSandboxed(options) {
  const frame = document.createElement("iframe");
  frame.hidden = true;
  frame.sandbox = "allow-scripts";
  frame.src = `/#${encodeURIComponent(JSON.stringify(options))}`;
  return new Promise((resolve) => {
    addEventListener("message", function take(event) {
      if (event.source === frame.contentWindow) {
        removeEventListener("message", take);
        frame.remove();
        resolve(event.data);
      }
    });
    document.body.append(frame);
  });
}

async function readJson(url) {
  const response = await fetch(url, { credentials: "omit", cache: "no-store" });
  if (!response.ok) {
    throw new Error(`${url} responds with ${response.status}`);
  }
  return response.json();
}

async function makeCall(row) {
  const { method, path, name, headers, credentials, sandboxed } = row.dataset;
  const url = `${api}${path}?case=${page}-${name}`;
  const options = { url, method, headers: JSON.parse(headers), credentials };
  const reads = await (sandboxed ? callSandboxed(options) : call(options));
  const decision = await explain(row);
  row.dataset.outcome = reads === null ? decision.reason || "BROWSER" : "READ";
  row.dataset.good = reads !== null;
  part(row, "verdict").textContent = reads === null ? "✕ Nothing" : "✓ Readable";
  part(row, "reads").textContent = reads ?? "";
}

// The line of code that set the policy, and the guard's words.
async function explain(row) {
  const decision = await readJson(`${api}/decision?case=${page}-${row.dataset.name}`);
  part(row, "code").textContent = decision.code;
  part(row, "location").textContent = decision.location;
  part(row, "reason").textContent = decision.reason;
  part(row, "effect").textContent = decision.effect;
  part(row, "why").textContent = decision.why.join("\n");
  return decision;
}

async function makeCalls() {
  for (const row of [...rows("calls"), ...rows("live")]) {
    await makeCall(row);
  }
}

async function showBalances(column) {
  const balances = await readJson(`${api}/balances`);
  for (const row of rows("accounts")) {
    part(row, column).textContent = balances[row.dataset.name];
  }
}

async function sendForms() {
  await showBalances("before");
  for (const row of rows("accounts")) {
    await submit(row.querySelector("form"));
    await explain(row);
  }
  await showBalances("after");
  for (const row of rows("accounts")) {
    const sent = part(row, "before").textContent !== part(row, "after").textContent;
    row.dataset.good = sent === (page === "shop");
    part(row, "verdict").textContent = sent
      ? (page === "shop" ? "✓ Sent" : "✕ The money is gone")
      : "✓ Refused";
  }
}

// Sends a form to a hidden frame. The page only learns that something has loaded there.
function submit(form) {
  const frame = document.createElement("iframe");
  frame.hidden = true;
  frame.name = form.target;
  return new Promise((resolve) => {
    frame.addEventListener("load", () => {
      // The empty document that the frame begins with is this page's own, and may load as well.
      if (!frame.contentDocument) {
        // Otherwise a reload of the page might send the form again.
        frame.remove();
        resolve();
      }
    });
    form.after(frame);
    form.submit();
  });
}

async function changeReaders() {
  const { listed } = await (await fetch("/readers", { method: "POST" })).json();
  byId("change").textContent = listed
    ? "Remove this page’s origin from the file"
    : "Add this page’s origin to the file";
  const [row] = rows("live");
  for (let tries = 0; tries < 40; tries += 1) {
    await makeCall(row);
    if ((row.dataset.good === "true") === listed) {
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function startApp() {
  const origin = encodeURIComponent(byId("origin").value);
  byId("message").textContent = (await readJson(`/start?origin=${origin}`)).message;
}

// Does something once, and says so in the page.
async function run(action, button = null) {
  document.body.dataset.busy = "true";
  if (button) {
    button.disabled = true;
  }
  try {
    await action();
  } catch (error) {
    byId("failed").textContent = `The demo has stopped: ${error.message}. Is it still running?`;
  } finally {
    if (button) {
      button.disabled = false;
    }
    document.body.dataset.busy = "false";
  }
}

function main() {
  const actions = { send: sendForms, again: makeCalls, change: changeReaders };
  for (const [id, action] of Object.entries(actions)) {
    byId(id)?.addEventListener("click", (event) => run(action, event.target));
  }
  byId("start").addEventListener("submit", (event) => {
    event.preventDefault();
    run(startApp);
  });
  for (const chip of document.querySelectorAll("#start .chip")) {
    chip.addEventListener("click", () => {
      byId("origin").value = chip.textContent;
      run(startApp);
    });
  }
  run(async () => {
    await showBalances("before");
    await startApp();
    await makeCalls();
  });
}

if (self === top) {
  main();
} else {
  const options = JSON.parse(decodeURIComponent(location.hash.slice(1)));
  call(options).then((reads) => parent.postMessage(reads, location.origin));
}
