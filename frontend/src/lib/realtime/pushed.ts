import type { Query, QueryClient, QueryKey, Updater } from "@tanstack/react-query";

/** Runs `action` as soon as no answer to a query is on its way, which may be now. */
function whenSettled(queryClient: QueryClient, queryKey: QueryKey, action: () => void): void {
  const cache = queryClient.getQueryCache();
  const query = cache.find({ queryKey, exact: true });
  if (!query || query.state.fetchStatus === "idle") {
    action();
    return;
  }
  const stop = cache.subscribe((event) => {
    if (event.query !== query) return;
    if (event.type === "removed") stop();
    else if (query.state.fetchStatus === "idle") {
      stop();
      action();
    }
  });
}

/**
 * Puts what was pushed into what was fetched. An answer that is on its way may have been read before the push, and
 * would overwrite it; so it is put in once more upon that answer. `update` gets the data as they are then, and must
 * leave alone what knows of the push already.
 */
export function mergePushed<T>(
  queryClient: QueryClient,
  queryKey: QueryKey,
  update: (data: T | undefined) => T | undefined,
): void {
  const apply = () =>
    void queryClient.setQueryData<T>(queryKey, update as Updater<T | undefined, T | undefined>);
  const query = queryClient.getQueryCache().find({ queryKey, exact: true });
  const underWay = query !== undefined && query.state.fetchStatus !== "idle";
  apply();
  if (underWay) whenSettled(queryClient, queryKey, apply);
}

/** What one change pushes on several channels arrives within this, and is fetched once. */
const GATHER_MS = 50;

const due = new WeakSet<Query>();

/**
 * Fetches again what pushes may have been missed of. An answer that is on its way is waited for, since it may have been
 * read before: however many pushes come, the first answers are shown, and one question follows the last push.
 */
export function refetchMissed(queryClient: QueryClient, queryKey: QueryKey): void {
  for (const query of queryClient.getQueryCache().findAll({ queryKey })) {
    if (due.has(query)) continue;
    due.add(query);
    const again = () => {
      due.delete(query);
      void queryClient.invalidateQueries({ queryKey: query.queryKey, exact: true });
    };
    setTimeout(() => whenSettled(queryClient, query.queryKey, again), GATHER_MS);
  }
}
