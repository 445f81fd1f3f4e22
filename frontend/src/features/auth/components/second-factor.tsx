"use client";

import { ShieldCheck, ShieldOff } from "lucide-react";
import { useState } from "react";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader, CardTitle } from "@/components/ui/card";
import { QueryState } from "@/components/ui/query-state";
import { SkeletonRows } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import type { SecondFactor as State } from "@/lib/api/types";
import { formatDateTime } from "@/lib/format";

import { useDisableSecondFactor, useRenewRecoveryCodes, useSecondFactor } from "../api/second-factor";
import { EnrolmentForm } from "./enrolment";
import { ProofForm } from "./proof-form";
import { RecoveryCodes } from "./recovery-codes";

const FEW_CODES = 3;

type View =
  { name: "overview" | "enrol" | "renew" | "disable" } | { name: "codes"; codes: readonly string[] };

const OVERVIEW: View = { name: "overview" };

interface SecondFactorProps {
  /** Told when a change is begun, and when it is done with: until then this had better stay where it is. */
  onBusy?: (busy: boolean) => void;
}

/** Two-step sign-in: what is set up, and every step of changing it, in one place. */
export function SecondFactor({ onBusy }: SecondFactorProps) {
  const state = useSecondFactor();
  const [view, show] = useState<View>(OVERVIEW);
  const setView = (next: View) => {
    show(next);
    onBusy?.(next !== OVERVIEW);
  };
  return (
    <Card>
      <CardHeader>
        <CardTitle>Two-step sign-in</CardTitle>
        {state.data ? (
          <Badge tone={state.data.enabled ? "success" : "neutral"}>
            {state.data.enabled ? <ShieldCheck aria-hidden /> : <ShieldOff aria-hidden />}
            {state.data.enabled ? "On" : "Off"}
          </Badge>
        ) : null}
      </CardHeader>
      {view.name === "overview" ? (
        <QueryState query={state} loading={<SkeletonRows rows={2} />}>
          {(found) => (
            <CardBody>
              <Overview state={found} onChoose={(name) => setView({ name })} />
            </CardBody>
          )}
        </QueryState>
      ) : (
        // Secrets that are shown once: what becomes of the query takes none of these away.
        <CardBody>
          {view.name === "enrol" ? (
            <EnrolmentForm
              onEnrolled={(codes) => setView({ name: "codes", codes })}
              onCancel={() => setView(OVERVIEW)}
            />
          ) : view.name === "codes" ? (
            <RecoveryCodes codes={view.codes} onDone={() => setView(OVERVIEW)} />
          ) : view.name === "renew" ? (
            <Renew
              onRenewed={(codes) => setView({ name: "codes", codes })}
              onCancel={() => setView(OVERVIEW)}
            />
          ) : (
            <Disable onEnd={() => setView(OVERVIEW)} />
          )}
        </CardBody>
      )}
    </Card>
  );
}

function Overview({
  state,
  onChoose,
}: {
  state: State;
  onChoose: (name: "enrol" | "renew" | "disable") => void;
}) {
  if (!state.enabled) {
    return (
      <div className="space-y-4">
        <p className="text-sm text-muted-foreground">
          Signing in then asks for a code of an authenticator app on your phone, so that your password alone
          is of no use to anybody.
        </p>
        <Button onClick={() => onChoose("enrol")}>Set up an authenticator app</Button>
      </div>
    );
  }
  const left = state.recovery_codes_left;
  return (
    <div className="space-y-4">
      <p className="text-sm text-muted-foreground">
        Signing in asks for a code of your authenticator app
        {state.enabled_at ? ` since ${formatDateTime(state.enabled_at)}` : ""}.{" "}
        <span className={left <= FEW_CODES ? "font-medium text-danger" : undefined}>
          {left === 1 ? "1 recovery code is" : `${left} recovery codes are`} left.
        </span>
      </p>
      <div className="flex flex-wrap gap-2">
        <Button variant="secondary" onClick={() => onChoose("renew")}>
          New recovery codes
        </Button>
        <Button variant="danger" onClick={() => onChoose("disable")}>
          Switch off
        </Button>
      </div>
    </div>
  );
}

function Renew({
  onRenewed,
  onCancel,
}: {
  onRenewed: (codes: readonly string[]) => void;
  onCancel: () => void;
}) {
  const renew = useRenewRecoveryCodes();
  return (
    <ProofForm
      label="New recovery codes"
      description="Your old recovery codes stop working."
      action="Make new codes"
      pending={renew.isPending}
      error={renew.error}
      onProven={(proof) =>
        renew.mutate(proof, { onSuccess: ({ recovery_codes }) => onRenewed(recovery_codes) })
      }
      onCancel={onCancel}
    />
  );
}

function Disable({ onEnd }: { onEnd: () => void }) {
  const disable = useDisableSecondFactor();
  return (
    <ProofForm
      label="Switch two-step sign-in off"
      description="Your password alone signs you in from then on, and your recovery codes stop working."
      action="Switch off"
      danger
      pending={disable.isPending}
      error={disable.error}
      onProven={(proof) =>
        disable.mutate(proof, {
          onSuccess: () => {
            toast.success("Two-step sign-in is off");
            onEnd();
          },
        })
      }
      onCancel={onEnd}
    />
  );
}
