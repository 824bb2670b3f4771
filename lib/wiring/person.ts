/** What a person at a command line brings along, and a function never does; it loads the Kubernetes client where needed. */
import { createAuthProvider } from "../adapters/kubernetes/authprovider.ts";
import type { PersonalAccess } from "./audit.ts";

export function personalAccess(): PersonalAccess {
  return { authProvider: createAuthProvider() };
}
