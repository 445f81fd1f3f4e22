import { Input as BaseInput } from "@base-ui/react/input";
import type { ComponentProps } from "react";

import { cn } from "@/lib/cn";

/** 16 px on a phone: iOS zooms into a field whose text is smaller, and stays there. */
const FIELD =
  "w-full rounded-md border border-input bg-card px-3 text-base sm:text-sm shadow-xs transition-colors placeholder:text-muted-foreground/80 disabled:opacity-55 aria-invalid:border-danger focus-visible:border-ring focus-visible:outline-offset-0";

export function Input({ className, ...props }: ComponentProps<typeof BaseInput>) {
  return <BaseInput data-slot="input" className={cn(FIELD, "h-9", className)} {...props} />;
}

export function Textarea({ className, ...props }: ComponentProps<"textarea">) {
  return <textarea data-slot="textarea" className={cn(FIELD, "min-h-20 py-2", className)} {...props} />;
}
