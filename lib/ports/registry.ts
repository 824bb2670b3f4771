/**
 * The clusters that are registered in one place for everybody: read by the functions and by command lines, each no
 * more than it needs. Writing it is lib/ports/registrations.ts. Contract: test/contract/registrations.ts.
 */
import type { ClusterEntry } from "../config/config.ts";

export interface RegisteredCluster {
  /** Its kubeconfigs are references into the registry. */
  readonly entry: ClusterEntry;
  /** Text of the reading kubeconfig; it holds a credential. */
  readonly kubeconfig: string;
}

export interface Registry {
  /** For people. */
  readonly url: string;
  /** What lies there for a cluster each, read or not. No value is asked for. */
  names(): Promise<readonly string[]>;
  /** `null` where there is none. @throws CertkeepError config_invalid for one that isn't whole */
  read(name: string): Promise<RegisteredCluster | null>;
  /** Text of the restoring kubeconfig, a secret of its own. @throws CertkeepError config_invalid where there is none */
  restoring(name: string): Promise<string>;
}
