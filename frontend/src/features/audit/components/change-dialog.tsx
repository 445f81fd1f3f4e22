"use client";

import { Dialog, DialogContent } from "@/components/ui/dialog";
import { JsonBlock } from "@/components/ui/json-block";
import type { AccountChange } from "@/lib/api/types";
import { formatDateTime, humanise } from "@/lib/format";

import { Person } from "./person";

/** One change of an account: what was there, and what is. Of an update, only the fields that it changed. */
export function ChangeDialog({ change, onClose }: { change: AccountChange | null; onClose: () => void }) {
  return (
    <Dialog open={change !== null} onOpenChange={(open) => !open && onClose()}>
      {change ? (
        <DialogContent
          title={humanise(change.operation.toLowerCase())}
          description={formatDateTime(change.changed_at)}
          className="max-w-2xl"
        >
          <div className="max-h-[60dvh] space-y-4 overflow-y-auto">
            <p className="text-sm">
              <span className="text-muted-foreground">By</span> <Person userId={change.changed_by} />
            </p>
            {change.old_values ? <JsonBlock title="Before" value={shown(change, change.old_values)} /> : null}
            {change.new_values ? <JsonBlock title="After" value={shown(change, change.new_values)} /> : null}
          </div>
        </DialogContent>
      ) : null}
    </Dialog>
  );
}

/** Password hashes are not in the trail, only that they changed. */
const NOT_KEPT = "not kept";

function shown({ changed_fields }: AccountChange, values: Record<string, unknown>): Record<string, unknown> {
  if (changed_fields.length === 0) return values;
  return Object.fromEntries(
    changed_fields.map((field) => [field, field in values ? values[field] : NOT_KEPT]),
  );
}
