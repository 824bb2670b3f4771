/**
 * Makes the pictures of the docs with Chromium: what the demo prints in a terminal, and the page of
 * `report --html`.
 *
 *   npm exec -- node scripts/pictures.ts --terminal docs/terminal.png --report docs/report.png
 *
 * `CHROMIUM` names the browser, else Debian's is taken. Each picture shows what the commands give
 * now, nothing drawn by hand.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { chromium, type Browser } from "playwright-core";
import { pageHtml } from "../lib/report/html/page.ts";
import { smallFleet } from "../test/report/fleet.ts";

const EXECUTABLE = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const COLOURS: Readonly<Record<string, string>> = { 31: "#ff8f87", 32: "#8fd694", 33: "#f0c674" };

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** The few SGR codes that certkeep prints, as spans. */
function htmlOf(ansi: string): string {
  let bold = false;
  let dim = false;
  let colour: string | null = null;
  return ansi
    .split(/(\u001b\[\d+m)/)
    .map((part) => {
      const code = /^\u001b\[(\d+)m$/.exec(part)?.[1];
      if (code === undefined) {
        if (part === "") return "";
        const style = [
          colour === null ? "" : `color:${colour}`,
          dim ? "color:#8b95a5" : "",
          bold ? "font-weight:700" : "",
        ]
          .filter((one) => one !== "")
          .join(";");
        return style === ""
          ? escapeHtml(part)
          : `<span style="${style}">${escapeHtml(part)}</span>`;
      }
      if (code === "1") bold = true;
      else if (code === "2") dim = true;
      else if (code === "22") bold = dim = false;
      else colour = code === "39" ? null : (COLOURS[code] ?? null);
      return "";
    })
    .join("");
}

/** The demo's restore: the plan, and what applying it prints. */
function demoLines(): string {
  const run = spawnSync(process.execPath, ["lib/cli/main.ts", "demo"], {
    encoding: "utf8",
    env: { ...process.env, FORCE_COLOR: "1", NO_COLOR: "", TERM: "xterm-256color" },
  });
  // Colours may stand before a title.
  const [, shown] = /^\S*3\/4.*\n([^]*?)^\S*4\/4/m.exec(run.stdout) ?? [];
  if (run.status !== 0 || shown === undefined)
    throw new Error(`the demo ended with ${run.status}: ${run.stderr}`);
  return shown.trimEnd();
}

async function terminalPicture(browser: Browser, path: string): Promise<void> {
  const page = await browser.newPage({
    viewport: { width: 760, height: 100 },
    deviceScaleFactor: 1.25,
  });
  await page.setContent(`<!doctype html><meta charset="utf-8"><style>
    body{margin:0;padding:18px;background:transparent}
    #w{background:#161b22;border-radius:9px;overflow:hidden;box-shadow:0 3px 12px #0006}
    #t{height:28px;background:#21262d;display:flex;gap:7px;align-items:center;padding-left:13px}
    #t i{width:11px;height:11px;border-radius:50%;background:#484f58}
    pre{margin:0;padding:14px 18px 18px;color:#d7dde5;font:13.5px/1.42 "DejaVu Sans Mono",monospace}
  </style><div id="w"><div id="t"><i></i><i></i><i></i></div><pre>${htmlOf(demoLines())}</pre></div>`);
  await page.screenshot({ path, fullPage: true, omitBackground: true });
  await page.close();
}

/** The page of a fleet that tests know: two good clusters with some trouble, one out of sight. */
async function reportPicture(browser: Browser, path: string): Promise<void> {
  const context = await browser.newContext({
    viewport: { width: 1040, height: 895 },
    colorScheme: "light",
    locale: "en-GB",
    timezoneId: "UTC",
  });
  const page = await context.newPage();
  await page.setContent(pageHtml(smallFleet()));
  await page.locator("#count").getByText("1 to 50").waitFor();
  await page.screenshot({ path });
  await context.close();
}

const { values } = parseArgs({
  options: {
    terminal: { type: "string" },
    report: { type: "string" },
  },
});
if (!existsSync(EXECUTABLE))
  throw new Error(
    `Chromium is missing at ${EXECUTABLE}: install it (Debian: chromium) or name it in CHROMIUM`,
  );
const browser = await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });
try {
  if (values.terminal !== undefined) await terminalPicture(browser, values.terminal);
  if (values.report !== undefined) await reportPicture(browser, values.report);
} finally {
  await browser.close();
}
