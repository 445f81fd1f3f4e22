import {
  Armchair,
  BookOpen,
  Camera,
  Dumbbell,
  Gamepad2,
  Hammer,
  Headphones,
  Laptop,
  Leaf,
  type LucideIcon,
  Package,
  Shirt,
  Utensils,
  Watch,
} from "lucide-react";

import { cn } from "@/lib/cn";

/** Matched against the category's slug, in this order. */
const ICONS: readonly (readonly [RegExp, LucideIcon])[] = [
  [/audio|music|sound/, Headphones],
  [/photo|camera/, Camera],
  [/electro|comput|tech|office/, Laptop],
  [/book|stationer/, BookOpen],
  [/kitchen|food|cook/, Utensils],
  [/home|furnit|living/, Armchair],
  [/garden|plant|outdoor/, Leaf],
  [/sport|fitness/, Dumbbell],
  [/toy|game/, Gamepad2],
  [/cloth|fashion|apparel/, Shirt],
  [/watch|jewel|accessor/, Watch],
  [/tool|diy|hardware/, Hammer],
];

function hash(text: string): number {
  let value = 7;
  for (const character of text) value = (value * 33 + (character.codePointAt(0) ?? 0)) >>> 0;
  return value;
}

/** Stands in for a photograph: the category's sign on a wave that is this product's own. */
export function ProductArt({
  seed,
  category,
  className,
}: {
  seed: string;
  category: string;
  className?: string;
}) {
  const Icon = ICONS.find(([pattern]) => pattern.test(category))?.[1] ?? Package;
  const number = hash(seed);
  const hue = (hash(category) % 12) * 30 + (number % 16);
  const crest = 18 + (number % 22);
  const trough = 62 + ((number >> 5) % 26);
  return (
    <div
      aria-hidden
      className={cn(
        "relative flex items-center justify-center overflow-hidden dark:brightness-85",
        className,
      )}
      style={{
        background: `linear-gradient(155deg, oklch(0.88 0.06 ${hue}), oklch(0.77 0.09 ${hue + 28}))`,
        color: `oklch(0.34 0.08 ${hue + 15})`,
      }}
    >
      <svg viewBox="0 0 100 100" preserveAspectRatio="none" className="absolute inset-0 size-full opacity-35">
        <path
          d={`M0 ${trough} C 25 ${trough - crest}, 45 ${trough + crest / 2}, 100 ${trough - crest / 1.5} V 100 H 0 Z`}
          fill={`oklch(0.66 0.11 ${hue + 40})`}
        />
        <path
          d={`M0 ${trough + 16} C 30 ${trough + 2}, 60 ${trough + 30}, 100 ${trough + 8} V 100 H 0 Z`}
          fill={`oklch(0.56 0.11 ${hue + 48})`}
        />
      </svg>
      <Icon className="relative size-[34%] max-h-16 max-w-16" strokeWidth={1.4} />
    </div>
  );
}
