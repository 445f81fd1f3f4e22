"use client";

import { type ChangeEvent, useState } from "react";

import { MIN_CODE } from "../rules";

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
      setMissing(code.length < MIN_CODE);
      return code.length < MIN_CODE ? null : code;
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
