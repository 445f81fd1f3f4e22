import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { CursorPagination, Pagination } from "@/components/ui/pagination";

const scrolled = vi.fn();
let top = 0;

beforeEach(() => {
  scrolled.mockClear();
  vi.spyOn(Element.prototype, "scrollIntoView").mockImplementation(function (this: Element) {
    scrolled(this);
  });
  vi.spyOn(Element.prototype, "getBoundingClientRect").mockImplementation(() => ({ top }) as DOMRect);
});

const list = (
  <ul aria-label="Things">
    <li>one</li>
  </ul>
);

describe("turning a page", () => {
  it.each([
    ["beside it", (pages: ReactNode) => pages],
    ["within a frame of its own", (pages: ReactNode) => <div>{pages}</div>],
  ])("leads to the beginning of the list %s, with the focus", async (_, framed) => {
    top = -800;
    const turned: number[] = [];
    render(
      <section>
        <h1>Page</h1>
        {list}
        {framed(
          <Pagination page={1} pages={2} total={30} noun="things" onPage={(page) => turned.push(page)} />,
        )}
      </section>,
    );
    await userEvent.click(screen.getByRole("button", { name: "Next" }));
    expect(turned).toEqual([2]);
    expect(screen.getByRole("list", { name: "Things" })).toHaveFocus();
    // No options: a jump, also for whom movement makes sick.
    expect(scrolled.mock.calls).toEqual([[screen.getByRole("list", { name: "Things" })]]);
  });

  it("does so in lists by cursor, and leaves what is in view where it is", async () => {
    top = 200;
    const turned: string[] = [];
    render(
      <section>
        {list}
        <CursorPagination next="older" prev={null} onPage={(cursor) => turned.push(cursor)} />
      </section>,
    );
    await userEvent.click(screen.getByRole("button", { name: "Older" }));
    expect(turned).toEqual(["older"]);
    expect(screen.getByRole("list", { name: "Things" })).toHaveFocus();
    expect(scrolled).not.toHaveBeenCalled();
    expect(screen.getByRole("button", { name: "Newer" })).toBeDisabled();
  });
});
