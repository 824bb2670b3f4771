/**
 * The page's script: the table of certificates from embedded data, filtered, sorted and shown a
 * page at a time, so that ten thousand stay light; a timeline for the one that is opened; times in
 * the reader's own zone. It requests nothing, and puts text into the page as text only.
 */
export const SCRIPT = String.raw`
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const STATUS = {
    critical: "Critical",
    warning: "Warning",
    info: "Info",
    unknown: "Unknown",
    staging: "Staging",
    ok: "OK",
  };
  const ORDER = ["critical", "warning", "unknown", "info", "staging", "ok"];
  const DAY = 86400000;
  const PAGE = 50;
  const rows = data.rows.map((r, i) => ({
    i,
    cluster: data.clusters[r[0]],
    namespace: r[1],
    secret: r[2],
    name: r[3],
    status: data.statuses[r[4]],
    gone: r[5] === 1,
    issuer: data.issuers[r[6]],
    serial: r[7],
    issued: r[8],
    from: r[9],
    until: r[10],
    copied: r[11] === 1,
    codes: r[12],
    seen: r[13],
    why: r[14],
    advice: r[15],
    command: r[16],
    history: r[17],
    restored: r[18],
  }));
  for (const row of rows)
    row.text = [
      row.name,
      row.cluster,
      row.namespace + "/" + row.secret,
      row.codes,
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
  const svg = (tag, props, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(props)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
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
    until: (r) => (r.until === null ? Infinity : r.until),
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
    if (r.until === null) return "";
    const days = (r.until - data.at) / DAY;
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
      el("td", {}, el("span", { class: "tag " + r.status, text: STATUS[r.status] })),
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
          text: r.until === null ? "unknown" : day.format(new Date(r.until)),
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
    cell.append(timeline(r), facts(r));
    return [row, el("tr", { class: "detail", id }, cell)];
  }

  function facts(r) {
    const list = el("dl", {});
    const add = (title, text) => {
      if (text !== "") list.append(el("dt", { text: title }), el("dd", { text }));
    };
    add("Issued", when(r.issued));
    if (r.from !== null && r.until !== null)
      add("Renewal due", when(r.until - (r.until - r.from) / 3));
    add(r.until !== null && r.until < data.at ? "Expired" : "Expires", when(r.until));
    const earlier = r.history.filter((h) => h[0] !== r.issued);
    if (earlier.length > 0)
      add(
        "Earlier certificates",
        earlier.map((h) => "issued " + when(h[0]) + ", until " + when(h[1])).join("; "),
      );
    if (r.restored.length > 0) add("Restored", r.restored.map(when).join("; "));
    add("Issuer", r.issuer);
    add("Serial", r.serial);
    add("Findings", r.codes);
    return list;
  }

  function timeline(r) {
    const spans = r.history.map((h) => ({ from: h[0], until: h[1], live: false }));
    if (r.from !== null && r.until !== null)
      spans.push({ from: r.issued === null ? r.from : r.issued, until: r.until, live: true });
    const box = svg("svg", { viewBox: "0 0 640 74", "aria-hidden": "true", focusable: "false" });
    if (spans.length === 0) return box;
    const start = Math.min(data.at - DAY, ...spans.map((s) => s.from));
    const end = Math.max(data.at + DAY, ...spans.map((s) => s.until));
    const x = (ms) => 6 + (628 * (ms - start)) / (end - start);
    box.append(svg("line", { class: "axis", x1: 0, x2: 640, y1: 46, y2: 46 }));
    for (const s of spans)
      box.append(
        svg("rect", {
          class: !s.live
            ? "past"
            : r.gone || s.until < data.at || r.status === "critical"
              ? "dead"
              : "live",
          x: x(s.from),
          width: Math.max(2, x(s.until) - x(s.from)),
          y: s.live ? 20 : 25,
          height: s.live ? 20 : 10,
          rx: 4,
        }),
      );
    if (r.from !== null && r.until !== null) {
      const due = x(r.until - (r.until - r.from) / 3);
      box.append(
        svg("line", { class: "due", x1: due, x2: due, y1: 16, y2: 44 }),
        svg("text", { x: Math.min(due, 570), y: 11 }, "renewal due"),
      );
    }
    for (const at of r.restored)
      box.append(svg("circle", { class: "restore", cx: x(at), cy: 46, r: 5 }));
    box.append(
      svg("line", { class: "nowline", x1: x(data.at), x2: x(data.at), y1: 14, y2: 50 }),
      svg("text", { x: Math.min(Math.max(x(data.at) - 10, 0), 610), y: 64 }, "now"),
    );
    if (Math.abs(x(data.at) - 6) > 100)
      box.append(svg("text", { x: 0, y: 64 }, day.format(new Date(start))));
    if (634 - x(data.at) > 130)
      box.append(svg("text", { x: 640, y: 64, "text-anchor": "end" }, day.format(new Date(end))));
    return box;
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
