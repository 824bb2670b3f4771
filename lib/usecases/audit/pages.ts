/**
 * Pages worked on two at a time: the next one is taken while the one before it is under way, so
 * that signatures keep all cores busy while a page is received and parsed. No more than two are
 * held.
 */

/**
 * @throws what the pages or the work throw, the first of it, and only once nothing is under way any
 * more
 */
export async function workThrough<T>(
  pages: AsyncIterable<readonly T[]>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let before: readonly Promise<void>[] = [];
  try {
    for await (const page of pages) {
      const earlier = before;
      before = page.map(work);
      // What fails is told when its page's turn comes.
      for (const one of before) one.catch(() => undefined);
      await settled(earlier);
    }
  } finally {
    await Promise.allSettled(before);
  }
  await settled(before);
}

async function settled(works: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(works);
  await Promise.all(works);
}
