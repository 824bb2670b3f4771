/**
 * Commands that are offered for pasting. Text from a cluster never becomes an instruction: a word
 * is taken only if it consists of `[A-Za-z0-9._/*:=@-]` and a name begins with neither `-` nor `@`;
 * `*` is single-quoted.
 */
const WORD = /^[A-Za-z0-9._/*:=@-]+$/;

/** A word that certkeep itself chose, such as `restore` or `--apply`. */
export interface Literal {
  readonly literal: string;
}

export function literal(text: string): Literal {
  return { literal: text };
}

export function fitsCommand(name: string): boolean {
  return WORD.test(name) && !name.startsWith("-") && !name.startsWith("@");
}

function quote(word: string): string {
  return word.includes("*") ? `'${word}'` : word;
}

/**
 * `certkeep restore prod shop.example.ts.net`: literals are split at spaces and taken as they are,
 * strings are names. `null` where a name doesn't fit: the caller then names the finding or the
 * version instead.
 */
export function commandLine(...words: (Literal | string)[]): string | null {
  const out: string[] = [];
  for (const word of words) {
    if (typeof word === "string") {
      if (!fitsCommand(word)) return null;
      out.push(quote(word));
      continue;
    }
    for (const part of word.literal.split(" ")) {
      if (!WORD.test(part)) return null;
      out.push(quote(part));
    }
  }
  return out.join(" ");
}
