/**
 * Text that comes in pieces, line by line. A line that is too long is left out and told, so that
 * memory is bounded.
 */

/** Characters of a line that are looked at. */
const MAX_LINE = 65_536;

/**
 * `take` is given each line without its end; `skip` is called for one that is too long. A line is
 * given once its end has come.
 */
export function createSplitter(
  take: (line: string) => void,
  skip: () => void,
): (text: string) => void {
  let pending = "";
  let overlong = false;
  return (text) => {
    let from = 0;
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", from)) {
      const piece = text.slice(from, at);
      from = at + 1;
      if (overlong || pending.length + piece.length > MAX_LINE) {
        [pending, overlong] = ["", false];
        skip();
        continue;
      }
      const whole = pending + piece;
      pending = "";
      take(whole.endsWith("\r") ? whole.slice(0, -1) : whole);
    }
    if (overlong) return;
    if (pending.length + text.length - from > MAX_LINE) [pending, overlong] = ["", true];
    else pending += text.slice(from);
  };
}
