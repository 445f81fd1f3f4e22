import { Badge } from "@/components/ui/badge";
import type { Account } from "@/lib/api/types";
import { humanise } from "@/lib/format";

/** What an account is and may be, in a few words. */
export function AccountState({ account }: { account: Pick<Account, "is_active" | "is_verified" | "roles"> }) {
  return (
    <span className="flex flex-wrap gap-1.5">
      {account.is_active ? null : <Badge tone="danger">Disabled</Badge>}
      {account.is_verified ? null : <Badge tone="warning">Address not verified</Badge>}
      {account.roles.map((role) => (
        <Badge key={role} tone={role === "customer" ? "neutral" : "primary"}>
          {humanise(role)}
        </Badge>
      ))}
    </span>
  );
}
