/** Resources of CloudFormation by their logical id. */
export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: "Retain";
  readonly UpdateReplacePolicy?: "Retain";
}

export type Resources = Readonly<Record<string, Resource>>;
