"use strict";

// Runs the list of calls, one after the other, and shows what the browser let this script read.

const byId = (id) => document.getElementById(id);

async function main() {
  const plan = await readJson("/cases.json");
  showOrigins(plan);
  const rows = plan.cases.map((call) => addRow(call));
  const seen = [];
  for (const [index, call] of plan.cases.entries()) {
    seen.push(await makeCall(plan.api, call));
    showAnswer(rows[index], seen[index]);
  }
  const reasons = await readJson(`${plan.api}/reasons`);
  const asExpected = plan.cases.map((call, index) => {
    const rejection = reasons[call.id] ?? null;
    showReason(rows[index], call, seen[index], rejection);
    return showMatch(rows[index], call.expected, seen[index], rejection);
  });
  showSummary(seen, asExpected);
}

async function readJson(url) {
  const response = await fetch(url, { credentials: "omit", cache: "no-store" });
  if (!response.ok) {
    throw new Error(`${url} answered ${response.status}`);
  }
  return response.json();
}

// One call: the status and what it read, or a null status where the browser refused.
async function makeCall(api, call) {
  try {
    const response = await fetch(api + call.url, {
      method: call.method,
      headers: call.headers,
      body: call.body,
      credentials: call.credentials ? "include" : "omit",
    });
    const name = call.reads_header;
    const reads = name
      ? `${name}: ${response.headers.get(name)}`
      : (await response.text()).trim();
    return { status: response.status, reads };
  } catch (error) {
    return { status: null, reads: "", error: String(error) };
  }
}

function showOrigins(plan) {
  const allowed = plan.page === "allowed";
  document.body.dataset.page = plan.page;
  byId("standing").textContent = allowed
    ? "The API’s policies allow this page’s origin."
    : "The API’s policies do not allow this page’s origin.";
  byId("own-origin").textContent = location.origin;
  byId("api-origin").textContent = plan.api;
  byId("other-page").textContent = plan.otherPage;
  byId("other-page").href = plan.otherPage;
}

function addRow(call) {
  const row = byId("row").content.firstElementChild.cloneNode(true);
  row.dataset.case = call.id;
  part(row, "about").textContent = call.about;
  part(row, "request").textContent = `${call.method} ${call.path}`;
  const options = Object.entries(call.headers).map(([name, value]) => `${name}: ${value}`);
  if (call.credentials) {
    options.push("credentials: include");
  }
  if (call.reads_header) {
    options.push(`reads ${call.reads_header}`);
  }
  part(row, "options").replaceChildren(...options.map(chip));
  byId("calls").append(row);
  return row;
}

function showAnswer(row, seen) {
  const readable = seen.status !== null;
  row.dataset.readable = readable;
  row.dataset.status = seen.status ?? "";
  row.dataset.reads = seen.reads;
  part(row, "verdict").textContent = readable ? `✓ Readable, ${seen.status}` : "✕ Refused";
  part(row, "answer").textContent = readable ? seen.reads : seen.error;
}

function showReason(row, call, seen, rejection) {
  row.dataset.reason = rejection?.reason ?? "";
  if (rejection) {
    part(row, "name").textContent = rejection.reason;
    part(row, "note").textContent = rejection.preflight
      ? `The preflight was refused, so the ${call.method} was never sent.`
      : `The ${call.method} was answered without leave to read it.`;
    row.querySelector("details").hidden = false;
    row.querySelector("pre").textContent = rejection.explanation;
  } else if (seen.status === null) {
    part(row, "note").textContent = call.expected.note || "The guard sent no signal.";
  }
}

function showMatch(row, expected, seen, rejection) {
  const matches =
    seen.status === expected.status &&
    seen.reads === expected.reads &&
    (rejection?.reason ?? null) === expected.reason;
  row.dataset.asExpected = matches;
  const words = expected.status === null
    ? `nothing, reason ${expected.reason ?? "none"}`
    : `${expected.status} ${expected.reads}`;
  part(row, "match").textContent = matches ? "Yes" : `No: ${words}`;
  return matches;
}

function showSummary(seen, asExpected) {
  const readable = seen.filter(({ status }) => status !== null).length;
  const good = asExpected.filter(Boolean).length;
  const words =
    `${readable} of ${seen.length} calls were readable, ${seen.length - readable} were refused. `;
  const verdict = good === seen.length ? "All as expected." : `${good} as expected.`;
  byId("summary").textContent = words + verdict;
  byId("summary").classList.toggle("failed", good !== seen.length);
}

function chip(text) {
  const element = document.createElement("code");
  element.textContent = text;
  return element;
}

const part = (row, name) => row.querySelector(`.${name}`);

main()
  .catch((error) => {
    document.body.dataset.failed = "true";
    byId("summary").textContent = `The demo stopped: ${error.message}. Is it still running?`;
    byId("summary").classList.add("failed");
  })
  .finally(() => {
    document.body.dataset.done = "true";
  });
