/** Offered commands name the context and the configuration that the one before them was given. */
import { describe, expect, it } from "vitest";
import { diagnosisVia, type Diagnosis, type Measure } from "../../lib/diagnosis/cause.ts";
import { type Action, reachedVia, restoreAction } from "../../lib/finding/action.ts";
import { commandOf } from "../../lib/report/command.ts";
import { measureDocument } from "../../lib/report/phrases/measures.ts";

const VIA = { context: "c1", kubeconfig: "k1", config: "s3://b/certkeep.yaml" };
const CONFIG = "--config s3://b/certkeep.yaml";
const HERE = `--context c1 --kubeconfig k1 ${CONFIG}`;

it.each<[Action, string]>([
  [restoreAction("prod", ["a"]), `certkeep restore a ${HERE}`],
  [{ kind: "audit", cluster: "prod" }, `certkeep audit ${HERE}`],
  [{ kind: "doctor", cluster: "prod" }, `certkeep doctor ${HERE}`],
  [
    { kind: "pin", cluster: "c1" },
    `certkeep restore --context c1 --kubeconfig k1 --rebuilt --all --apply ${CONFIG}`,
  ],
  [
    { kind: "clustersAdd", cluster: "prod", rebuilt: false, context: "c2" },
    `certkeep clusters add prod --context c2 --kubeconfig k1 ${CONFIG}`,
  ],
  [
    { kind: "addParts", cluster: "prod", parts: ["restore"] },
    `certkeep clusters add prod --with restore ${HERE}`,
  ],
  [
    { kind: "nameSecret", cluster: "prod" },
    `certkeep clusters add prod --secret NAMESPACE/NAME ${HERE}`,
  ],
  // It writes a file.
  [{ kind: "init" }, "certkeep init"],
  [{ kind: "explain", name: "a" }, `certkeep explain a ${CONFIG}`],
  [{ kind: "drill" }, `certkeep drill ${CONFIG}`],
  [{ kind: "clock" }, "timedatectl status"],
  [{ kind: "clusterInfo" }, "kubectl --context c1 --kubeconfig k1 cluster-info"],
])("%j", (action, command) => {
  const { actions } = reachedVia({ actions: [action] }, VIA);
  expect(actions.map(commandOf)).toEqual([command]);
});

it("no command is offered where the configuration's name doesn't fit one", () => {
  const via = { ...VIA, config: "$(reboot).yaml" };
  const { actions } = reachedVia({ actions: [{ kind: "explain", name: "a" }] }, via);
  expect(actions.map(commandOf)).toEqual([null]);
});

describe("what to do about a cause", () => {
  const commandsOf = (...measures: Measure[]): unknown => {
    const cause = { measures: [] } as unknown as Diagnosis["causes"][number];
    const missing = { measure: null } as unknown as Diagnosis["missing"][number];
    const diagnosis = {
      causes: [{ ...cause, measures }],
      missing: measures.map((measure) => ({ ...missing, measure })),
    } as unknown as Diagnosis;
    const { causes, missing: open } = diagnosisVia(diagnosis, VIA);
    const told = [...(causes[0]?.measures ?? []), ...open.flatMap(({ measure }) => measure ?? [])];
    return told.map((measure) => measureDocument(measure).command);
  };

  it.each<[Measure, string]>([
    [{ kind: "restore", action: restoreAction("prod", ["a"]) }, `certkeep restore a ${HERE}`],
    [{ kind: "doctor", cluster: "prod" }, `certkeep doctor ${HERE}`],
    [
      { kind: "add_diagnosis", cluster: "prod" },
      `certkeep clusters add prod --parts secrets --parts parents --parts diagnosis ${CONFIG}`,
    ],
    [{ kind: "check_api" }, "kubectl get --raw /readyz"],
  ])("%j", (measure, command) => {
    expect(commandsOf(measure)).toEqual([command, command]);
  });
});
