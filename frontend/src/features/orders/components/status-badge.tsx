import { Badge } from "@/components/ui/badge";
import type { OrderStatus } from "@/lib/api/types";

import { STATUS } from "../status";

export function StatusBadge({ status }: { status: OrderStatus }) {
  const { label, tone } = STATUS[status];
  return (
    <Badge tone={tone} data-testid="order-status" data-status={status}>
      {label}
    </Badge>
  );
}
