// Keeps the list of rejections up to date. Everything from the server is inserted as text.
"use strict";

const PERIOD = 2000;
const list = document.getElementById("rejections");

if (list) {
    const live = document.getElementById("live");
    const none = document.getElementById("none");
    const process = document.getElementById("process");
    const blank = document.getElementById("entry").content.querySelector("li");
    let last = null;

    const fill = (item, entry) => {
        for (const part of item.querySelectorAll("[data-field]")) {
            const text = entry[part.dataset.field];
            if (part.textContent !== text) part.textContent = text;
        }
        const link = item.querySelector("[data-link]");
        link.setAttribute("href", entry.again);
        link.parentElement.hidden = !entry.again;
    };

    const show = ({process: name, entries}) => {
        if (process.textContent !== name) {
            // Another process has entries of its own, with the same numbers.
            process.textContent = name;
            list.replaceChildren();
        }
        const known = new Map([...list.children].map((item) => [item.dataset.number, item]));
        let next = list.firstElementChild;
        for (const entry of entries) {
            const old = known.get(entry.number);
            const item = old ?? document.importNode(blank, true);
            known.delete(entry.number);
            item.dataset.number = entry.number;
            fill(item, entry);
            if (item === next) {
                next = next.nextElementSibling;
            } else if (!item.contains(document.activeElement)) {
                // A moved item loses the focus, so the one that has it stays where it is.
                list.insertBefore(item, next);
            }
            if (!old) item.classList.add("new");
        }
        for (const item of known.values()) item.remove();
        none.hidden = entries.length > 0;
    };

    const say = (text) => {
        if (live.textContent !== text) live.textContent = text;
    };

    const poll = async () => {
        if (document.hidden) return;
        try {
            const response = await fetch("rejections.json", {signal: AbortSignal.timeout(10 * PERIOD)});
            if (!response.ok) throw new Error(String(response.status));
            const text = await response.text();
            if (text !== last) show(JSON.parse(text));
            last = text;
            say("Live.");
        } catch {
            say("Not live: the app does not respond.");
        }
    };

    // One at a time, however long a response takes.
    const keepPolling = async () => {
        await poll();
        setTimeout(keepPolling, PERIOD);
    };
    document.addEventListener("visibilitychange", poll);
    keepPolling();
}
