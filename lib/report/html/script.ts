/**
 * The page's script: the table of certificates from embedded data, filtered, sorted and shown a
 * page at a time, so that ten thousand stay light; what is known of the one that is opened; times
 * in the reader's own zone. It requests nothing, and puts text into the page as text only.
 */
export const SCRIPT = String.raw`
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const DAY = 86400000;
  const PAGE = 50;
  const rows = data.rows.map((values, i) => ({
    i,
    ...Object.fromEntries(values.map((value, at) => [data.keys[at], value])),
  }));
  for (const row of rows)
    row.text = [
      row.name,
      row.cluster,
      row.namespace + "/" + row.secret,
      row.codes.join(" "),
      row.issuer,
      row.serial,
    ]
      .join(" ")
      .toLowerCase();
  const el = (tag, props, ...children) => {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(props || {})) {
      if (key === "class") node.className = value;
      else if (key === "text") node.textContent = value;
      else node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  };
  const zoned = new Intl.DateTimeFormat(undefined, {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
  });
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
  const when = (ms) => (ms === null ? "unknown" : zoned.format(new Date(ms)));
  for (const time of document.querySelectorAll("time[datetime]")) {
    const date = new Date(time.dateTime);
    if (!Number.isNaN(date.getTime())) {
      time.title = time.textContent;
      time.textContent = zoned.format(date);
    }
  }

  const body = document.getElementById("rows");
  const count = document.getElementById("count");
  const query = document.getElementById("query");
  const statusOf = document.getElementById("status");
  const clusterOf = document.getElementById("cluster");
  const previous = document.getElementById("previous");
  const next = document.getElementById("next");
  const heads = [...document.querySelectorAll("#certificates th[data-key]")];
  for (const head of heads)
    head.replaceChildren(el("button", { class: "sort", type: "button", text: head.textContent }));
  for (const part of document.querySelectorAll(".filters, .pages")) part.hidden = false;
  // The choices name the states, the worst first.
  const STATUS = new Map([...statusOf.options].map((option) => [option.value, option.text]));
  const ORDER = [...STATUS.keys()];
  let key = "status";
  let down = false;
  let page = 0;
  let shown = rows;
  let opened = null;

  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const value = {
    status: (r) => ORDER.indexOf(r.status),
    name: (r) => r.name,
    place: (r) => r.cluster + " " + r.namespace + "/" + r.secret,
    until: (r) => (r.notAfterMs === null ? Infinity : r.notAfterMs),
    copied: (r) => (r.copied ? 1 : 0),
  };

  function choose() {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    shown = rows.filter(
      (r) =>
        (statusOf.value === "" || r.status === statusOf.value) &&
        (clusterOf.value === "" || r.cluster === clusterOf.value) &&
        words.every((w) => r.text.includes(w)),
    );
    const of = value[key];
    shown.sort(
      (a, b) =>
        (down ? -1 : 1) * compare(of(a), of(b)) ||
        compare(value.until(a), value.until(b)) ||
        a.i - b.i,
    );
    page = 0;
    opened = null;
    draw(false);
  }

  function left(r) {
    if (r.notAfterMs === null) return "";
    const days = (r.notAfterMs - data.at) / DAY;
    return days < 0 ? Math.floor(-days) + " days ago" : Math.floor(days) + " days left";
  }

  function draw(all) {
    const from = all ? 0 : page * PAGE;
    const to = all ? Math.min(shown.length, 2000) : Math.min(shown.length, from + PAGE);
    const fragment = document.createDocumentFragment();
    for (const r of shown.slice(from, to)) fragment.append(...line(r));
    body.replaceChildren(fragment);
    count.textContent =
      shown.length === 0
        ? "No certificate matches."
        : (from + 1).toLocaleString() +
          " to " +
          to.toLocaleString() +
          " of " +
          shown.length.toLocaleString() +
          (shown.length === rows.length
            ? " certificates"
            : " that match, of " + rows.length.toLocaleString());
    previous.disabled = page === 0;
    next.disabled = to >= shown.length;
    for (const head of heads) {
      if (head.dataset.key === key)
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  function line(r) {
    const open = opened === r.i;
    const id = "detail-" + r.i;
    const button = el("button", {
      class: "open",
      type: "button",
      "aria-expanded": String(open),
      "data-row": String(r.i),
      text: r.name,
    });
    if (open) button.setAttribute("aria-controls", id);
    const row = el(
      "tr",
      {},
      el("td", {}, el("span", { class: "tag " + r.status, text: STATUS.get(r.status) })),
      el("td", {}, button),
      el(
        "td",
        { "data-label": "Secret" },
        el("span", { class: "soft", text: r.cluster + " " }),
        document.createTextNode(r.namespace + "/" + r.secret),
      ),
      el(
        "td",
        { "data-label": "Expires" },
        el("span", {
          class: "until",
          text: r.notAfterMs === null ? "unknown" : day.format(new Date(r.notAfterMs)),
        }),
        document.createTextNode(" "),
        el("span", { class: "soft until", text: left(r) }),
      ),
      el("td", { "data-label": "Backup", text: r.copied ? "yes" : "no" }),
    );
    if (!open) return [row];
    const cell = el("td", { colspan: "5" });
    if (r.seen !== "") cell.append(el("p", { text: r.seen }));
    if (r.why !== "") cell.append(el("p", { class: "why", text: r.why }));
    if (r.advice !== "") cell.append(el("p", { text: "What to do: " + r.advice }));
    if (r.command !== null) cell.append(el("code", { class: "cmd", text: r.command }));
    cell.append(facts(r));
    return [row, el("tr", { class: "detail", id }, cell)];
  }

  function facts(r) {
    const list = el("dl", {});
    const add = (title, text) => {
      if (text !== "") list.append(el("dt", { text: title }), el("dd", { text }));
    };
    add("Issued", when(r.issuedMs));
    if (r.notBeforeMs !== null && r.notAfterMs !== null)
      add("Renewal due", when(r.notAfterMs - (r.notAfterMs - r.notBeforeMs) / 3));
    add(r.notAfterMs !== null && r.notAfterMs < data.at ? "Expired" : "Expires", when(r.notAfterMs));
    const earlier = r.history.filter((h) => h.issuedMs !== r.issuedMs);
    if (earlier.length > 0)
      add(
        "Earlier certificates",
        earlier.map((h) => "issued " + when(h.issuedMs) + ", until " + when(h.untilMs)).join("; "),
      );
    if (r.restoredMs.length > 0) add("Restored", r.restoredMs.map(when).join("; "));
    add("Issuer", r.issuer);
    add("Serial", r.serial);
    add("Findings", r.codes.join(", "));
    return list;
  }

  body.addEventListener("click", (event) => {
    const button = event.target.closest("button.open");
    if (button === null) return;
    const i = Number(button.dataset.row);
    opened = opened === i ? null : i;
    draw(false);
    body.querySelector('button[data-row="' + i + '"]').focus();
  });
  for (const head of heads)
    head.querySelector("button").addEventListener("click", () => {
      down = key === head.dataset.key ? !down : false;
      key = head.dataset.key;
      choose();
    });
  let waiting = 0;
  query.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(choose, 120);
  });
  statusOf.addEventListener("change", choose);
  clusterOf.addEventListener("change", choose);
  previous.addEventListener("click", () => {
    page -= 1;
    draw(false);
    if (previous.disabled) next.focus();
  });
  next.addEventListener("click", () => {
    page += 1;
    draw(false);
    if (next.disabled) previous.focus();
  });
  addEventListener("beforeprint", () => draw(true));
  addEventListener("afterprint", () => draw(false));
  choose();
})();
`.trim();
