/** The page's style: light and dark, from 360 px to wide, and for print. */
export const STYLE = `
:root {
  color-scheme: light dark; --bg: #f7f7f5; --card: #fff; --ink: #1c232d; --soft: #55606e;
  --line: #dfe2e6; --bad: #a8201a; --bad-bg: #fbe9e7; --warn: #7a4f00; --warn-bg: #fdf1d6;
  --ok: #1a6638; --ok-bg: #e4f2e8; --info: #28557f; --info-bg: #e5eef7; --mute-bg: #eceef1;
  --focus: #1f6feb;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #12161c; --card: #1a2028; --ink: #e6eaf0; --soft: #a7b1be; --line: #2d3540;
    --bad: #ff9d95; --bad-bg: #3b1d1c; --warn: #f2c877; --warn-bg: #372a12; --ok: #8fd8a6;
    --ok-bg: #15301f; --info: #9cc7f0; --info-bg: #182c40; --mute-bg: #252c36; --focus: #79b8ff;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { scroll-behavior: smooth; }
body {
  margin: 0; background: var(--bg); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
}
main, header, footer { max-width: 72rem; margin: 0 auto; padding: 0 clamp(1rem, 3vw, 2rem); }
header { padding-top: clamp(1.25rem, 4vw, 2.75rem); }
.brand { margin: 0; color: var(--soft); font-size: 0.875rem; letter-spacing: 0.04em; }
h1 {
  margin: 0.25rem 0 0.5rem; font-size: clamp(1.35rem, 3.4vw, 2rem); line-height: 1.25;
  font-weight: 650; text-wrap: balance;
}
h2 { margin: 2.5rem 0 0.75rem; font-size: 1.2rem; line-height: 1.3; }
h3 { margin: 0; font-size: 1rem; overflow-wrap: anywhere; }
p { margin: 0.35rem 0; }
.soft { color: var(--soft); }
.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30%, 8.5rem), 1fr)); gap: 0.6rem;
  margin: 1.25rem 0 0; padding: 0;
}
.tiles div {
  background: var(--card); border: 1px solid var(--line); border-radius: 0.6rem;
  padding: 0.7rem 0.9rem;
}
.tiles dt { color: var(--soft); font-size: 0.875rem; }
.tiles dd { margin: 0; font-size: 1.6rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.tiles .critical dd { color: var(--bad); }
.tiles .warning dd { color: var(--warn); }
.tiles .ok dd { color: var(--ok); }
.item {
  background: var(--card); border: 1px solid var(--line); border-radius: 0.6rem;
  padding: 0.95rem 1.1rem; margin: 0 0 0.75rem; border-inline-start: 4px solid var(--line);
}
.item.critical { border-inline-start-color: var(--bad); }
.item.warning { border-inline-start-color: var(--warn); }
.item.info { border-inline-start-color: var(--info); }
.item ul { margin: 0.35rem 0; padding: 0; list-style: none; }
.item li { padding: 0.3rem 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
.item p { overflow-wrap: anywhere; }
.item h3 { margin-bottom: 0.35rem; }
details > summary { cursor: pointer; color: var(--soft); padding: 0.35rem 0; }
.remedy { display: grid; grid-template-columns: 4.5rem 1fr; gap: 0 0.6rem; margin-top: 0.5rem; }
.remedy > span { padding-top: 0.35rem; }
.name { font-weight: 600; }
code, .mono {
  font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: 0.875em;
}
.cmd {
  display: inline-block; max-width: 100%; margin-top: 0.3rem; padding: 0.25rem 0.55rem;
  background: var(--mute-bg); border-radius: 0.35rem; user-select: all; overflow-wrap: anywhere;
}
.cmd span { display: inline-block; max-width: 100%; }
.tag {
  display: inline-block; padding: 0.05rem 0.5rem; border-radius: 1rem; font-size: 0.8125rem;
  font-weight: 600; white-space: nowrap; background: var(--mute-bg); color: var(--ink);
}
.tag.critical { background: var(--bad-bg); color: var(--bad); }
.tag.warning { background: var(--warn-bg); color: var(--warn); }
.tag.ok { background: var(--ok-bg); color: var(--ok); }
.tag.info { background: var(--info-bg); color: var(--info); }
.scroll {
  overflow-x: auto; border: 1px solid var(--line); border-radius: 0.6rem; background: var(--card);
}
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td {
  padding: 0.5rem 0.75rem; text-align: start; vertical-align: top;
  border-bottom: 1px solid var(--line);
}
tbody tr:last-child > td { border-bottom: 0; }
th { font-size: 0.8125rem; color: var(--soft); font-weight: 600; white-space: nowrap; }
td.num, th.num { text-align: end; }
.sort { all: unset; cursor: pointer; font-weight: 600; color: var(--soft); }
.sort:hover { color: var(--ink); }
[aria-sort="ascending"] .sort::after { content: " \\2191" / ""; }
[aria-sort="descending"] .sort::after { content: " \\2193" / ""; }
.filters { display: flex; flex-wrap: wrap; gap: 0.75rem; margin: 0 0 0.75rem; align-items: end; }
.filters label { display: grid; gap: 0.2rem; font-size: 0.875rem; color: var(--soft); }
.filters label.wide { flex: 1 1 14rem; }
input, select, button.step {
  font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--soft);
  border-radius: 0.4rem; padding: 0.4rem 0.6rem; min-width: 0; max-width: 100%;
}
button.step { cursor: pointer; }
button.step:disabled { opacity: 0.55; cursor: default; }
.pages { display: flex; flex-wrap: wrap; gap: 0.75rem; align-items: center; margin: 0.75rem 0 0; }
.open {
  all: unset; cursor: pointer; font-weight: 600; overflow-wrap: anywhere;
  text-decoration: underline; text-decoration-color: var(--line); text-underline-offset: 0.2em;
}
.open:hover { text-decoration-color: currentColor; }
:focus-visible, .sort:focus-visible, .open:focus-visible {
  outline: 2px solid var(--focus); outline-offset: 2px; border-radius: 0.2rem;
}
.detail td { background: var(--bg); }
.until { white-space: nowrap; }
@media (min-width: 44.01rem) {
  #rows tr:not(.detail) > td:nth-child(2) { min-width: 13rem; }
  td .soft.until { display: block; }
}
.detail dl {
  display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1rem; margin: 0.6rem 0 0;
}
.detail dt { color: var(--soft); }
.detail dd { margin: 0; overflow-wrap: anywhere; }
.budgets {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr));
  gap: 0.75rem;
}
.budget {
  background: var(--card); border: 1px solid var(--line); border-radius: 0.6rem;
  padding: 0.9rem 1.1rem;
}
footer { padding-top: 2rem; padding-bottom: 3rem; color: var(--soft); font-size: 0.875rem; }
.skip { position: absolute; left: -99rem; }
.skip:focus {
  left: 1rem; top: 0.5rem; background: var(--card); padding: 0.4rem 0.8rem; z-index: 2;
}
.vh {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap;
}
@media (max-width: 44rem) {
  .remedy { grid-template-columns: 1fr; }
  .cards thead {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  }
  .cards, .cards tbody, .cards tr, .cards td { display: block; }
  .cards tr { padding: 0.6rem 0.9rem; border-bottom: 1px solid var(--line); }
  .cards td { border: 0; padding: 0.1rem 0; text-align: start; }
  .cards td.num { text-align: start; }
  .cards td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); }
  .cards .detail { padding: 0.6rem 0.9rem; background: var(--bg); }
  .detail dl { grid-template-columns: 1fr; gap: 0; }
  .detail dd { margin-bottom: 0.35rem; }
}
@media (prefers-reduced-motion: reduce) {
  html { scroll-behavior: auto; }
}
@media print {
  :root { --bg: #fff; --card: #fff; }
  body { font-size: 11pt; }
  .filters, .pages, .skip { display: none; }
  .item, .budget, tr { break-inside: avoid; }
  .scroll { overflow: visible; border: 0; }
}
`.trim();
