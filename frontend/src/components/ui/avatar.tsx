import { cn } from "@/lib/cn";
import { initials } from "@/lib/format";

const HUES = [205, 165, 295, 70, 25, 250, 130, 340];

function hueOf(name: string): number {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return HUES[hash % HUES.length] as number;
}

/** A person's initials on a colour that is always theirs. */
export function Avatar({ name, className, online }: { name: string; className?: string; online?: boolean }) {
  const hue = hueOf(name);
  return (
    <span className={cn("relative inline-flex size-8 shrink-0", className)} aria-hidden>
      <span
        // Drawn, not written: initials are no part of anybody's name when it is read out.
        data-initials={initials(name)}
        className="flex size-full items-center justify-center rounded-full text-[0.7em] font-semibold text-white before:content-[attr(data-initials)]"
        style={{
          background: `linear-gradient(145deg, oklch(0.58 0.11 ${hue}), oklch(0.44 0.1 ${hue + 20}))`,
        }}
      />
      {online ? (
        <span className="absolute -right-0.5 -bottom-0.5 size-2.5 rounded-full border-2 border-card bg-live" />
      ) : null}
    </span>
  );
}
