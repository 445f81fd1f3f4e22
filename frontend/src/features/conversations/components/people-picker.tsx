"use client";

import { Combobox } from "@base-ui/react/combobox";
import { CircleAlert, X } from "lucide-react";
import { useId, useState } from "react";

import { Avatar } from "@/components/ui/avatar";
import { messageOf } from "@/lib/api/problem";
import type { UserSummary } from "@/lib/api/types";
import { useCurrentUser } from "@/lib/current-user";
import { useDebounced } from "@/lib/hooks/use-debounced";

import { useDirectory } from "../api/conversations";

const TYPING_MS = 150;
/** As long as the API takes. */
const MAX_NAME = 50;

interface PeoplePickerProps {
  selected: UserSummary[];
  onChange: (people: UserSummary[]) => void;
  error?: string;
}

/** Finds people by the beginning of their name; several can be chosen. Arrow keys, Enter and Backspace work. */
export function PeoplePicker({ selected, onChange, error }: PeoplePickerProps) {
  const id = useId();
  const me = useCurrentUser();
  const [text, setText] = useState("");
  const directory = useDirectory(useDebounced(text, TYPING_MS));
  const found = (directory.data?.items ?? []).filter((person) => person.id !== me.id);
  const status = directory.isError
    ? messageOf(directory.error)
    : !text.trim()
      ? "Type a name."
      : directory.isFetching
        ? "Searching …"
        : found.length === 0
          ? "Nobody is called that."
          : null;

  return (
    <Combobox.Root
      multiple
      items={found}
      filter={null}
      value={selected}
      onValueChange={(people) => {
        onChange(people);
        setText("");
      }}
      inputValue={text}
      onInputValueChange={setText}
      itemToStringLabel={(person: UserSummary) => person.username}
      isItemEqualToValue={(a: UserSummary, b: UserSummary) => a.id === b.id}
    >
      <div className="space-y-1.5">
        <label htmlFor={id} className="block text-sm font-medium">
          People
        </label>
        <Combobox.Chips className="flex min-h-9 flex-wrap items-center gap-1.5 rounded-md border border-input bg-card px-2 py-1.5 text-sm shadow-xs focus-within:border-ring focus-within:outline-2 focus-within:outline-ring">
          {selected.map((person) => (
            <Combobox.Chip
              key={person.id}
              aria-label={person.username}
              className="flex items-center gap-1.5 rounded-full bg-primary-soft py-0.5 pr-1 pl-2.5 text-xs font-medium text-primary"
            >
              {person.username}
              <Combobox.ChipRemove
                aria-label={`Remove ${person.username}`}
                className="rounded-full p-0.5 hover:bg-primary/15"
              >
                <X aria-hidden className="size-3" />
              </Combobox.ChipRemove>
            </Combobox.Chip>
          ))}
          <Combobox.Input
            id={id}
            maxLength={MAX_NAME}
            placeholder={selected.length === 0 ? "Search by username" : ""}
            className="h-6 min-w-32 flex-1 bg-transparent text-base sm:text-sm px-1 outline-none placeholder:text-muted-foreground/80"
            aria-invalid={error ? true : undefined}
            aria-describedby={error ? `${id}-error` : undefined}
          />
        </Combobox.Chips>
        {error ? (
          <p
            id={`${id}-error`}
            role="alert"
            className="flex items-center gap-1.5 text-xs font-medium text-danger"
          >
            <CircleAlert aria-hidden className="size-3.5" /> {error}
          </p>
        ) : null}
      </div>
      <Combobox.Portal>
        <Combobox.Positioner sideOffset={4} className="z-[55] outline-hidden">
          <Combobox.Popup className="max-h-64 w-(--anchor-width) overflow-y-auto rounded-md border bg-popover p-1 shadow-float">
            <Combobox.Status className="px-2.5 py-1.5 text-sm text-muted-foreground empty:hidden">
              {status}
            </Combobox.Status>
            <Combobox.List>
              {(person: UserSummary) => (
                <Combobox.Item
                  key={person.id}
                  value={person}
                  className="flex cursor-default items-center gap-2.5 rounded-sm px-2 py-1.5 text-sm outline-hidden data-highlighted:bg-muted data-selected:text-primary"
                >
                  <Avatar name={person.username} className="size-6" />
                  {person.username}
                </Combobox.Item>
              )}
            </Combobox.List>
          </Combobox.Popup>
        </Combobox.Positioner>
      </Combobox.Portal>
    </Combobox.Root>
  );
}
