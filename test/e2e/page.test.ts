import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pageHtml } from "../../lib/report/html/page.ts";
import { fleet, fleetCluster, smallFleet } from "../report/fleet.ts";
import { lacksTools, requireTool } from "./support/tools.ts";

const WIDTHS = [360, 800, 1400];

describe.skipIf(lacksTools("chromium"))("the page in Chromium", () => {
  const folder = mkdtempSync(join(tmpdir(), "certkeep-page-"));
  let browser: Browser;

  beforeAll(async () => {
    writeFileSync(join(folder, "small.html"), pageHtml(smallFleet()));
    writeFileSync(join(folder, "large.html"), pageHtml(fleet([fleetCluster("prod", 10_000)])));
    browser = await chromium.launch({
      executablePath: requireTool("chromium"),
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens the page and notes whatever it should not do. */
  async function open(
    file: string,
    options: Parameters<Browser["newContext"]>[0],
  ): Promise<{
    readonly page: Page;
    readonly context: BrowserContext;
    readonly trouble: string[];
  }> {
    const context = await browser.newContext({
      locale: "en-GB",
      timezoneId: "Europe/Berlin",
      ...options,
    });
    const page = await context.newPage();
    const trouble: string[] = [];
    page.on("console", (message) => trouble.push(`console: ${message.text()}`));
    page.on("pageerror", (error) => trouble.push(`error: ${error.message}`));
    page.on("request", (request) => {
      if (!request.url().startsWith("file:")) trouble.push(`request: ${request.url()}`);
    });
    page.on("websocket", (socket) => trouble.push(`socket: ${socket.url()}`));
    await page.goto(pathToFileURL(join(folder, file)).href);
    return { page, context, trouble };
  }

  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of WIDTHS) {
      it(`at ${width} px, ${colorScheme}: no violation, nothing sideways, no error, no request`, async () => {
        const { page, context, trouble } = await open("small.html", {
          viewport: { width, height: 900 },
          colorScheme,
        });
        await page.locator("button.open").first().click();
        expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(
          true,
        );
        const { violations } = await new AxeBuilder({ page }).analyze();
        expect(
          violations.map(
            ({ id, nodes }) =>
              `${id}: ${nodes
                .map(({ html }) => html)
                .join(" ")
                .slice(0, 300)}`,
          ),
        ).toEqual([]);
        expect(trouble).toEqual([]);
        await context.close();
      });
    }
  }

  it("by keyboard alone: to the table, filtered, sorted, opened and closed", async () => {
    const { page, context, trouble } = await open("small.html", {
      viewport: { width: 1024, height: 800 },
    });
    const focused = (): Promise<string> =>
      page.evaluate("document.activeElement.id || document.activeElement.textContent");
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("Skip to certificates");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("query");
    await page.keyboard.type("late1.prod");
    await page.locator("#count").getByText("1 to 1 of 1 that match, of 252").waitFor();
    for (const expected of [
      "status",
      "cluster",
      "State",
      "Certificate",
      "Secret",
      "Expires",
      "Backup",
    ]) {
      await page.keyboard.press("Tab");
      expect(await focused()).toBe(expected);
    }
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("late1.prod.example");
    await page.keyboard.press("Enter");
    expect(await focused()).toBe("late1.prod.example");
    expect(await page.locator("button.open").getAttribute("aria-expanded")).toBe("true");
    const detail = await page.locator(".detail").innerText();
    expect(detail).toContain("certkeep explain late1.prod.example");
    expect(detail).toContain("Renewal due");
    await page.keyboard.press("Enter");
    expect(await page.locator(".detail").count()).toBe(0);
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Shift+Tab");
    expect(await focused()).toBe("Expires");
    await page.keyboard.press("Enter");
    expect(await page.locator('th[data-key="until"]').getAttribute("aria-sort")).toBe("ascending");
    await page.keyboard.press("Space");
    expect(await page.locator('th[data-key="until"]').getAttribute("aria-sort")).toBe("descending");
    expect(trouble).toEqual([]);
    await context.close();
  });

  it("shows times in the reader's zone, restores and earlier certificates of one", async () => {
    const { page, context } = await open("small.html", { viewport: { width: 1024, height: 800 } });
    expect(await page.locator("header time").innerText()).toBe("23 Nov 2026, 13:00 CET");
    await page.locator("#query").fill("app0.prod.example");
    await page.locator("#count").getByText("1 to 1 of").waitFor();
    await page.locator("button.open").click();
    const detail = page.locator(".detail");
    expect(await detail.innerText()).toMatch(/Restored\s+1 Nov 2026, 01:00 CET/);
    expect(await detail.innerText()).toContain(
      "issued 1 Aug 2026, 02:00 CEST, until 30 Oct 2026, 01:00 CET",
    );
    await context.close();
  });

  it("keeps ten thousand certificates usable", async () => {
    const { page, context, trouble } = await open("large.html", {
      viewport: { width: 1280, height: 900 },
    });
    expect(await page.locator("#count").innerText()).toBe("1 to 50 of 10,000 certificates");
    expect(await page.locator("#rows tr").count()).toBe(50);
    // The work of one change, in the page itself: filter, sort and draw.
    const tookMs = await page.evaluate<number>(`(() => {
      const start = performance.now();
      document.querySelector('th[data-key="name"] button').click();
      document.querySelector('th[data-key="until"] button').click();
      const status = document.getElementById("status");
      status.value = "ok";
      status.dispatchEvent(new Event("change"));
      return performance.now() - start;
    })()`);
    expect(tookMs).toBeLessThan(3000);
    expect(await page.locator("#count").innerText()).toBe("1 to 50 of 9,800 that match, of 10,000");
    await page.locator("#next").click();
    expect(await page.locator("#count").innerText()).toBe(
      "51 to 100 of 9,800 that match, of 10,000",
    );
    expect(trouble).toEqual([]);
    await context.close();
  });

  it("without scripts still says what needs people", async () => {
    const { page, context } = await open("small.html", {
      viewport: { width: 1024, height: 800 },
      javaScriptEnabled: false,
    });
    expect(await page.locator("h1").innerText()).toContain("4 problems");
    expect(await page.locator("noscript").innerText()).toContain("certkeep report --json");
    await context.close();
  });

  it("prints", async () => {
    const { page, context } = await open("small.html", { viewport: { width: 1024, height: 800 } });
    const pdf = await page.pdf({ format: "A4" });
    expect(pdf.subarray(0, 5).toString()).toBe("%PDF-");
    await page.emulateMedia({ media: "print" });
    expect(await page.locator(".filters").isVisible()).toBe(false);
    await context.close();
  });
});
