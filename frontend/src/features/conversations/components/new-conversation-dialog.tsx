"use client";

import { Plus } from "lucide-react";
import { useRouter } from "next/navigation";
import { type FormEvent, useState } from "react";

import { Button } from "@/components/ui/button";
import { Dialog, DialogClose, DialogContent, DialogFooter, DialogTrigger } from "@/components/ui/dialog";
import { FormError } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import type { UserSummary } from "@/lib/api/types";

import { useCreateConversation } from "../api/conversations";
import { PeoplePicker } from "./people-picker";

const MAX_TITLE = 120;

export function NewConversationDialog() {
  const [open, setOpen] = useState(false);
  return (
    <Dialog open={open} onOpenChange={setOpen} disablePointerDismissal>
      <DialogTrigger
        render={
          <Button size="sm" variant="soft" aria-label="New conversation">
            <Plus aria-hidden /> New
          </Button>
        }
      />
      <DialogContent title="New conversation" description="Everyone you add can read and write in it.">
        <NewConversationForm onDone={() => setOpen(false)} />
      </DialogContent>
    </Dialog>
  );
}

function NewConversationForm({ onDone }: { onDone: () => void }) {
  const router = useRouter();
  const create = useCreateConversation();
  const [title, setTitle] = useState("");
  const [people, setPeople] = useState<UserSummary[]>([]);
  const [missing, setMissing] = useState(false);

  function submit(event: FormEvent) {
    event.preventDefault();
    setMissing(people.length === 0);
    if (people.length === 0) return;
    create.mutate(
      // Without a title it is called after its people, for everybody after the others.
      { title: title.trim() || undefined, participant_ids: people.map(({ id }) => id) },
      {
        onSuccess: (conversation) => {
          onDone();
          router.push(`/conversations/${conversation.id}`);
        },
      },
    );
  }

  return (
    <form onSubmit={submit} className="space-y-4" aria-label="New conversation">
      <FormError error={create.error} />
      <Field label="Title (optional)">
        <Input value={title} maxLength={MAX_TITLE} onChange={(event) => setTitle(event.target.value)} />
      </Field>
      <PeoplePicker
        selected={people}
        onChange={setPeople}
        error={missing && people.length === 0 ? "Choose at least one person." : undefined}
      />
      <DialogFooter>
        <DialogClose render={<Button variant="secondary">Cancel</Button>} />
        <Button type="submit" pending={create.isPending}>
          Start conversation
        </Button>
      </DialogFooter>
    </form>
  );
}
