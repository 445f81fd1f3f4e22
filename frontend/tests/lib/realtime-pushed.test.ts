import { notifyManager, QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { mergePushed, refetchMissed } from "@/lib/realtime/pushed";

const queryKey = ["list"];

/** A query whose answers come when the test says so. */
function slowQuery() {
  const client = new QueryClient();
  const answers: ((data: string[]) => void)[] = [];
  const observer = new QueryObserver<string[]>(client, {
    queryKey,
    queryFn: () => new Promise((resolve) => answers.push(resolve)),
    retry: false,
  });
  const stop = observer.subscribe(() => undefined);
  const data = () => client.getQueryData<string[]>(queryKey);
  return { client, observer, answers, data, stop };
}

const withItem = (item: string) => (data: string[] | undefined) =>
  data && !data.includes(item) ? [...data, item] : data;

let query: ReturnType<typeof slowQuery>;
beforeEach(() => {
  query = slowQuery();
});
afterEach(() => query.stop());

describe("what is pushed", () => {
  it("before the first answer is in it nevertheless", async () => {
    mergePushed(query.client, queryKey, withItem("pushed"));
    expect(query.data()).toBeUndefined();
    query.answers[0]?.(["old"]);
    await vi.waitFor(() => expect(query.data()).toEqual(["old", "pushed"]));
  });

  it("while an older answer is on its way is not overwritten by it", async () => {
    query.answers[0]?.(["old"]);
    await vi.waitFor(() => expect(query.data()).toEqual(["old"]));
    void query.observer.refetch();
    mergePushed(query.client, queryKey, withItem("pushed"));
    expect(query.data()).toEqual(["old", "pushed"]);
    const seen: unknown[] = [];
    // As React hears it: after everything that one answer causes.
    const look = notifyManager.batchCalls(() => void seen.push(query.observer.getCurrentResult().data));
    query.observer.subscribe(look);
    query.answers[1]?.(["old"]);
    await vi.waitFor(() => expect(query.client.isFetching()).toBe(0));
    expect(query.data()).toEqual(["old", "pushed"]);
    expect(seen).not.toContainEqual(["old"]);
  });

  it("is put in once where nothing is on its way, and nowhere when nobody asked", async () => {
    query.answers[0]?.([]);
    await vi.waitFor(() => expect(query.data()).toEqual([]));
    const update = vi.fn(withItem("pushed"));
    mergePushed(query.client, queryKey, update);
    expect(update).toHaveBeenCalledTimes(1);
    mergePushed<string[]>(query.client, ["unknown"], (data) => data);
    expect(query.client.getQueryData(["unknown"])).toBeUndefined();
  });
});

describe("what may have been missed", () => {
  it("is asked for again after a first answer that may be older", async () => {
    refetchMissed(query.client, queryKey);
    expect(query.answers).toHaveLength(1);
    query.answers[0]?.(["old"]);
    await vi.waitFor(() => expect(query.answers).toHaveLength(2));
    query.answers[1]?.(["old", "missed"]);
    await vi.waitFor(() => expect(query.data()).toEqual(["old", "missed"]));
    await vi.waitFor(() => expect(query.client.isFetching()).toBe(0));
    expect(query.answers).toHaveLength(2);
  });

  it("is asked for at once otherwise", async () => {
    query.answers[0]?.(["old"]);
    await vi.waitFor(() => expect(query.data()).toEqual(["old"]));
    refetchMissed(query.client, ["list"]);
    await vi.waitFor(() => expect(query.answers).toHaveLength(2));
  });

  it("is asked for once, however many pushes say so, and once more after what was pushed meanwhile", async () => {
    query.answers[0]?.(["old"]);
    await vi.waitFor(() => expect(query.data()).toEqual(["old"]));
    for (let push = 0; push < 5; push += 1) refetchMissed(query.client, queryKey);
    await vi.waitFor(() => expect(query.answers).toHaveLength(2));
    for (let push = 0; push < 5; push += 1) refetchMissed(query.client, queryKey);
    query.answers[1]?.(["newer"]);
    await vi.waitFor(() => expect(query.data()).toEqual(["newer"]));
    await vi.waitFor(() => expect(query.answers).toHaveLength(3));
    query.answers[2]?.(["newest"]);
    await vi.waitFor(() => expect(query.data()).toEqual(["newest"]));
    expect(query.answers).toHaveLength(3);
  });
});
