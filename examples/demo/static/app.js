"use strict";

// Makes the calls of the list, one after the other, and shows what the browser let this page read.
// Then, when the button is pressed, sends money with forms and shows the balances. Meanwhile, calls
// again and again, and shows how either worker follows the list of readers.

const byId = (id) => document.getElementById(id);

async function main() {
  const plan = await readJson("/cases.json");
  showOrigins(plan);
  offerTransfers(plan.transfers);
  const rows = plan.cases.map((call) => addRow(call));
  const seen = [];
  for (const [index, call] of plan.cases.entries()) {
    seen.push(await makeCall(plan.api, call));
    showResponse(rows[index], seen[index]);
  }
  const reasons = await readJson(`${plan.api}/reasons`);
  const asExpected = plan.cases.map((call, index) => {
    const rejection = reasons[call.id] ?? null;
    showReason(rows[index], call, seen[index], rejection);
    return showMatch(rows[index], call.expected, seen[index], rejection);
  });
  showSummary(seen, asExpected);
  offerChange(plan.page, plan.otherPage);
  follow(plan);
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
  const row = copyOf("row");
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

function showResponse(row, seen) {
  const readable = seen.status !== null;
  row.dataset.readable = readable;
  row.dataset.status = seen.status ?? "";
  row.dataset.reads = seen.reads;
  part(row, "verdict").textContent = readable ? `✓ Readable, ${seen.status}` : "✕ Refused";
  part(row, "response").textContent = readable ? seen.reads : seen.error;
}

function showReason(row, call, seen, rejection) {
  showRejection(row, rejection);
  if (rejection) {
    part(row, "note").textContent = rejection.preflight
      ? `The preflight was refused, so the ${call.method} was never sent.`
      : `The ${call.method} was answered, but this page may not read the response.`;
  } else if (seen.status === null) {
    part(row, "note").textContent = call.expected.note || "The guard sent no signal.";
  }
}

function showRejection(row, rejection) {
  row.dataset.reason = rejection?.reason ?? "";
  part(row, "name").textContent = rejection?.reason ?? "";
  row.querySelector("details").hidden = !rejection;
  row.querySelector("pre").textContent = rejection?.explanation ?? "";
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

function offerTransfers(transfers) {
  const rows = transfers.map((transfer) => addTransfer(transfer));
  const button = byId("send");
  button.disabled = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    document.body.dataset.sent = "false";
    byId("sent").textContent = "The forms are on their way.";
    byId("sent").classList.remove("failed");
    try {
      await sendAll(transfers, rows);
    } catch (error) {
      byId("sent").textContent = `The demo stopped: ${error.message}. Is it still running?`;
      byId("sent").classList.add("failed");
    } finally {
      document.body.dataset.sent = "true";
      button.disabled = false;
    }
  });
}

function addTransfer(transfer) {
  const row = copyOf("transfer");
  row.dataset.transfer = transfer.account;
  part(row, "about").textContent = `Send ${transfer.amount} from the ${transfer.account} account`;
  part(row, "request").textContent = `POST ${transfer.origin}${transfer.path}`;
  const options = [`enforce="${transfer.enforce}"`, `amount=${transfer.amount}`];
  part(row, "options").replaceChildren(...options.map(chip));
  const form = row.querySelector("form");
  form.action = transfer.origin + transfer.url;
  form.target = transfer.id;
  form.elements.amount.value = transfer.amount;
  byId("transfers").append(row);
  return row;
}

async function sendAll(transfers, rows) {
  const results = [];
  for (const [index, transfer] of transfers.entries()) {
    results.push(await send(transfer, rows[index]));
  }
  const executed = results.filter((result) => result.executed).length;
  const good = results.filter((result) => result.asExpected).length;
  const verdict = good === results.length ? "All as expected." : `${good} as expected.`;
  byId("sent").textContent =
    `Executed: ${executed} of ${results.length}. Refused: ${results.length - executed}. ${verdict}`;
  byId("sent").classList.toggle("failed", good !== results.length);
}

async function send(transfer, row) {
  const before = (await readJson(`${transfer.origin}/balance`)).balance;
  await submit(row.querySelector("form"));
  const after = (await readJson(`${transfer.origin}/balance`)).balance;
  const reasons = await readJson(`${transfer.origin}/reasons`);
  return showTransfer(transfer, row, before, after, reasons[transfer.id] ?? null);
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

function showTransfer(transfer, row, before, after, rejection) {
  const executed = after !== before;
  Object.assign(row.dataset, { executed, before, after });
  part(row, "verdict").textContent = executed ? "✓ Executed" : "✕ Refused";
  part(row, "balance").textContent = `${before} → ${after}`;
  showRejection(row, rejection);
  part(row, "note").textContent = noteOnTransfer(rejection);
  const { expected } = transfer;
  const asExpected =
    after - before === expected.change &&
    (rejection?.reason ?? null) === expected.reason &&
    (rejection?.blocked ?? false) === expected.blocked;
  row.dataset.asExpected = asExpected;
  const due = `${before} → ${before + expected.change}, reason ${expected.reason ?? "none"}`;
  part(row, "match").textContent = asExpected ? "Yes" : `No: ${due}`;
  return { executed, asExpected };
}

function noteOnTransfer(rejection) {
  if (!rejection) {
    return "The policy allows this page’s origin.";
  }
  return rejection.blocked
    ? "The guard answered 403, and the view never ran."
    : "The page may not read the response. The view had run by then.";
}

// The file of readers can be changed on the allowed page alone.
function offerChange(page, otherPage) {
  byId("change").hidden = page !== "allowed";
  byId("elsewhere").hidden = page === "allowed";
  byId("button-page").href = otherPage;
  byId("change").addEventListener("click", async () => {
    // Until the file has been read again.
    byId("change").disabled = true;
    const listed = document.body.dataset.listed === "both" ? "one" : "both";
    try {
      await fetch("/readers", { method: "POST", body: new URLSearchParams({ listed }) });
    } catch {
      // The demo has ended, as the calls find as well.
    }
  });
}

function showReaders(origins) {
  const listed = origins.length > 1 ? "both" : "one";
  document.body.dataset.listed = listed;
  byId("readers").textContent = origins.join(", ");
  byId("change").disabled = false;
  byId("change").textContent = listed === "both"
    ? "Take the other page’s origin out again"
    : "Add the other page’s origin to the file";
}

async function follow(plan) {
  // What each worker last did, by "own" or "other" and its process.
  const latest = { own: new Map(), other: new Map() };
  try {
    for (;;) {
      await callBothWorkers(plan, latest);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  } catch (error) {
    document.body.dataset.followed = "false";
    say("followed", `The demo stopped: ${error.message}. Is it still running?`, true);
  }
}

// A page does not learn which worker has refused it. The guard's signals tell, by the case.
async function callBothWorkers(plan, latest) {
  const calls = plan.liveCases.map((id) => ({ method: "GET", url: `/offers?case=${id}` }));
  const seen = await Promise.all(calls.map((call) => makeCall(plan.api, call)));
  const { decisions } = await readJson(`${plan.api}/workers`);
  const { origins } = await readJson("/readers");
  const now = performance.now();
  for (const decision of decisions) {
    const { origin, worker } = decision;
    const own = seen[plan.liveCases.indexOf(decision.case)];
    if (origin === location.origin) {
      latest.own.set(worker, { ...decision, now, readable: own.status !== null });
    } else if (origin === plan.otherPage) {
      latest.other.set(worker, { ...decision, now, readable: decision.reason === null });
    }
  }
  for (const responses of Object.values(latest)) {
    for (const [worker, { now: then }] of responses) {
      if (now - then > 5000) {
        responses.delete(worker);
      }
    }
  }
  showReaders(origins);
  showWorkers(latest);
  showFollowed(latest, {
    own: origins.includes(location.origin),
    other: origins.includes(plan.otherPage),
  });
}

function showWorkers(latest) {
  const workers = [...new Set([...latest.own.keys(), ...latest.other.keys()])].sort((a, b) => a - b);
  const rows = [...byId("workers").children];
  const kept = workers.map((worker) => {
    const row = rows.find((each) => each.dataset.worker === `${worker}`) ?? copyOf("worker");
    row.dataset.worker = worker;
    part(row, "worker").textContent = `Process ${worker}`;
    for (const [whose, responses] of Object.entries(latest)) {
      showDecision(part(row, whose), responses.get(worker));
    }
    return row;
  });
  byId("workers").replaceChildren(...kept);
}

function showDecision(cell, decision) {
  const found = decision?.explanation.match(/^  Found: (.*)$/m)[1] ?? "";
  cell.dataset.readable = decision?.readable ?? "";
  part(cell, "verdict").textContent = decision
    ? (decision.readable ? "✓ Readable" : "✕ Refused")
    : "No call in the last seconds";
  part(cell, "name").textContent = decision?.reason ?? "";
  part(cell, "note").textContent = found.slice(0, 1).toUpperCase() + found.slice(1);
}

// Whether what the workers do is what the file says.
function showFollowed(latest, listed) {
  const workers = [...new Set([...latest.own.keys(), ...latest.other.keys()])];
  const follows = (worker) =>
    Object.entries(latest).every(
      ([whose, responses]) => (responses.get(worker)?.readable ?? listed[whose]) === listed[whose],
    );
  const following = workers.filter(follows).length;
  const followed = workers.length > 1 && following === workers.length;
  document.body.dataset.followed = followed;
  say("followed", followed
    ? "Both workers follow the file."
    : `${following} of 2 workers follow the file.`);
}

// Changes the text only if it is another one: a screen reader announces each change.
function say(id, text, failed = false) {
  if (byId(id).textContent !== text) {
    byId(id).textContent = text;
  }
  byId(id).classList.toggle("failed", failed);
}

const copyOf = (template) => byId(template).content.firstElementChild.cloneNode(true);

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
