"use client";

import { ChevronLeft, ChevronRight, FileQuestion } from "lucide-react";
import { useRef } from "react";

import { ApiError } from "@/lib/api/problem";
import { formatInteger } from "@/lib/format";

import { Button } from "./button";
import { Empty } from "./empty";

/** The header of the shell is this high, and covers what is below it. */
const HEADER_PX = 60;

/**
 * Leads to the beginning of the list below which a page was turned: to read on there, and so that the focus is on no
 * button that the last page disables. At once, not gliding. What is in view already stays where it is.
 */
function toListAbove(nav: HTMLElement | null): void {
  let below: Element | null = nav;
  while (below && !below.previousElementSibling) below = below.parentElement;
  const list = below?.previousElementSibling;
  if (!(list instanceof HTMLElement)) return;
  if (list.tabIndex < 0) list.tabIndex = -1;
  list.focus({ preventScroll: true });
  if (list.getBoundingClientRect().top < HEADER_PX) list.scrollIntoView();
}

interface PaginationProps {
  page: number;
  pages: number;
  total: number;
  noun: string;
  onPage: (page: number) => void;
}

export function Pagination({ page, pages, total, noun, onPage }: PaginationProps) {
  const nav = useRef<HTMLElement>(null);
  const turn = (to: number) => {
    onPage(to);
    toListAbove(nav.current);
  };
  return (
    <nav ref={nav} aria-label="Pagination" className="flex items-center justify-between gap-4">
      <p className="text-sm text-muted-foreground">
        {formatInteger(total)} {noun}
        {pages > 1 ? (
          <>
            {" "}
            · page {page} of {formatInteger(pages)}
          </>
        ) : null}
      </p>
      {pages > 1 ? (
        <div className="flex gap-2">
          <Button variant="secondary" size="sm" disabled={page <= 1} onClick={() => turn(page - 1)}>
            <ChevronLeft aria-hidden /> Previous
          </Button>
          <Button variant="secondary" size="sm" disabled={page >= pages} onClick={() => turn(page + 1)}>
            Next <ChevronRight aria-hidden />
          </Button>
        </div>
      ) : null}
    </nav>
  );
}

interface CursorPaginationProps {
  /** Cursors of the pages beside this one; null where there is none. */
  next: string | null;
  prev: string | null;
  onPage: (cursor: string) => void;
}

/** For lists of which nobody counts how long they are, newest first. */
export function CursorPagination({ next, prev, onPage }: CursorPaginationProps) {
  const nav = useRef<HTMLElement>(null);
  if (next === null && prev === null) return null;
  const turn = (cursor: string | null) => {
    if (cursor === null) return;
    onPage(cursor);
    toListAbove(nav.current);
  };
  return (
    <nav ref={nav} aria-label="Pagination" className="flex justify-end gap-2">
      <Button variant="secondary" size="sm" disabled={prev === null} onClick={() => turn(prev)}>
        <ChevronLeft aria-hidden /> Newer
      </Button>
      <Button variant="secondary" size="sm" disabled={next === null} onClick={() => turn(next)}>
        Older <ChevronRight aria-hidden />
      </Button>
    </nav>
  );
}

/** What a page shows that a list has no longer, or never had: a bookmark outlives what was filtered or removed. */
export function PastTheEnd({ onFirst }: { onFirst: () => void }) {
  return (
    <Empty
      icon={FileQuestion}
      title="There is no such page"
      action={
        <Button variant="secondary" onClick={onFirst}>
          Back to the first page
        </Button>
      }
    >
      The list is shorter than that.
    </Empty>
  );
}

/** For `failed` of a `QueryState`: the address names a page that the API gives nobody, or a cursor of another list. */
export function noSuchPage(onFirst: () => void) {
  return function failed(error: unknown) {
    return isNoPage(error) ? <PastTheEnd onFirst={onFirst} /> : null;
  };
}

function isNoPage(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  const { code, fieldErrors } = error;
  return code === "invalid_cursor" || fieldErrors.has("query.page") || fieldErrors.has("query.cursor");
}
