"use client";

import { Plus } from "lucide-react";
import { type FormEvent, useRef, useState } from "react";

import { Button } from "@/components/ui/button";
import { CopyButton } from "@/components/ui/copy-button";
import { Dialog, DialogClose, DialogContent, DialogFooter, DialogTrigger } from "@/components/ui/dialog";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { useCurrentUser } from "@/lib/current-user";
import { useLeaveGuard } from "@/lib/hooks/use-leave-guard";

import { useCreateApiKey } from "../api/api-keys";

/** As long as the API takes. */
const MAX_NAME = 80;

const EXPIRIES = [
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "365", label: "A year" },
  { value: "never", label: "Never" },
] as const;

export function CreateApiKeyDialog() {
  const [open, setOpen] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const create = useCreateApiKey();

  /** A key that is being made is waited for; one that is shown goes away only when somebody says so. */
  function onOpenChange(next: boolean, { reason }: { reason: string }) {
    if (!next && (create.isPending || (secret !== null && reason !== "close-press"))) return;
    setOpen(next);
    if (next) create.reset();
    else setSecret(null);
  }

  return (
    <Dialog open={open} onOpenChange={onOpenChange} disablePointerDismissal>
      <DialogTrigger
        render={
          <Button size="sm">
            <Plus aria-hidden /> New API key
          </Button>
        }
      />
      {secret ? (
        <DialogContent title="Copy your key now" description="It is shown this once. We keep only its hash.">
          <Secret value={secret} />
          <DialogFooter>
            <DialogClose render={<Button>Done</Button>} />
          </DialogFooter>
        </DialogContent>
      ) : (
        <DialogContent
          title="New API key"
          description="It can do what you can, limited to the scopes you choose."
        >
          <CreateForm create={create} onCreated={setSecret} />
        </DialogContent>
      )}
    </Dialog>
  );
}

function Secret({ value }: { value: string }) {
  useLeaveGuard("Leave without your API key? It is not shown again.");
  const field = useRef<HTMLInputElement>(null);
  return (
    <div className="flex gap-2">
      <Input
        ref={field}
        readOnly
        aria-label="API key"
        value={value}
        className="font-mono"
        onFocus={(event) => event.target.select()}
      />
      <CopyButton text={value} shownIn={field} />
    </div>
  );
}

interface CreateFormProps {
  create: ReturnType<typeof useCreateApiKey>;
  onCreated: (secret: string) => void;
}

function CreateForm({ create, onCreated }: CreateFormProps) {
  const user = useCurrentUser();
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<readonly string[]>([]);
  const [expiry, setExpiry] = useState<(typeof EXPIRIES)[number]["value"]>("90");
  const [checked, setChecked] = useState(false);
  const nameMissing = name.trim() === "";
  const scopesMissing = scopes.length === 0;

  function submit(event: FormEvent) {
    event.preventDefault();
    setChecked(true);
    if (nameMissing || scopesMissing) return;
    create.mutate(
      { name: name.trim(), scopes: [...scopes], expires_in_days: expiry === "never" ? null : Number(expiry) },
      { onSuccess: ({ key }) => onCreated(key) },
    );
  }

  return (
    <form onSubmit={submit} noValidate className="space-y-4" aria-label="New API key">
      <FormError error={create.error} />
      <Field label="Name" error={checked && nameMissing ? "Give it a name to recognise it by." : undefined}>
        <Input value={name} maxLength={MAX_NAME} onChange={(event) => setName(event.target.value)} />
      </Field>
      <fieldset>
        <legend className="mb-1.5 text-sm font-medium">Scopes</legend>
        <div className="grid max-h-52 gap-x-4 gap-y-0.5 overflow-y-auto rounded-md border p-2 sm:grid-cols-2">
          {user.permissions.map((scope) => (
            <label
              key={scope}
              className="flex items-center gap-2.5 rounded-sm px-1.5 py-1 font-mono text-xs hover:bg-muted"
            >
              <input
                type="checkbox"
                className="size-4 accent-primary"
                checked={scopes.includes(scope)}
                onChange={(event) =>
                  setScopes((now) =>
                    event.target.checked ? [...now, scope] : now.filter((chosen) => chosen !== scope),
                  )
                }
              />
              {scope}
            </label>
          ))}
        </div>
        {checked && scopesMissing ? (
          <p role="alert" className="mt-1.5 text-xs font-medium text-danger">
            Choose at least one scope.
          </p>
        ) : null}
      </fieldset>
      <Field label="Expires">
        <Select options={EXPIRIES} value={expiry} onChange={setExpiry} />
      </Field>
      <DialogFooter>
        <DialogClose render={<Button variant="secondary">Cancel</Button>} />
        <Button type="submit" pending={create.isPending}>
          Create key
        </Button>
      </DialogFooter>
    </form>
  );
}
