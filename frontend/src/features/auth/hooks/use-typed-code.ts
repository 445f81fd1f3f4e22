"use client";

import { type ChangeEvent, useState } from "react";

/** A code of the app has six digits; recovery codes are longer. */
const MIN_LENGTH = 6;

/** The code that a form of nothing else asks for: what is typed, and whether it was sent too short. */
export function useTypedCode() {
  const [value, setValue] = useState("");
  const [missing, setMissing] = useState(false);
  return {
    /** For a `CodeField`. */
    field: { value, onChange: (event: ChangeEvent<HTMLInputElement>) => setValue(event.target.value) },
    missing,
    /** The code, or null and `missing` when it is too short. */
    take(): string | null {
      const code = value.trim();
      setMissing(code.length < MIN_LENGTH);
      return code.length < MIN_LENGTH ? null : code;
    },
    clear() {
      setValue("");
    },
    reset() {
      setValue("");
      setMissing(false);
    },
  };
}
