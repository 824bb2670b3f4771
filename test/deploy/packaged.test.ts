/**
 * The certkeep.yaml beside serverless.yml: what keeps it from being deployed, and what is only
 * said.
 */
import { describe, expect, it } from "vitest";
import { lookAtConfig } from "../../stack/packaged.ts";

describe("the certkeep.yaml that is packaged", () => {
  it("is fine where it names whom copies are sealed for", () => {
    expect(
      lookAtConfig(
        "recipients:\n  - age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\n",
        false,
      ),
    ).toEqual({ mistake: null, notes: [] });
  });

  it("may be absent where nothing is made, and not where functions would have none", () => {
    expect(lookAtConfig(null, true)).toMatchObject({
      mistake: null,
      notes: [expect.stringContaining("certkeep init --aws")],
    });
    expect(lookAtConfig(null, false)).toMatchObject({
      mistake: expect.stringMatching(/none beside serverless\.yml.*certkeep init --aws/),
      notes: [],
    });
  });

  it("is refused for a mistake, with its line and what was meant", () => {
    expect(lookAtConfig("\nrecipints: []\n", true).mistake).toMatch(
      /certkeep\.yaml:2:1: recipints isn't a setting\. .*Did you mean "recipients"\?/,
    );
  });

  it("is refused for certificates in a file of their own, which no function has", () => {
    const anchors = (text: string): string => `issuers:\n  - id: corp\n    anchors: ${text}\n`;
    expect(lookAtConfig(anchors("corp.pem"), false).mistake).toContain(
      "issuers[0].anchors is a file. Use the certificates themselves",
    );
  });

  it("is told where nothing would be backed up", () => {
    expect(lookAtConfig("recipients: []\n", false)).toMatchObject({
      mistake: null,
      notes: [expect.stringContaining("nothing will be backed up")],
    });
  });
});
