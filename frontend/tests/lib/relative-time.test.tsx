import { act, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Day, RelativeTime } from "@/components/ui/relative-time";
import { formatDateTime } from "@/lib/format";

const NOON = new Date(2026, 10, 22, 12);

describe("how long ago something was", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.setSystemTime(NOON);
  });
  afterEach(() => void vi.useRealTimers());

  const passes = (minutes: number) => act(() => void vi.advanceTimersByTime(minutes * 60_000));

  it("stays true while it is looked at, and says when exactly", () => {
    const at = NOON.toISOString();
    render(<RelativeTime at={at} />);
    const shown = screen.getByText("just now");
    expect(shown).toHaveAttribute("datetime", at);
    expect(shown).toHaveAttribute("title", formatDateTime(at));
    passes(3);
    expect(shown).toHaveTextContent("3 min ago");
    passes(60);
    expect(shown).toHaveTextContent("1 hr ago");
  });

  it("costs one timer for the page, and none when nothing says it", () => {
    const at = NOON.toISOString();
    const one = render(<RelativeTime at={at} />);
    const other = render(<RelativeTime at={at} />);
    expect(vi.getTimerCount()).toBe(1);
    one.unmount();
    passes(2);
    expect(screen.getByText("2 min ago")).toBeInTheDocument();
    other.unmount();
    expect(vi.getTimerCount()).toBe(0);
    render(<RelativeTime at={at} />);
    passes(1);
    expect(screen.getByText("3 min ago")).toBeInTheDocument();
  });

  it("calls yesterday what was today before midnight", () => {
    render(<Day at={NOON.toISOString()} />);
    expect(screen.getByText("Today")).toBeInTheDocument();
    passes(13 * 60);
    expect(screen.getByText("Yesterday")).toBeInTheDocument();
  });
});
